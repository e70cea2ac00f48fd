"""What several commands share: the connection to a service, options, and tables."""

import json
import os
import time
from collections.abc import Callable
from functools import partial, update_wrapper
from typing import Any

import click
import httpx
from click.core import ParameterSource

from service.commands import api_client
from service.settings import secret


def over_http(command: Callable[..., None]) -> Callable[..., None]:
    """Add `--url` and `--key` to a command, and pass it a client of that service as the first argument."""

    @click.option(
        "--url",
        "--base-url",
        "url",
        envvar="MAGICLINK_PUBLIC_URL",
        default="http://localhost:8000",
        show_default=True,
        show_envvar=True,
        help="Where the service runs.",
    )
    @click.option(
        "--key",
        "--api-key",
        "key",
        envvar="MAGICLINK_API_KEY",
        show_envvar=True,
        help="API key; also from the file that MAGICLINK_API_KEY_FILE names. dev-key where the service is local.",
    )
    @click.pass_obj
    def connected(transport: httpx.BaseTransport | None, /, url: str, key: str | None, **options: Any) -> None:
        context = click.get_current_context()
        if context.invoked_subcommand is not None:
            return  # `events replay`: the subcommand has options of its own
        if context.get_parameter_source("key") is not ParameterSource.COMMANDLINE:
            key = secret(os.environ, "API_KEY")
        with api_client.ApiClient(url, key, transport) as service:
            command(service, **options)

    return update_wrapper(connected, command)


def patience() -> api_client.Patience:
    """For a command that follows something: looks again each second, and says what it waits for."""
    clock = time.monotonic  # noqa: TID251 - a command reads the machine's clock
    return api_client.Patience(partial(time.sleep, 1), clock, partial(click.echo, err=True))


as_json = click.option("--json", "as_json", is_flag=True, help="For machines.")
limit = click.option("--limit", type=click.IntRange(1, 10_000), default=25, show_default=True, help="Rows at most.")


def show(columns: Any, rows: list[api_client.Json], *, as_json: bool, nothing: str) -> None:
    if as_json:
        click.echo(json.dumps(rows, indent=2))
        return
    if not rows:
        click.echo(nothing, err=True)
        return
    click.echo(api_client.table(columns, rows))

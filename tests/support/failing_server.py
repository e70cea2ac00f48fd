"""The real `serve`, in an environment that fails with errors whose messages hold every secret of the settings.

Run as `python -m tests.support.failing_server FAULT PORT`; `PLANTED` in the environment holds the secrets as JSON.
"""

import asyncio
import json
import logging
import os
import sys
import threading
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

import click
import httpx

from service.app import Environment
from service.commands.main import Commands
from service.commands.serve import serve as serve_service
from service.store import engine_for
from service.store.engine import Engine

FAULTS = ("composition", "lifespan", "shutdown", "running")
MARK = "planted here"


class PlantedError(Exception):
    """An error whose message has every secret in each of the forms that libraries give them."""

    def __init__(self) -> None:
        secrets: list[str] = json.loads(os.environ["PLANTED"])
        forms = [*secrets, repr(secrets), json.dumps(secrets), *map(quote, secrets)]
        super().__init__(f"{MARK}: {' '.join(forms)}")


@dataclass
class FailingProvider(httpx.AsyncBaseTransport):
    """Answers in turn with its caller's own headers, an error of the network, and an error that nothing expects."""

    calls: int = 0

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        self.calls += 1
        if self.calls % 3 == 0:
            raise PlantedError
        if self.calls % 3 == 1:
            raise httpx.ConnectError(str(PlantedError()))
        said = {"detail": str(PlantedError()), "headers": dict(request.headers)}
        return httpx.Response(500, json=said)


class NoSuchText:
    """Cannot be shown."""

    def __str__(self) -> str:
        raise PlantedError

    def __del__(self) -> None:
        raise PlantedError


def environment_with(fault: str) -> Environment:
    if fault == "running":
        return Environment(transport=FailingProvider(), new_id=_new_id_that_fails_once())
    return Environment(engine=lambda url, clock: _failing_engine(fault, url, clock))


def _failing_engine(fault: str, url: str, clock: Callable[[], float]) -> Engine:
    if fault == "composition":
        raise PlantedError
    made = engine_for(url, clock)
    setattr(made, {"lifespan": "open", "shutdown": "close"}[fault], _fail)
    return made


def _new_id_that_fails_once() -> Callable[[str], str]:
    sessions = iter([_fail_beside_the_request])

    def new_id(prefix: str) -> str:
        if prefix == "ses" and (fail := next(sessions, None)):  # in the handler of the first POST /v1/sessions
            fail()
        return f"{prefix}_{os.urandom(12).hex()}"

    return new_id


async def _fail() -> None:
    raise PlantedError


def _fail_beside_the_request() -> None:
    """In every place from which Python itself would print."""
    log = logging.getLogger("planted")
    log.warning("%d %s", "not a number", PlantedError())
    log.warning("%s", NoSuchText(), extra={"odd": NoSuchText(), "planted": PlantedError()})
    log.warning("with a stack", stack_info=True)
    warnings.warn(str(PlantedError()), stacklevel=1)
    threading.Thread(target=_raise).start()
    loop = asyncio.get_running_loop()
    loop.call_soon(_raise)
    loop.create_task(_fail())  # noqa: RUF006 - an error that its task alone has
    raise PlantedError


def _raise(*_: Any) -> None:
    raise PlantedError


@click.group(cls=Commands)
def main() -> None:
    """Stand in for `magiclink`."""


@main.command()
@click.argument("fault")
@click.argument("port", type=int)
def serve(fault: str, port: int) -> None:
    """Serve, and fail."""
    serve_service(os.environ, None, port, click.echo, environment_with(fault))


if __name__ == "__main__":
    main(["serve", *sys.argv[1:]])

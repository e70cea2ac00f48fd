"""The options and the output of every command. What the commands do is in the other modules of this package."""

import asyncio
import io
import json
import logging
import os
import sys
import traceback
import webbrowser
from collections.abc import Callable, Sequence
from dataclasses import asdict
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any

import click

from service import __version__
from service.commands import api_client
from service.commands.interpreter import no_collections
from service.commands.known_secrets import secrets_in
from service.commands.options import as_json, limit, over_http, patience, show
from service.commands.webhooks import endpoints, events, listen
from service.errors import MagiclinkError
from service.settings import Settings, read
from service.telemetry import logs

_log = logging.getLogger(__name__)


class OneLine(click.ClickException):
    """A failure that is printed as one line on standard error, with exit code 1."""

    def format_message(self) -> str:
        return self.message


class Commands(click.Group):
    """The group of all commands: prints known errors as one line, and lists the commands in the README's order."""

    def main(self, *args: Any, **extra: Any) -> Any:
        """Run a command, and end in one line where its output cannot be written; click ends for a closed pipe."""
        try:
            return super().main(*args, **extra)
        except OSError as exc:
            if not _is_of_output(exc):
                raise
            # Python writes what is left at its end, and would report the same error again.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            click.echo(f"Error: The output cannot be written: {exc.strerror}.", err=True)
            sys.exit(1)

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        # click sorts by name; this is the order of definition.
        return list(self.commands)

    def invoke(self, ctx: click.Context) -> Any:
        _show_every_name()
        secrets = secrets_in(os.environ)
        logs.configure(sys.stderr, logs.PlainLines(secrets), logging.WARNING)
        try:
            return super().invoke(ctx)
        except (api_client.CommandError, MagiclinkError, UnicodeEncodeError) as exc:
            raise OneLine(_sentence(exc, secrets)) from exc
        except KeyboardInterrupt:
            raise click.exceptions.Exit(130) from None  # what a shell reports after Ctrl-C: 128 + SIGINT
        except (click.exceptions.Exit, click.Abort, click.ClickException, BrokenPipeError):
            raise
        except Exception as exc:  # any error; it is logged
            if isinstance(exc, OSError) and _is_of_output(exc):
                raise
            # Python would print the traceback itself, with any secret that is in its message.
            _log.critical("%s failed unexpectedly", ctx.info_name, exc_info=exc)
            raise click.exceptions.Exit(70) from None  # Reference: sysexits.h, EX_SOFTWARE


def _show_every_name() -> None:
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")  # a name that the console cannot show is no reason to fail


def _sentence(error: Exception, secrets: Sequence[str]) -> str:
    # Bytes of the command line that are no text reach us as text that Python cannot write again.
    if isinstance(error, UnicodeEncodeError):
        return "An argument, or a variable of the environment, is not text in UTF-8."
    return logs.for_terminal(logs.remover(secrets)(str(error)))


def _is_of_output(error: OSError) -> bool:
    """Tell whether printing has failed, as on a disk that is full: then the error comes from click's `echo`."""
    *_, (frame, _line) = traceback.walk_tb(error.__traceback__)
    return frame.f_globals.get("__name__") == click.echo.__module__


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.version_option(__version__, prog_name="magiclink")
def main() -> None:
    """Connect utility accounts through Nectar: recorded once, for the right user."""


def _load(name: str) -> ModuleType:
    """Import a module of this folder that most commands do not need, since it imports the apps it runs."""
    with no_collections():
        return import_module(f"service.commands.{name}")


@main.command()
@click.option("--port", type=click.IntRange(0, 65535), help="Port of the service.  [default: 8000]")
@click.option("--sandbox-port", type=click.IntRange(0, 65535), help="Port of the sandbox.  [default: 9000]")
@click.option("--host-port", type=click.IntRange(0, 65535), help="Port of the demo host app.  [default: 8080]")
@click.option("--data-dir", type=click.Path(path_type=Path, file_okay=False), help="Its data.  [default: .magiclink]")
@click.option("--data-delay", type=click.FloatRange(0, 86_400), help="Seconds that sample bills take.  [default: 5]")
@click.option("--allow-origin", "origins", multiple=True, help="A further host app's origin; repeatable.")
@click.option("--open", "open_it", is_flag=True, help="Open the demo host app in a browser.")
def dev(*, open_it: bool, **flags: Any) -> None:
    """Run everything side by side; nothing to configure."""
    module = _load("dev")
    module.dev(module.DevOptions(**flags), os.environ, click.echo, webbrowser.open if open_it else None)


host_option = click.option("--host", help="Address to listen on.  [default: 127.0.0.1, or 0.0.0.0 where PORT is set]")


def _port_option(default: int) -> Callable[[Any], Any]:
    return click.option(
        "--port",
        type=click.IntRange(0, 65535),
        envvar="PORT",
        default=default,
        show_default=True,
        show_envvar=True,
        help="Port to listen on; 0: any free one.",
    )


@main.command()
@host_option
@_port_option(8000)
def serve(host: str | None, port: int) -> None:
    """Run the service alone, from the environment."""
    _load("serve").serve(os.environ, host, port, click.echo)


@main.command()
@host_option
@_port_option(9000)
def sandbox(host: str | None, port: int) -> None:
    """Run the sandbox alone, from the environment."""
    _load("serve_sandbox").serve(os.environ, host, port, click.echo)


@main.command()
def migrate() -> None:
    """Bring the database up to date."""
    admin, settings = _deployment()
    applied = asyncio.run(admin.migrate(settings))
    click.echo("\n".join(f"applied {name}" for name in applied) or "Nothing to do.")


def _deployment() -> tuple[ModuleType, Settings]:
    return _load("admin"), read(os.environ)


def _ends() -> str:
    return ", ".join(f"{status} (exit code {code})" for status, code in api_client.EXIT_CODES.items())


@main.command()
@click.option("--user", required=True, help="Your own id of the end user.")
@click.option("--company", required=True, help="ID[=NAME], or the provider's UUID.")
@click.option("--site", "sites", multiple=True, required=True, help="ID[=NAME[@ADDRESS]], or a UUID; repeatable.")
@click.option(
    "--link",
    type=click.Choice(["auto", "magic_link", "invitation"]),
    help="The kind of link; auto: an invitation, or a magic link where the provider refuses invitations. "
    "By default the service's own (MAGICLINK_LINK).",
)
@click.option("--email", help="Becomes the invitation's allowed and owner e-mail.")
@click.option("--expires-in", type=click.IntRange(60, 2_592_000), help="Seconds; one hour by default.")
@click.option("--open", "open_it", is_flag=True, help="Open the URL in a browser.")
@click.option("--wait", is_flag=True, help=f"Follow the session until it is {_ends()}.")
@as_json
@over_http
def link(service: api_client.ApiClient, *, open_it: bool, wait: bool, as_json: bool, **wanted: Any) -> None:
    """Create a session and print its URL."""
    needed = ("id", "userId", "status", "redirectUrl", "expiresAt")
    session = service.post("/v1/sessions", api_client.session_body(**wanted), *needed)
    click.echo(json.dumps(session) if as_json else session["redirectUrl"])
    # Only the URL goes to standard output, so that a script can use it.
    click.echo(f"Session {session['id']} for {session['userId']}, open until {session['expiresAt']}.", err=True)
    if open_it:
        webbrowser.open(session["redirectUrl"])
    if wait:
        _follow(service, session, as_json=as_json)


def _follow(service: api_client.ApiClient, session: api_client.Json, *, as_json: bool) -> None:
    current = session
    for changed in api_client.watch(service, session, patience()):
        for line in [json.dumps(changed)] if as_json else api_client.changes_between(current, changed):
            click.echo(line)
        current = changed
    raise click.exceptions.Exit(api_client.EXIT_CODES[current["status"]])


@main.command()
@click.option("--user", help="Only this user's.")
@click.option("--status", help="Only those with this status.")
@click.option("--company", help="Only this company's: your own id or the provider's.")
@limit
@as_json
@over_http
def sessions(service: api_client.ApiClient, *, user: str, status: str, company: str, limit: int, as_json: bool) -> None:
    """List sessions, newest first."""
    query = {"userId": user, "status": status, "companyId": company}
    show(api_client.SESSIONS, service.rows("/v1/sessions", query, limit), as_json=as_json, nothing="No sessions.")


@main.command()
@click.option(
    "--unattributed", is_flag=True, help="Only those without an owner, with their candidates; --user names a candidate."
)
@click.option("--user", help="Only this user's.")
@click.option("--status", help="Only those with this status.")
@click.option("--company", help="Only this company's: your own id or the provider's.")
@limit
@as_json
@over_http
def connections(
    service: api_client.ApiClient, *, unattributed: bool, limit: int, as_json: bool, **filters: str | None
) -> None:
    """List recorded connections, newest first."""
    query = {"userId": filters["user"], "status": filters["status"], "companyId": filters["company"]}
    columns = api_client.CONNECTIONS
    if unattributed:
        query["attributed"], columns = "false", api_client.UNATTRIBUTED
    rows = service.rows("/v1/connections", query, limit)
    show(columns, rows, as_json=as_json, nothing="No connections.")


main.add_command(events)
main.add_command(endpoints)
main.add_command(listen)


@main.group()
def keys() -> None:
    """API keys, in the service's own database: shown once, stored hashed."""


@keys.command()
@click.argument("name")
def create(name: str) -> None:
    """Create a key and print it, this one time."""
    admin, settings = _deployment()
    click.echo(asyncio.run(admin.create_key(settings, name)))
    click.echo("Keep it: it cannot be shown again.", err=True)


@keys.command("list")
@as_json
def list_keys(*, as_json: bool) -> None:
    """List the keys, oldest first; never the keys themselves."""
    admin, settings = _deployment()
    show(
        admin.KEYS,
        [admin.as_row(key) for key in asyncio.run(admin.all_keys(settings))],
        as_json=as_json,
        nothing="No keys.",
    )


@keys.command()
@click.argument("key_id", metavar="ID")
def revoke(key_id: str) -> None:
    """Revoke a key, within five seconds in every process."""
    admin, settings = _deployment()
    asyncio.run(admin.revoke_key(settings, key_id))
    click.echo(f"{key_id} is revoked.")


@main.command()
@as_json
def doctor(*, as_json: bool) -> None:
    """Check the configuration against the provider, and say what is wrong and how to fix it: then exit code 1."""
    admin, settings = _deployment()
    findings = [asdict(finding) for finding in asyncio.run(admin.examine(settings))]
    show(admin.FINDINGS, findings, as_json=as_json, nothing="")
    if "bad" in [finding["level"] for finding in findings]:
        raise click.exceptions.Exit(1)

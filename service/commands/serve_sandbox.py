"""Runs the sandbox alone, from the environment."""

import logging
import sys
from time import time as clock  # noqa: TID251 - the clock is passed on from here

import service.sandbox.app
from service.commands.known_secrets import secrets_in
from service.commands.server import AppServer, CannotStart, Environ, Listener, Print, host_of, listen, run
from service.sandbox.settings import BadSandboxSettings, SandboxSettings, read
from service.sandbox.wire.errors import UnusableData
from service.sandbox.world.rows import FILE_NAME
from service.telemetry import logs


def serve(environ: Environ, host: str | None, port: int, say: Print) -> None:
    """Run the sandbox until a signal. Raises CannotStart."""
    logs.configure(sys.stderr, logs.JsonLines(secrets_in(environ)), logging.WARNING)
    settings = read_settings(environ)
    with listen(host_of(environ, host), port, "--port") as listener:
        greeting = f"The sandbox listens on {listener.address}, and is {settings.public_url} to browsers."
        run(lambda: [sandbox_server(settings, listener)], lambda: say(greeting))


def read_settings(environ: Environ) -> SandboxSettings:
    """Read the sandbox's settings. Raises CannotStart, which names what is wrong."""
    try:
        return read(environ)
    except BadSandboxSettings as exc:
        raise CannotStart(str(exc)) from exc


def sandbox_server(settings: SandboxSettings, listener: Listener) -> AppServer:
    """Return the sandbox's server. Raises CannotStart where its data folder cannot be used."""
    # The sandbox has its own clock, by which it writes the Date header: uvicorn must not write another.
    try:
        return AppServer(service.sandbox.app.create_app(settings, clock=clock), listener, date_header=False)
    except OSError as exc:
        raise CannotStart(f"SANDBOX_DATA_DIR {settings.data_dir} cannot be used: {exc}.") from exc
    except UnusableData as exc:
        says = f"SANDBOX_DATA_DIR {settings.data_dir} cannot be used: {exc}. Choose another folder, or remove its file"
        raise CannotStart(f"{says} {FILE_NAME}, and all that the sandbox has stored with it.") from exc

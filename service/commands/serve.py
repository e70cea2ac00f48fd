"""Runs the service alone, from the environment. Neither the sandbox nor the demo host app is loaded."""

import sys

import service.app
import service.settings
from service.commands.clients import ClientLimits, Clients
from service.commands.known_secrets import secrets_in
from service.commands.server import AppServer, Environ, Print, host_of, listen, run
from service.telemetry import logs


def serve(
    environ: Environ, host: str | None, port: int, say: Print, environment: service.app.Environment | None = None
) -> None:
    """Run the service until a signal. Raises BadSettings, CannotStart."""
    logs.configure(sys.stderr, logs.JsonLines(secrets_in(environ)))
    settings = service.settings.read(environ)
    with listen(host_of(environ, host), port, "--port") as listener:
        greeting = f"magiclink listens on {listener.address}, and is {settings.public_url} to browsers."
        app = service.app.create_app
        run(lambda: [AppServer(app(settings, environment), listener, clients_of(settings))], lambda: say(greeting))


def clients_of(settings: service.settings.Settings) -> Clients:
    """Return the limits that the settings give to the clients of the service."""
    limits = ClientLimits(
        per_address=settings.connections_per_address,
        trusted_proxies=settings.trusted_proxies,
        keep_alive_seconds=settings.keep_alive_seconds,
    )
    return Clients(limits)

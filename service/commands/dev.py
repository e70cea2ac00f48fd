"""Runs the service, the sandbox and the demo host app side by side in one process.

`dev` needs no configuration: missing variables are filled in here, and its secrets are stored in the data folder.
"""

import base64
import json
import logging
import secrets
import sys
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import service.app
import service.demo.app
import service.sandbox.settings
import service.settings
from service.commands.known_secrets import secrets_in
from service.commands.serve import clients_of
from service.commands.serve_sandbox import read_settings, sandbox_server
from service.commands.server import AppServer, CannotStart, Environ, Print, listen, run
from service.demo.settings import DemoSettings
from service.telemetry import logs

_SERVICE_PORT, _SANDBOX_PORT, _DEMO_PORT = 8000, 9000, 8080


@dataclass(frozen=True)
class DevOptions:
    """The options of `magiclink dev`; None where one was not given."""

    port: int | None = None
    sandbox_port: int | None = None
    host_port: int | None = None
    data_dir: Path | None = None
    data_delay: float | None = None
    origins: tuple[str, ...] = ()


@dataclass(frozen=True)
class Ports:
    """The ports on which the three apps listen."""

    service: int
    sandbox: int
    demo: int


def dev(flags: DevOptions, environ: Environ, say: Print, open_page: Print | None) -> None:
    """Run all three apps, on three origins, until a signal. Raises BadSettings, CannotStart."""
    # The service is on `localhost` and the others on 127.0.0.1: other sites to a browser, as in production, so that
    # cookies and frames behave as they will there.
    with (
        listen("localhost", _default(flags.port, _SERVICE_PORT), "--port") as on_service,
        listen("127.0.0.1", _default(flags.sandbox_port, _SANDBOX_PORT), "--sandbox-port") as on_sandbox,
        listen("127.0.0.1", _default(flags.host_port, _DEMO_PORT), "--host-port") as on_demo,
    ):
        setup = DevSetup.of(flags, environ, Ports(on_service.port, on_sandbox.port, on_demo.port))
        ours = setup.service_settings

        def servers() -> list[AppServer]:
            return [
                sandbox_server(setup.sandbox_settings, on_sandbox),
                AppServer(service.app.create_app(ours), on_service, clients_of(ours)),
                AppServer(service.demo.app.create_app(setup.demo), on_demo),
            ]

        def started() -> None:
            say(greeting(setup))
            if open_page:
                open_page(setup.demo.own_url)

        run(servers, started)


def _default(given: int | None, default: int) -> int:
    return default if given is None else given


@dataclass(frozen=True)
class DevSetup:
    """The settings of the three apps, and the folder in which their data and secrets are."""

    folder: Path
    service_settings: service.settings.Settings
    sandbox_settings: service.sandbox.settings.SandboxSettings
    demo: DemoSettings

    @classmethod
    def of(cls, flags: DevOptions, environ: Environ, ports: Ports) -> Self:
        folder = flags.data_dir or Path(".magiclink")
        stored = stored_secrets(folder)
        complete = complete_environ(flags, environ, ports, folder, stored)
        secret = [*secrets_in(complete), stored["demo_secret"]]
        logs.configure(sys.stderr, logs.JsonLines(secret), logging.WARNING)
        service_settings = service.settings.read(complete, local=True)
        demo = DemoSettings(
            service_url=f"http://localhost:{ports.service}",
            public_service_url=service_settings.public_url,
            api_key=service_settings.api_key or "",
            own_url=f"http://127.0.0.1:{ports.demo}",
            secret=stored["demo_secret"],
        )
        return cls(folder, service_settings, read_settings(complete), demo)


def greeting(setup: DevSetup) -> str:
    return (
        f"\n  Demo host app  {setup.demo.own_url}\n"
        f"  Service        {setup.service_settings.public_url}   API key: {setup.demo.api_key}\n"
        f"  Sandbox        {setup.sandbox_settings.public_url}\n\n"
        f"  Open the demo host app, sign in, and connect a utility account.\n"
        f"  Data is kept in {setup.folder}. Ctrl-C stops.\n"
    )


def stored_secrets(folder: Path) -> dict[str, str]:
    """Return the secrets of this folder, created at the first start. Raises CannotStart."""
    # Only this user may read them, and git ignores the folder: keys of a demo must not reach a repository either.
    path = folder / "secrets.json"
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        # A folder that has one is the user's own: theirs stays as it is.
        with suppress(FileExistsError), (folder / ".gitignore").open("x", encoding="utf-8") as ignored:
            ignored.write("*\n")
        if not path.exists():
            path.touch(mode=0o600)
            path.write_text(json.dumps(_fresh_secrets(), indent=2), encoding="utf-8")
        stored = json.loads(path.read_text(encoding="utf-8"))
        return {name: str(stored[name]) for name in _fresh_secrets()}
    except (OSError, ValueError, LookupError, TypeError) as exc:
        raise CannotStart(f"Cannot keep secrets in {path}; mend or remove it, or choose another --data-dir.") from exc


def _fresh_secrets() -> dict[str, str]:
    return {
        "secret_key": secrets.token_urlsafe(32),
        "webhook_secret": "whsec_" + base64.b64encode(secrets.token_bytes(32)).decode(),
        "demo_secret": secrets.token_urlsafe(32),
    }


def complete_environ(
    flags: DevOptions, environ: Environ, ports: Ports, folder: Path, stored: Mapping[str, str]
) -> dict[str, str]:
    """Return the environment of the apps. Flags override variables, and what neither gives gets a default."""
    complete = {name: value for name, value in environ.items() if value}
    urls = f"http://localhost:{ports.service}", f"http://127.0.0.1:{ports.sandbox}", f"http://127.0.0.1:{ports.demo}"
    given = _from_flags(flags, urls, folder)
    for name, value in given.items():
        if value is not None:
            complete[name] = value
            complete.pop(f"{name}_FILE", None)  # both would be an error
    for name, value in _defaults(complete, urls, folder, stored).items():
        if not complete.get(f"{name}_FILE"):  # both would be an error
            complete.setdefault(name, value)
    origins = (urls[2], *flags.origins, complete.get("MAGICLINK_ALLOWED_ORIGINS", ""))
    complete["MAGICLINK_ALLOWED_ORIGINS"] = ",".join(origin for origin in origins if origin)
    return complete


def _from_flags(flags: DevOptions, urls: tuple[str, str, str], folder: Path) -> dict[str, str | None]:
    # A moved sandbox is where the service must look for the provider, whatever the environment says.
    moved = flags.sandbox_port is not None
    return {
        "MAGICLINK_PUBLIC_URL": urls[0] if flags.port is not None else None,
        "MAGICLINK_PROVIDER_URL": f"{urls[1]}/v2.2" if moved else None,
        "MAGICLINK_PROVIDER_PAGES_URL": urls[1] if moved else None,
        "SANDBOX_PUBLIC_URL": urls[1] if moved else None,
        "MAGICLINK_DATABASE_URL": _database_url(folder) if flags.data_dir else None,
        "SANDBOX_DATA_DIR": str(folder / "sandbox") if flags.data_dir else None,
        "SANDBOX_DATA_DELAY": None if flags.data_delay is None else str(flags.data_delay),
    }


def _defaults(complete: Environ, urls: tuple[str, str, str], folder: Path, stored: Mapping[str, str]) -> dict[str, str]:
    webhook_secret = complete.get("SANDBOX_WEBHOOK_SECRET", stored["webhook_secret"])
    return {
        "MAGICLINK_SECRET_KEYS": stored["secret_key"],
        "MAGICLINK_PUBLIC_URL": urls[0],
        "MAGICLINK_DATABASE_URL": _database_url(folder),
        "MAGICLINK_PROVIDER_URL": f"{urls[1]}/v2.2",
        "MAGICLINK_PROVIDER_PAGES_URL": urls[1],
        # With keys of a rotation in the environment, the sandbox's is one of them.
        **_provider_key(complete),
        "MAGICLINK_PROVIDER_WEBHOOK_SECRETS": webhook_secret,
        "MAGICLINK_API_KEY": "dev-key",
        "MAGICLINK_WEBHOOK_NETWORKS": "127.0.0.0/8,::1/128",
        "SANDBOX_PUBLIC_URL": urls[1],
        "SANDBOX_DATA_DIR": str(folder / "sandbox"),
        "SANDBOX_WEBHOOK_URL": f"{urls[0]}/webhooks/nectar",
        "SANDBOX_WEBHOOK_SECRET": webhook_secret,
    }


def _provider_key(complete: Environ) -> dict[str, str]:
    if any(complete.get(f"MAGICLINK_PROVIDER_API_KEYS{suffix}") for suffix in ("", "_FILE")):
        return {}
    return {"MAGICLINK_PROVIDER_API_KEY": complete.get("SANDBOX_API_KEY", "sandbox-key")}


def _database_url(folder: Path) -> str:
    return f"sqlite:///{folder / 'magiclink.db'}"

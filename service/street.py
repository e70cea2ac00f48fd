"""Sandbox, service and demo host app, alone or side by side in one process: ports, secrets, start and stop.

`dev` needs nothing from its user: what the environment does not say is filled in here, and kept in the data folder.
"""

import base64
import json
import logging
import secrets
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from time import time as clock  # noqa: TID251 - here the clocks are given out
from typing import Any, Self

import service.app
import service.demo.app
import service.sandbox.app
import service.sandbox.settings
import service.settings
from service import logs
from service.demo.settings import DemoSettings
from service.process import CannotStart, House, Listener, listen, run

Environ = Mapping[str, str]
Say = Callable[[str], object]
SERVICE_PORT, SANDBOX_PORT, DEMO_PORT = 8000, 9000, 8080


@dataclass(frozen=True)
class Flags:
    """What was said on the command line; None where nothing was."""

    port: int | None = None
    sandbox_port: int | None = None
    host_port: int | None = None
    data_dir: Path | None = None
    data_delay: float | None = None
    origins: tuple[str, ...] = ()


@dataclass(frozen=True)
class Ports:
    """The ports that are really listened on."""

    service: int
    sandbox: int
    demo: int


def _read(read: Callable[[Environ], Any], environ: Environ) -> Any:
    try:
        return read(environ)
    except service.sandbox.settings.BadSandboxSettings as exc:
        raise CannotStart(str(exc)) from exc


def serve(environ: Environ, host: str | None, port: int, say: Say) -> None:
    """The service alone."""
    settings = _read(service.settings.read, environ)
    logs.configure(sys.stderr, _secrets(settings))
    with listen(_host(environ, host), port, "--port") as door:
        greeting = f"magiclink listens on {door.address}, and is {settings.public_url} to browsers."
        run(lambda: [House(service.app.create_app(settings), door)], lambda: say(greeting))


def sandbox(environ: Environ, host: str | None, port: int, say: Say) -> None:
    """The sandbox alone."""
    settings = _read(service.sandbox.settings.read, environ)
    with listen(_host(environ, host), port, "--port") as door:
        greeting = f"The sandbox listens on {door.address}, and is {settings.public_url} to browsers."
        run(lambda: [_sandbox(settings, door)], lambda: say(greeting))


def _sandbox(settings: service.sandbox.settings.SandboxSettings, door: Listener) -> House:
    """It tells its own time, so uvicorn writes no `Date`."""
    try:
        return House(service.sandbox.app.create_app(settings, clock=clock), door, date_header=False)
    except OSError as exc:
        raise CannotStart(f"SANDBOX_DATA_DIR {settings.data_dir} cannot be used: {exc}.") from exc


def _host(environ: Environ, host: str | None) -> str:
    """A platform that sets PORT reaches us from outside."""
    return host or ("0.0.0.0" if environ.get("PORT") else "127.0.0.1")  # noqa: S104


def dev(flags: Flags, environ: Environ, say: Say, open_page: Say | None) -> None:
    """All three, on three origins; returns when stopped."""
    with (
        listen("localhost", _or(flags.port, SERVICE_PORT), "--port") as on_service,
        listen("127.0.0.1", _or(flags.sandbox_port, SANDBOX_PORT), "--sandbox-port") as on_sandbox,
        listen("127.0.0.1", _or(flags.host_port, DEMO_PORT), "--host-port") as on_demo,
    ):
        plan = Plan.of(flags, environ, Ports(on_service.port, on_sandbox.port, on_demo.port))
        logs.configure(sys.stderr, _secrets(plan.ours), logging.WARNING)

        def houses() -> list[House]:
            return [
                _sandbox(plan.theirs, on_sandbox),
                House(service.app.create_app(plan.ours), on_service),
                House(service.demo.app.create_app(plan.demo), on_demo),
            ]

        def started() -> None:
            say(greeting(plan))
            if open_page:
                open_page(plan.demo.own_url)

        run(houses, started)


def _secrets(settings: service.settings.Settings) -> list[str]:
    single = (settings.provider_api_key, settings.api_key, settings.metrics_key)
    return [*settings.secret_keys, *settings.provider_webhook_secrets, *(each for each in single if each)]


def _or(given: int | None, otherwise: int) -> int:
    return otherwise if given is None else given


@dataclass(frozen=True)
class Plan:
    """What each house is told."""

    folder: Path
    ours: service.settings.Settings
    theirs: service.sandbox.settings.SandboxSettings
    demo: DemoSettings

    @classmethod
    def of(cls, flags: Flags, environ: Environ, ports: Ports) -> Self:
        folder = flags.data_dir or Path(".magiclink")
        kept = keep(folder)
        settled = settle(flags, environ, ports, folder, kept)
        ours = _read(service.settings.read, settled)
        demo = DemoSettings(
            service_url=f"http://localhost:{ports.service}",
            public_service_url=ours.public_url,
            api_key=ours.api_key or "",
            own_url=f"http://127.0.0.1:{ports.demo}",
            secret=kept["demo_secret"],
        )
        return cls(folder, ours, _read(service.sandbox.settings.read, settled), demo)


def greeting(plan: Plan) -> str:
    return (
        f"\n  Demo host app  {plan.demo.own_url}\n"
        f"  Service        {plan.ours.public_url}   API key: {plan.demo.api_key}\n"
        f"  Sandbox        {plan.theirs.public_url}\n\n"
        f"  Open the demo host app, sign in, and connect a utility account.\n"
        f"  Data is kept in {plan.folder}. Ctrl-C stops.\n"
    )


def keep(folder: Path) -> dict[str, str]:
    """The secrets of this folder, made at the first start and the same ever after."""
    path = folder / "secrets.json"
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        (folder / ".gitignore").write_text("*\n", encoding="utf-8")
        if not path.exists():
            path.touch(mode=0o600)
            path.write_text(json.dumps(_fresh_secrets(), indent=2), encoding="utf-8")
        kept = json.loads(path.read_text(encoding="utf-8"))
        return {name: str(kept[name]) for name in _fresh_secrets()}
    except (OSError, ValueError, LookupError, TypeError) as exc:
        raise CannotStart(f"Cannot keep secrets in {path}; mend or remove it, or choose another --data-dir.") from exc


def _fresh_secrets() -> dict[str, str]:
    return {
        "secret_key": secrets.token_urlsafe(32),
        "webhook_secret": "whsec_" + base64.b64encode(secrets.token_bytes(32)).decode(),
        "demo_secret": secrets.token_urlsafe(32),
    }


def settle(flags: Flags, environ: Environ, ports: Ports, folder: Path, kept: Mapping[str, str]) -> dict[str, str]:
    """The environment for the houses: what was missing is filled in, and flags beat what was there."""
    settled = {name: value for name, value in environ.items() if value}
    urls = f"http://localhost:{ports.service}", f"http://127.0.0.1:{ports.sandbox}", f"http://127.0.0.1:{ports.demo}"
    said = _from_flags(flags, urls, folder)
    settled |= {name: value for name, value in said.items() if value is not None}
    for name, value in _defaults(settled, urls, folder, kept).items():
        if not settled.get(f"{name}_FILE"):
            settled.setdefault(name, value)
    given = settled.get("MAGICLINK_ALLOWED_ORIGINS", "")
    settled["MAGICLINK_ALLOWED_ORIGINS"] = ",".join(each for each in (urls[2], *flags.origins, given) if each)
    return settled


def _from_flags(flags: Flags, urls: tuple[str, str, str], folder: Path) -> dict[str, str | None]:
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


def _defaults(settled: Environ, urls: tuple[str, str, str], folder: Path, kept: Mapping[str, str]) -> dict[str, str]:
    webhook_secret = settled.get("SANDBOX_WEBHOOK_SECRET", kept["webhook_secret"])
    return {
        "MAGICLINK_SECRET_KEYS": kept["secret_key"],
        "MAGICLINK_PUBLIC_URL": urls[0],
        "MAGICLINK_DATABASE_URL": _database_url(folder),
        "MAGICLINK_PROVIDER_URL": f"{urls[1]}/v2.2",
        "MAGICLINK_PROVIDER_PAGES_URL": urls[1],
        "MAGICLINK_PROVIDER_API_KEY": settled.get("SANDBOX_API_KEY", "sandbox-key"),
        "MAGICLINK_PROVIDER_WEBHOOK_SECRETS": webhook_secret,
        "MAGICLINK_API_KEY": "dev-key",
        "SANDBOX_PUBLIC_URL": urls[1],
        "SANDBOX_DATA_DIR": str(folder / "sandbox"),
        "SANDBOX_WEBHOOK_URL": f"{urls[0]}/webhooks/nectar",
        "SANDBOX_WEBHOOK_SECRET": webhook_secret,
    }


def _database_url(folder: Path) -> str:
    return f"sqlite:///{folder / 'magiclink.db'}"

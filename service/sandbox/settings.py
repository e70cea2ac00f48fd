"""The sandbox's settings: read once from the environment; every wrong variable is named, without its value."""

import base64
import binascii
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from service.sandbox.wire.enums import WRONG_PASSWORD_STATUSES

PUBLIC_URL = "http://127.0.0.1:9000"
DELAY_MOST_SECONDS = 86_400.0
SECRET_PREFIX = "whsec_"  # noqa: S105 - Svix's prefix, no secret


class BadSandboxSettings(Exception):
    """The environment has variables that cannot be used; the text names them."""


@dataclass(frozen=True)
class SandboxSettings:
    """What the sandbox is started with; without a `data_dir` it keeps everything in memory."""

    api_key: str = field(default="sandbox-key", repr=False)
    public_url: str = PUBLIC_URL
    data_dir: Path | None = None
    data_delay_seconds: float = 5.0
    seed: str | None = None
    webhook_url: str | None = None
    webhook_secret: str | None = field(default=None, repr=False)
    redirects: bool = False
    wrong_password_status: str = WRONG_PASSWORD_STATUSES[0]


def read(environ: Mapping[str, str]) -> SandboxSettings:
    """Read `SANDBOX_*`; an empty variable counts as absent. Raises `BadSandboxSettings` naming every wrong one."""
    values: dict[str, Any] = {}
    wrong: list[str] = []
    for variable, (name, reader) in VARIABLES.items():
        if not environ.get(variable):
            continue
        try:
            values[name] = reader(environ[variable])
        except ValueError as why:
            wrong.append(f"{variable} {why}")
    # Without a secret no receiver could verify what it is sent.
    if values.get("webhook_url") and "webhook_secret" not in values and not environ.get("SANDBOX_WEBHOOK_SECRET"):
        wrong.append("SANDBOX_WEBHOOK_SECRET is needed beside SANDBOX_WEBHOOK_URL")
    if wrong:
        raise BadSandboxSettings("; ".join(wrong))
    return SandboxSettings(**values)


def _web_url(value: str) -> str:
    if any(each.isspace() or not each.isprintable() for each in value) or not _is_web_url(value):
        raise ValueError("must be an http or https address")
    return value


def _is_web_url(value: str) -> bool:
    try:
        parts = urlsplit(value)
        _ = parts.port  # a property that raises
    except ValueError:
        return False
    return parts.scheme in {"http", "https"} and bool(parts.hostname)


def _origin(value: str) -> str:
    # Links are built by appending paths to it.
    parts = urlsplit(_web_url(value))
    if parts.path not in {"", "/"} or parts.query or parts.fragment or parts.username:
        raise ValueError("must be an origin: scheme, host and port only")
    return value.rstrip("/")


def _delay(value: str) -> float:
    try:
        delay = float(value)
    except ValueError:
        delay = -1.0
    if not 0 <= delay <= DELAY_MOST_SECONDS:
        raise ValueError(f"must be a number of seconds from 0 to {DELAY_MOST_SECONDS:.0f}")
    return delay


def _switch(value: str) -> bool:
    # The words that the service's own switches take.
    word = value.lower()
    if word not in {"1", "true", "yes", "on", "0", "false", "no", "off"}:
        raise ValueError("must be on or off")
    return word in {"1", "true", "yes", "on"}


def _spelling(value: str) -> str:
    if value not in WRONG_PASSWORD_STATUSES:
        raise ValueError(f"must be {' or '.join(WRONG_PASSWORD_STATUSES)}")
    return value


def _key(value: str) -> str:
    if not value.isascii() or not value.isprintable() or " " in value:
        raise ValueError("must be printable ASCII without spaces, to fit a header")
    return value


def _signing_secret(value: str) -> str:
    try:
        key = base64.b64decode(value.removeprefix(SECRET_PREFIX), validate=True)
    except (binascii.Error, ValueError):
        key = b""
    if not value.startswith(SECRET_PREFIX) or not key:
        raise ValueError("must be whsec_ followed by base64")
    return value


VARIABLES: dict[str, tuple[str, Callable[[str], Any]]] = {
    "SANDBOX_API_KEY": ("api_key", _key),
    "SANDBOX_PUBLIC_URL": ("public_url", _origin),
    "SANDBOX_DATA_DIR": ("data_dir", Path),
    "SANDBOX_DATA_DELAY": ("data_delay_seconds", _delay),
    "SANDBOX_SEED": ("seed", str),
    "SANDBOX_WEBHOOK_URL": ("webhook_url", _web_url),
    "SANDBOX_WEBHOOK_SECRET": ("webhook_secret", _signing_secret),
    "SANDBOX_REDIRECTS": ("redirects", _switch),
    "SANDBOX_WRONG_PASSWORD_STATUS": ("wrong_password_status", _spelling),
}

"""What the operator tells us through the environment: read once, validated whole, secrets hidden from repr.

Nothing here has a default that is secret. Flags of the commands and the sandbox's own variables live with those.
"""

import base64
import re
from collections.abc import Callable, Mapping
from dataclasses import MISSING, dataclass, field, fields
from difflib import get_close_matches
from ipaddress import ip_address, ip_network
from pathlib import Path
from typing import Any, Literal, get_args
from urllib.parse import urlsplit

from service.errors import BadSettings
from service.urls import is_app_scheme, is_local, origin_of, origin_problem

PathGeneration = Literal["company", "reference"]
LinkSetting = Literal["auto", "magic_link", "invitation"]

_PREFIX = "MAGICLINK_"
_SECRETS = frozenset(
    {"SECRET_KEYS", "DATABASE_URL", "PROVIDER_API_KEY", "PROVIDER_WEBHOOK_SECRETS", "METRICS_KEY", "API_KEY"}
)
# Reference: kubernetes.io/docs/concepts/services-networking/service: a Service "magiclink" sets these in pods.
_KUBERNETES = re.compile(r"SERVICE_HOST|SERVICE_PORT(_\w+)?|PORT(_\d+_[A-Z]+(_(PROTO|PORT|ADDR))?)?")
_SWITCH = {"1": True, "true": True, "yes": True, "on": True, "0": False, "false": False, "no": False, "off": False}


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """The service's configuration. Addresses have no trailing slash; keys and webhook secrets are newest first."""

    secret_keys: tuple[str, ...] = field(repr=False)
    public_url: str
    provider_api_key: str = field(repr=False)
    database_url: str = field(default="sqlite:///magiclink.db", repr=False)
    provider_url: str = "https://external.nectarclimate.com/v2.2"
    provider_pages_url: str = "https://dash.nectarclimate.com"
    provider_webhook_secrets: tuple[str, ...] = field(default=(), repr=False)
    provider_paths: PathGeneration = "company"
    allowed_origins: tuple[str, ...] = ()
    trusted_proxies: tuple[str, ...] = ()
    metrics_key: str | None = field(default=None, repr=False)
    api_key: str | None = field(default=None, repr=False)
    link: LinkSetting = "auto"
    provider_redirects: bool = False


def read(environ: Mapping[str, str]) -> Settings:
    """Raises BadSettings with one message that names every variable that is wrong, and none of their values."""
    problems = _unknown(environ)
    values: dict[str, Any] = {}
    for each in fields(Settings):
        name = each.name.upper()
        try:
            text = _text(environ, name)
            if text:
                values[each.name] = _PARSERS[name](text)
            elif each.default is MISSING:
                problems.append(f"{_PREFIX}{name} is missing: {_MISSING[name]}")
        except _Wrong as exc:
            problems.append(f"{exc.variable or _PREFIX + name} {exc}")
    if problems:
        raise BadSettings("The settings are not usable:\n" + "\n".join(f"  {problem}" for problem in problems))
    return Settings(**values)


class _Wrong(ValueError):
    """Says what is wrong with a variable, as the rest of a sentence that begins with its name."""

    def __init__(self, message: str, variable: str | None = None) -> None:
        self.variable = variable
        super().__init__(message)


def _unknown(environ: Mapping[str, str]) -> list[str]:
    known = {each.name.upper() for each in fields(Settings)} | {f"{name}_FILE" for name in _SECRETS}
    given = {name.removeprefix(_PREFIX) for name in environ if name.startswith(_PREFIX)}
    return [_unknown_problem(name, known) for name in sorted(given - known) if not _KUBERNETES.fullmatch(name)]


def _unknown_problem(name: str, known: set[str]) -> str:
    near = get_close_matches(name, sorted(known), n=1)
    return f"{_PREFIX}{name} is not a setting" + (f"; did you mean {_PREFIX}{near[0]}?" if near else "")


def _text(environ: Mapping[str, str], name: str) -> str:
    """A variable that is set to nothing counts as not set: compose files do that to every optional one."""
    text = environ.get(_PREFIX + name, "").strip()
    path = environ.get(f"{_PREFIX}{name}_FILE", "") if name in _SECRETS else ""
    if not path:
        return text
    variable = f"{_PREFIX}{name}_FILE"
    if text:
        raise _Wrong(f"and {_PREFIX}{name} are both set; keep one", variable)
    try:
        text = Path(path).read_text(encoding="utf-8").strip()
    except (OSError, ValueError) as exc:
        raise _Wrong("names a file that cannot be read as text", variable) from exc
    if not text:
        raise _Wrong("names an empty file", variable)
    return text


def _entries(text: str) -> list[str]:
    return [entry for part in re.split(r"[,\n]", text) if (entry := part.strip())]


def _secret_keys(text: str) -> tuple[str, ...]:
    keys = _entries(text)
    for place, key in enumerate(keys, 1):
        if len(key) < 32:
            raise _Wrong(f"has a key of fewer than 32 characters (number {place}); make one with: openssl rand -hex 32")
    if not keys or len(set(keys)) < len(keys):
        raise _Wrong("needs one or more different keys, separated by commas, newest first")
    return tuple(keys)


def _origin(text: str) -> str:
    text = text.removesuffix("/")
    if problem := origin_problem(text):
        raise _Wrong(problem)
    return origin_of(text) or ""


def _provider_url(text: str) -> str:
    text = text.rstrip("/")
    origin = origin_of(text)
    if origin is None or "?" in text or "#" in text:
        raise _Wrong("is not a usable address; write it as https://external.nectarclimate.com/v2.2")
    parts = urlsplit(text)
    if parts.scheme == "http" and not is_local(origin) and not _is_private(parts.hostname or ""):
        raise _Wrong("must be https: the provider's API key travels there")
    return origin + parts.path


def _is_private(host: str) -> bool:
    """A host of the same private network, as in a compose file; a single-label name cannot be a public one."""
    try:
        return ip_address(host).is_private
    except ValueError:
        return "." not in host


def _database_url(text: str) -> str:
    if re.match(r"postgres(ql)?://.", text):
        return re.sub(r"^postgres://", "postgresql://", text)  # the way some platforms still spell it
    if re.match(r"sqlite:///.", text):
        return text
    raise _Wrong("must begin with sqlite:/// or postgresql://")


def _webhook_secrets(text: str) -> tuple[str, ...]:
    return tuple(_webhook_secret(place, secret) for place, secret in enumerate(_entries(text), 1))


def _webhook_secret(place: int, secret: str) -> str:
    if not secret.startswith("whsec_"):
        raise _Wrong(f"has a secret that does not begin with whsec_ (number {place})")
    try:
        key = base64.b64decode(secret.removeprefix("whsec_"), validate=True)
    except ValueError as exc:
        raise _Wrong(f"has a secret that is not base64 (number {place})") from exc
    if len(key) < 16:
        raise _Wrong(f"has a secret shorter than 16 bytes (number {place}), which can be guessed")
    return secret


def _allowed_origins(text: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys(_allowed_origin(place, entry) for place, entry in enumerate(_entries(text), 1)))


def _allowed_origin(place: int, entry: str) -> str:
    if is_app_scheme(entry):
        return entry
    if problem := origin_problem(entry):
        raise _Wrong(f"entry {place} {problem}")
    return origin_of(entry) or ""


def _trusted_proxies(text: str) -> tuple[str, ...]:
    return tuple(_network(place, entry) for place, entry in enumerate(_entries(text), 1))


def _network(place: int, entry: str) -> str:
    try:
        return str(ip_network(entry))
    except ValueError as exc:
        raise _Wrong(f"entry {place} is not an address or a network such as 10.0.0.0/8") from exc


def _key(text: str) -> str:
    if re.search(r"[^\x21-\x7e]", text):
        raise _Wrong("has a character that cannot travel in a header; use printable ASCII without spaces")
    return text


def _switch(text: str) -> bool:
    try:
        return _SWITCH[text.lower()]
    except KeyError as exc:
        raise _Wrong("must be on or off") from exc


def _one_of(*words: str) -> Callable[[str], str]:
    def parse(text: str) -> str:
        if text not in words:
            raise _Wrong(f"must be one of: {', '.join(words)}")
        return text

    return parse


_MISSING = {
    "SECRET_KEYS": "a key of 32 characters or more, as from: openssl rand -hex 32",
    "PUBLIC_URL": "the address at which browsers reach this service, as in https://link.example.com",
    "PROVIDER_API_KEY": "made in the provider's Settings > Organization > API Keys",
}
_PARSERS: Mapping[str, Callable[[str], object]] = {
    "SECRET_KEYS": _secret_keys,
    "PUBLIC_URL": _origin,
    "DATABASE_URL": _database_url,
    "PROVIDER_URL": _provider_url,
    "PROVIDER_PAGES_URL": _origin,
    "PROVIDER_API_KEY": _key,
    "PROVIDER_WEBHOOK_SECRETS": _webhook_secrets,
    "PROVIDER_PATHS": _one_of(*get_args(PathGeneration)),
    "ALLOWED_ORIGINS": _allowed_origins,
    "TRUSTED_PROXIES": _trusted_proxies,
    "METRICS_KEY": _key,
    "API_KEY": _key,
    "LINK": _one_of(*get_args(LinkSetting)),
    "PROVIDER_REDIRECTS": _switch,
}

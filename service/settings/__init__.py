"""The service's settings, from environment variables: read once, validated all together, secrets hidden from repr.

No secret has a default. Options of the commands and the sandbox's variables are defined there.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import MISSING, dataclass, field, fields
from difflib import get_close_matches
from typing import Any, Literal, get_args

from service.errors import BadSettings
from service.settings import values as setting_values
from service.settings.utility_hints import UtilityHint
from service.settings.values import BYTE_ORDER_MARK, InvalidValue, text_of_file

PathGeneration = Literal["company", "reference"]
PathSetting = Literal["auto", "company", "reference"]
LinkSetting = Literal["auto", "magic_link", "invitation"]

_PREFIX = "MAGICLINK_"
# These can also be given as a file (`…_FILE`): the environment can be read by child processes and container tools.
SECRETS = frozenset(
    {"SECRET_KEYS", "DATABASE_URL", "PROVIDER_API_KEY", "PROVIDER_API_KEYS", "PROVIDER_WEBHOOK_SECRETS"}
    | {"METRICS_KEY", "API_KEY"}
)
# Reference: kubernetes.io/docs/concepts/services-networking/service: a Service "magiclink" sets these in pods.
_KUBERNETES = re.compile(r"SERVICE_HOST|SERVICE_PORT(_\w+)?|PORT(_\d+_[A-Z]+(_(PROTO|PORT|ADDR))?)?")


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """The settings of one process. URLs have no trailing slash; `secret_keys` come newest first."""

    secret_keys: tuple[str, ...] = field(repr=False)
    public_url: str
    provider_api_key: str | None = field(default=None, repr=False)
    provider_api_keys: tuple[str, ...] = field(default=(), repr=False)
    database_url: str = field(default="sqlite:///magiclink.db", repr=False)
    provider_url: str = "https://external.nectarclimate.com/v2.2"
    provider_pages_url: str = "https://dash.nectarclimate.com"
    provider_webhook_secrets: tuple[str, ...] = field(default=(), repr=False)
    provider_paths: PathSetting = "auto"
    provider_calls: int = 10
    allowed_origins: tuple[str, ...] = ()
    trusted_proxies: tuple[str, ...] = ()
    metrics_key: str | None = field(default=None, repr=False)
    api_key: str | None = field(default=None, repr=False)
    link: LinkSetting = "auto"
    provider_redirects: bool = False
    keep_alive_seconds: int = 75
    connections_per_address: int = 500
    webhook_networks: tuple[str, ...] = ()
    retention_days: int = 400
    utility_hints: tuple[UtilityHint, ...] | None = ()  # the operator's own; None switches the service's off, too


def read(environ: Mapping[str, str], *, local: bool = False) -> Settings:
    """Read the settings. Raises BadSettings with one message that names every wrong variable, and no value.

    `local` is for `magiclink dev`, whose API key may be one that is easy to type.
    """
    problems = _unknown(environ)
    values: dict[str, Any] = {}
    for each in fields(Settings):
        name = each.name.upper()
        try:
            text = _text(environ, name)
            # A parser's message names the entry by its number: a value may be a secret, and logs keep messages.
            if text:
                values[each.name] = setting_values.key(text) if local and name == "API_KEY" else _PARSERS[name](text)
            elif each.default is MISSING:
                problems.append(f"{_PREFIX}{name} is missing: {_MISSING[name]}")
        except InvalidValue as exc:
            problems += [f"{exc.variable or _PREFIX + name} {each_one}" for each_one in exc.messages]
    if not {"provider_api_key", "provider_api_keys"} & values.keys() and "PROVIDER_API_KEY" not in str(problems):
        problems.append(f"{_PREFIX}PROVIDER_API_KEY is missing: {_MISSING['PROVIDER_API_KEY']}")
    if problems:
        raise BadSettings("The settings are not usable:\n" + "\n".join(f"  {problem}" for problem in problems))
    return Settings(**values)


def secret(environ: Mapping[str, str], name: str) -> str | None:
    """Return one secret of the environment or of its `…_FILE`, without the other settings. Raises BadSettings."""
    try:
        return _text(environ, name) or None
    except InvalidValue as exc:
        raise BadSettings("; ".join(f"{exc.variable} {each}" for each in exc.messages)) from exc


# Otherwise a misspelled variable would silently leave its setting at the default.
def _unknown(environ: Mapping[str, str]) -> list[str]:
    known = {each.name.upper() for each in fields(Settings)} | {f"{name}_FILE" for name in SECRETS}
    given = {name.removeprefix(_PREFIX) for name in environ if name.startswith(_PREFIX)}
    return [_unknown_problem(name, known) for name in sorted(given - known) if not _KUBERNETES.fullmatch(name)]


def _unknown_problem(name: str, known: set[str]) -> str:
    near = get_close_matches(name, sorted(known), n=1)
    return f"{_PREFIX}{name} is not a setting" + (f"; did you mean {_PREFIX}{near[0]}?" if near else "")


def _text(environ: Mapping[str, str], name: str) -> str:
    # An empty variable counts as not set: compose files set every optional variable to "".
    text = environ.get(_PREFIX + name, "").strip().removeprefix(BYTE_ORDER_MARK)
    path = environ.get(f"{_PREFIX}{name}_FILE", "") if name in SECRETS else ""
    if not path:
        return text
    variable = f"{_PREFIX}{name}_FILE"
    if text:
        raise InvalidValue(f"and {_PREFIX}{name} are both set; keep one", variable=variable)
    try:
        text = text_of_file(path)
    except (OSError, ValueError) as exc:
        raise InvalidValue("names a file that cannot be read as text in UTF-8", variable=variable) from exc
    if not text:
        raise InvalidValue("names an empty file", variable=variable)
    return text


_MISSING = {
    "SECRET_KEYS": "a key of 32 characters or more, as from: openssl rand -hex 32",
    "PUBLIC_URL": "the address at which browsers reach this service, as in https://link.example.com",
    "PROVIDER_API_KEY": "made in the provider's Settings > Organization > API Keys",
}
_PARSERS: Mapping[str, Callable[[str], object]] = {
    "SECRET_KEYS": setting_values.secret_keys,
    "PUBLIC_URL": setting_values.origin,
    "DATABASE_URL": setting_values.database_url,
    "PROVIDER_URL": setting_values.provider_url,
    "PROVIDER_PAGES_URL": setting_values.origin,
    "PROVIDER_API_KEY": setting_values.key,
    "PROVIDER_API_KEYS": setting_values.provider_keys,
    "PROVIDER_WEBHOOK_SECRETS": setting_values.webhook_secrets,
    "PROVIDER_PATHS": setting_values.one_of(*get_args(PathSetting)),
    "PROVIDER_CALLS": setting_values.whole_number(1, 10),
    "ALLOWED_ORIGINS": setting_values.allowed_origins,
    "TRUSTED_PROXIES": setting_values.networks,
    "METRICS_KEY": setting_values.key,
    "API_KEY": setting_values.api_key,
    "LINK": setting_values.one_of(*get_args(LinkSetting)),
    "PROVIDER_REDIRECTS": setting_values.switch,
    "KEEP_ALIVE_SECONDS": setting_values.whole_number(5, 3600),
    "CONNECTIONS_PER_ADDRESS": setting_values.whole_number(1, 100_000),
    "WEBHOOK_NETWORKS": setting_values.networks,
    "UTILITY_HINTS": setting_values.utility_hints,
    # For days after its end a session may still get its connection.
    "RETENTION_DAYS": setting_values.whole_number(7, 36_500),
}

"""The service's settings, from environment variables: read once, validated all together, secrets hidden from repr.

No secret has a default. Options of the commands and the sandbox's variables are defined there.
"""

import base64
import re
from collections.abc import Callable, Mapping
from dataclasses import MISSING, dataclass, field, fields
from difflib import get_close_matches
from ipaddress import ip_network
from pathlib import Path
from typing import Any, Literal, get_args
from urllib.parse import urlsplit

from service.errors import BadSettings
from service.urls import api_url_problem, database_url_problem, is_app_scheme, origin_of, origin_problem

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
_BYTE_ORDER_MARK = "\ufeff"  # some editors begin a file with it; it would become a part of a secret
_SWITCH_WORDS = {
    "1": True,
    "true": True,
    "yes": True,
    "on": True,
    "0": False,
    "false": False,
    "no": False,
    "off": False,
}


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
                values[each.name] = _key(text) if local and name == "API_KEY" else _PARSERS[name](text)
            elif each.default is MISSING:
                problems.append(f"{_PREFIX}{name} is missing: {_MISSING[name]}")
        except _InvalidValue as exc:
            problems += [f"{exc.variable or _PREFIX + name} {each_one}" for each_one in exc.messages]
    if not {"provider_api_key", "provider_api_keys"} & values.keys() and "PROVIDER_API_KEY" not in str(problems):
        problems.append(f"{_PREFIX}PROVIDER_API_KEY is missing: {_MISSING['PROVIDER_API_KEY']}")
    if problems:
        raise BadSettings("The settings are not usable:\n" + "\n".join(f"  {problem}" for problem in problems))
    return Settings(**values)


class _InvalidValue(ValueError):
    """What is wrong with a variable, as the rests of sentences that begin with its name."""

    def __init__(self, *messages: str, variable: str | None = None) -> None:
        self.variable = variable
        self.messages = messages
        super().__init__(*messages)


# A misspelled variable would leave its setting at the default without anybody noticing.
def _unknown(environ: Mapping[str, str]) -> list[str]:
    known = {each.name.upper() for each in fields(Settings)} | {f"{name}_FILE" for name in SECRETS}
    given = {name.removeprefix(_PREFIX) for name in environ if name.startswith(_PREFIX)}
    return [_unknown_problem(name, known) for name in sorted(given - known) if not _KUBERNETES.fullmatch(name)]


def _unknown_problem(name: str, known: set[str]) -> str:
    near = get_close_matches(name, sorted(known), n=1)
    return f"{_PREFIX}{name} is not a setting" + (f"; did you mean {_PREFIX}{near[0]}?" if near else "")


def _text(environ: Mapping[str, str], name: str) -> str:
    # An empty variable counts as not set: compose files set every optional variable to "".
    text = environ.get(_PREFIX + name, "").strip().removeprefix(_BYTE_ORDER_MARK)
    path = environ.get(f"{_PREFIX}{name}_FILE", "") if name in SECRETS else ""
    if not path:
        return text
    variable = f"{_PREFIX}{name}_FILE"
    if text:
        raise _InvalidValue(f"and {_PREFIX}{name} are both set; keep one", variable=variable)
    try:
        text = text_of_file(path)
    except (OSError, ValueError) as exc:
        raise _InvalidValue("names a file that cannot be read as text in UTF-8", variable=variable) from exc
    if not text:
        raise _InvalidValue("names an empty file", variable=variable)
    return text


def text_of_file(path: str) -> str:
    """Return the text of a secret's file, without white space around it. Raises OSError, ValueError."""
    return Path(path).read_text(encoding="utf-8").removeprefix(_BYTE_ORDER_MARK).strip()


def entries(text: str) -> list[str]:
    """Return the entries of a list, in its order."""
    return [entry for part in re.split(r"[,\n]", text) if (entry := part.strip())]


def _each(text: str, parse: Callable[[str], str]) -> tuple[str, ...]:
    """Parse every entry. Raises _InvalidValue with what is wrong with each, by its number: a value may be a secret."""
    values, problems = [], []
    for number, entry in enumerate(entries(text), 1):
        try:
            values.append(parse(entry))
        except _InvalidValue as exc:
            problems.append(f"entry {number} {exc}")
    if problems:
        raise _InvalidValue(*problems)
    return tuple(values)


def _secret_keys(text: str) -> tuple[str, ...]:
    keys = _each(text, _secret_key)
    if not keys or len(set(keys)) < len(keys):
        raise _InvalidValue("needs one or more different keys, separated by commas, newest first")
    return keys


def _secret_key(key: str) -> str:
    # Tokens travel in URLs, so a short key could be guessed offline from one of them.
    if len(key) < 32:
        raise _InvalidValue("is a key of fewer than 32 characters; make one with: openssl rand -hex 32")
    return key


def _origin(text: str) -> str:
    text = text.removesuffix("/")
    if problem := origin_problem(text):
        raise _InvalidValue(problem)
    return origin_of(text) or ""


def _provider_url(text: str) -> str:
    if problem := api_url_problem(text := text.rstrip("/")):
        raise _InvalidValue(problem)
    return (origin_of(text) or "") + urlsplit(text).path


def _database_url(text: str) -> str:
    if problem := database_url_problem(text):
        raise _InvalidValue(problem)
    return re.sub(r"^postgres://", "postgresql://", text)  # some platforms still use the old scheme


def _webhook_secrets(text: str) -> tuple[str, ...]:
    return _each(text, _webhook_secret)


def _webhook_secret(secret: str) -> str:
    # Reference: the Standard Webhooks specification: "whsec_" and the key in base64.
    if not secret.startswith("whsec_"):
        raise _InvalidValue("is a secret that does not begin with whsec_")
    try:
        key = base64.b64decode(secret.removeprefix("whsec_"), validate=True)
    except ValueError as exc:
        raise _InvalidValue("is a secret that is not base64") from exc
    if len(key) < 16:
        raise _InvalidValue("is a secret shorter than 16 bytes, which can be guessed")
    return secret


def _allowed_origins(text: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys(_each(text, _allowed_origin)))


def _allowed_origin(entry: str) -> str:
    if is_app_scheme(entry):
        return entry
    if problem := origin_problem(entry):
        raise _InvalidValue(problem)
    return origin_of(entry) or ""


def _networks(text: str) -> tuple[str, ...]:
    return _each(text, _network)


def _network(entry: str) -> str:
    try:
        return str(ip_network(entry))
    except ValueError as exc:
        raise _InvalidValue("is not an address or a network such as 10.0.0.0/8") from exc


def _key(text: str) -> str:
    if re.search(r"[^\x21-\x7e]", text):
        raise _InvalidValue("has a character that cannot travel in a header; use printable ASCII without spaces")
    return text


def _provider_keys(text: str) -> tuple[str, ...]:
    keys = _each(text, _key)
    if not 1 <= len(set(keys)) == len(keys) <= 2:
        raise _InvalidValue("needs one or two different keys, separated by commas, newest first")
    return keys


def _api_key(text: str) -> str:
    # Strangers may try keys at any rate; and the log removes a secret for sure only where it is no common word.
    if len(text) < 16:
        raise _InvalidValue("has fewer than 16 characters, which can be guessed; make one with: openssl rand -hex 16")
    return _key(text)


def _switch(text: str) -> bool:
    try:
        return _SWITCH_WORDS[text.lower()]
    except KeyError as exc:
        raise _InvalidValue("must be on or off") from exc


def _whole_number(least: int, most: int) -> Callable[[str], int]:
    def parse(text: str) -> int:
        if not re.fullmatch(r"\d{1,9}", text, re.ASCII) or not least <= int(text) <= most:
            raise _InvalidValue(f"must be a whole number from {least} to {most}")
        return int(text)

    return parse


def _one_of(*words: str) -> Callable[[str], str]:
    def parse(text: str) -> str:
        if text not in words:
            raise _InvalidValue(f"must be one of: {', '.join(words)}")
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
    "PROVIDER_API_KEYS": _provider_keys,
    "PROVIDER_WEBHOOK_SECRETS": _webhook_secrets,
    "PROVIDER_PATHS": _one_of(*get_args(PathSetting)),
    "ALLOWED_ORIGINS": _allowed_origins,
    "TRUSTED_PROXIES": _networks,
    "METRICS_KEY": _key,
    "API_KEY": _api_key,
    "LINK": _one_of(*get_args(LinkSetting)),
    "PROVIDER_REDIRECTS": _switch,
    "KEEP_ALIVE_SECONDS": _whole_number(5, 3600),
    "CONNECTIONS_PER_ADDRESS": _whole_number(1, 100_000),
    "WEBHOOK_NETWORKS": _networks,
    "RETENTION_DAYS": _whole_number(7, 36_500),  # for days after its end a session may still get its connection
}

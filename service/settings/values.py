"""Parses the text of each kind of setting. A message names an entry by its number, and never holds a secret's value."""

import base64
import re
from collections.abc import Callable
from ipaddress import ip_network
from pathlib import Path
from urllib.parse import urlsplit

from service.settings.utility_hints import UtilityHint, read_hints
from service.urls import api_url_problem, database_url_problem, is_app_scheme, origin_of, origin_problem

BYTE_ORDER_MARK = "\ufeff"  # some editors begin a file with it; it would become a part of a secret
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


class InvalidValue(ValueError):
    """What is wrong with a variable: each message continues a sentence that begins with the variable's name."""

    def __init__(self, *messages: str, variable: str | None = None) -> None:
        self.variable = variable
        self.messages = messages
        super().__init__(*messages)


def text_of_file(path: str) -> str:
    """Return the text of a secret's file, without white space around it. Raises OSError, ValueError."""
    return Path(path).read_text(encoding="utf-8").removeprefix(BYTE_ORDER_MARK).strip()


def entries(text: str) -> list[str]:
    """Return the entries of a list, in its order."""
    return [entry for part in re.split(r"[,\n]", text) if (entry := part.strip())]


def _each(text: str, parse: Callable[[str], str]) -> tuple[str, ...]:
    """Parse every entry. Raises InvalidValue with what is wrong with each, by its number: a value may be a secret."""
    values, problems = [], []
    for number, entry in enumerate(entries(text), 1):
        try:
            values.append(parse(entry))
        except InvalidValue as exc:
            problems.append(f"entry {number} {exc}")
    if problems:
        raise InvalidValue(*problems)
    return tuple(values)


def secret_keys(text: str) -> tuple[str, ...]:
    keys = _each(text, _secret_key)
    if not keys or len(set(keys)) < len(keys):
        raise InvalidValue("needs one or more different keys, separated by commas, newest first")
    return keys


def _secret_key(key: str) -> str:
    # Tokens travel in URLs, so a short key could be guessed offline from one of them.
    if len(key) < 32:
        raise InvalidValue("is a key of fewer than 32 characters; make one with: openssl rand -hex 32")
    return key


def origin(text: str) -> str:
    text = text.removesuffix("/")
    if problem := origin_problem(text):
        raise InvalidValue(problem)
    return origin_of(text) or ""


def provider_url(text: str) -> str:
    if problem := api_url_problem(text := text.rstrip("/")):
        raise InvalidValue(problem)
    return (origin_of(text) or "") + urlsplit(text).path


def database_url(text: str) -> str:
    if problem := database_url_problem(text):
        raise InvalidValue(problem)
    return re.sub(r"^postgres://", "postgresql://", text)  # some platforms still use the old scheme


def webhook_secrets(text: str) -> tuple[str, ...]:
    return _each(text, _webhook_secret)


def _webhook_secret(secret: str) -> str:
    # Reference: the Standard Webhooks specification: "whsec_" and the key in base64.
    if not secret.startswith("whsec_"):
        raise InvalidValue("is a secret that does not begin with whsec_")
    try:
        key = base64.b64decode(secret.removeprefix("whsec_"), validate=True)
    except ValueError as exc:
        raise InvalidValue("is a secret that is not base64") from exc
    if len(key) < 16:
        raise InvalidValue("is a secret shorter than 16 bytes, which can be guessed")
    return secret


def allowed_origins(text: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys(_each(text, _allowed_origin)))


def _allowed_origin(entry: str) -> str:
    if is_app_scheme(entry):
        return entry
    if problem := origin_problem(entry):
        raise InvalidValue(problem)
    return origin_of(entry) or ""


def networks(text: str) -> tuple[str, ...]:
    return _each(text, _network)


def _network(entry: str) -> str:
    try:
        return str(ip_network(entry))
    except ValueError as exc:
        raise InvalidValue("is not an address or a network such as 10.0.0.0/8") from exc


def key(text: str) -> str:
    if re.search(r"[^\x21-\x7e]", text):
        raise InvalidValue("has a character that cannot travel in a header; use printable ASCII without spaces")
    return text


def provider_keys(text: str) -> tuple[str, ...]:
    keys = _each(text, key)
    if not 1 <= len(set(keys)) == len(keys) <= 2:
        raise InvalidValue("needs one or two different keys, separated by commas, newest first")
    return keys


def api_key(text: str) -> str:
    # Strangers may try keys at any rate; and the log removes a secret for sure only where it is no common word.
    if len(text) < 16:
        raise InvalidValue("has fewer than 16 characters, which can be guessed; make one with: openssl rand -hex 16")
    return key(text)


def switch(text: str) -> bool:
    try:
        return _SWITCH_WORDS[text.lower()]
    except KeyError as exc:
        raise InvalidValue("must be on or off") from exc


def whole_number(least: int, most: int) -> Callable[[str], int]:
    def parse(text: str) -> int:
        if not re.fullmatch(r"\d{1,9}", text, re.ASCII) or not least <= int(text) <= most:
            raise InvalidValue(f"must be a whole number from {least} to {most}")
        return int(text)

    return parse


def one_of(*words: str) -> Callable[[str], str]:
    def parse(text: str) -> str:
        if text not in words:
            raise InvalidValue(f"must be one of: {', '.join(words)}")
        return text

    return parse


def utility_hints(text: str) -> tuple[UtilityHint, ...] | None:
    if _SWITCH_WORDS.get(text.lower()) is False:
        return None
    try:
        content = text_of_file(text)
    except (OSError, ValueError) as exc:
        raise InvalidValue("must be off, or name a file that can be read as text in UTF-8") from exc
    hints, problems = read_hints(content)
    if problems:
        raise InvalidValue(*(f"names a file that {problem}" for problem in problems))
    return hints

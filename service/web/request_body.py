"""Reads and validates request bodies, within limits."""

import json
from collections.abc import Callable, Mapping
from contextlib import nullcontext
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError
from pydantic.alias_generators import to_camel
from starlette.requests import ClientDisconnect, Request

from service.errors import InvalidJson, InvalidRequest, Problem, TooLarge, UnsupportedMediaType
from service.telemetry.load import RequestLoad
from service.web.audience import LOAD

# A session with a hundred sites and every field at its limit has less than half of this, in ASCII.
MAX_BODY_BYTES = 256 * 1024
# For those who need no API key: a page's largest call is a form with one signed state.
MAX_PAGE_BODY_BYTES = 4 * 1024
_MAX_FIELDS = 100  # of one object; no object of the API has half as many

# The patterns of fields. A refusal says in words what is wanted: a caller should not have to read a pattern.
# A line break in a header or a log could forge a line of ours.
PRINTABLE = r"^[^\x00-\x1f\x7f]+$"
PRINTABLE_OR_EMPTY = r"^[^\x00-\x1f\x7f]*$"
NAME = r"^[^\x00-\x1f\x7f]*[^\s\x00-\x1f\x7f][^\x00-\x1f\x7f]*$"
UUID = r"^[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}$"
SESSION_ID = r"^ses_[0-9A-Za-z]{8,64}$"
COUNTRY = r"^[A-Z]{2}$"
DAY = r"^[0-9]{4}-[0-9]{2}-[0-9]{2}$"
LANGUAGE = r"^[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8})*$"
_NO_CONTROLS = "must not have line breaks or other control characters"
PATTERN_WORDS: Mapping[str, str] = {
    PRINTABLE: _NO_CONTROLS,
    PRINTABLE_OR_EMPTY: _NO_CONTROLS,
    NAME: f"must not be blank, and {_NO_CONTROLS}",
    UUID: "must be a UUID, as the provider gives them",
    SESSION_ID: "must be the id of a session: ses_ and what follows it",
    COUNTRY: "must be two capital letters, such as US",
    DAY: "must be a day written as 2027-01-15",
    LANGUAGE: "must be a language tag such as fr or fr-CA",
}
# By pydantic's name of the error.
_SENTENCES: Mapping[str, str] = {
    "extra_forbidden": "is not a known field",
    "model_type": "must be a JSON object",
    "dict_type": "must be a JSON object",
    "list_type": "must be a JSON array",
}
_KEY = "[key]"


class Body(BaseModel):
    """The base of bodies: camelCase, strict types, no unknown fields. Errors repeat no value: it may be a secret."""

    model_config = ConfigDict(
        strict=True, extra="forbid", alias_generator=to_camel, frozen=True, hide_input_in_errors=True
    )


async def read_optional_json(request: Request) -> Any:
    """Return the body as JSON, or an empty object where it has no bytes. Raises as `read_json` does.

    The type of no bytes says nothing: `curl -d ''` names a form.
    """
    raw = await read_raw(request)
    if not raw:
        return {}
    _require_json(request)
    return _parsed(raw)


async def read_json(request: Request, max_bytes: int = MAX_BODY_BYTES) -> Any:
    """Return the body as JSON. Raises UnsupportedMediaType, TooLarge, InvalidJson, InvalidRequest."""
    _require_json(request)
    return _parsed(await read_raw(request, max_bytes))


def _require_json(request: Request) -> None:
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "application/json":
        raise UnsupportedMediaType


def _parsed(raw: bytes) -> Any:
    try:
        return json.loads(raw, parse_constant=_no_constant, object_pairs_hook=_no_duplicates)
    except (ValueError, RecursionError) as exc:
        raise InvalidJson from exc


async def read_raw(
    request: Request, max_bytes: int = MAX_BODY_BYTES, take: Callable[[int], None] = lambda _: None
) -> bytes:
    """Return the body's bytes. Raises TooLarge, UnsupportedMediaType (a compressed body), and what `take` raises.

    `take` is called with the number of bytes that have arrived.
    """
    if request.headers.get("content-encoding", "identity").strip().lower() != "identity":
        raise UnsupportedMediaType("Send the body without Content-Encoding")
    too_large = TooLarge(f"The body is larger than {max_bytes // 1024} KiB")
    length = request.headers.get("content-length", "")
    if length.isdecimal() and (len(length) > 15 or int(length) > max_bytes):
        raise too_large
    load: RequestLoad | None = request.scope.get(LOAD)
    body = bytearray()  # counted as it arrives: Content-Length may be absent or wrong
    try:
        # The process does nothing meanwhile: callers who send slowly must not make it look busy.
        with load.waiting() if load is not None else nullcontext():
            async for chunk in request.stream():
                take(len(chunk))
                body += chunk
                if len(body) > max_bytes:
                    raise too_large
        return bytes(body)
    except ClientDisconnect as exc:
        raise InvalidJson("The body ended early") from exc


def parse(shape: type[Any], body: Any) -> Any:
    """Return the body as this model. Raises InvalidRequest, which names every wrong field and repeats no value."""
    try:
        return shape.model_validate(body)
    except ValidationError as exc:
        # `from None`: pydantic's error holds the values, and a log of the cause would repeat them.
        raise InvalidRequest(
            [_problem(error) for error in exc.errors(include_url=False, include_input=False)]
        ) from None


def _problem(error: Mapping[str, Any]) -> Problem:
    place = error["loc"]
    # Pydantic puts this behind the name of an entry whose name is wrong; there is no such place in the body. The name
    # of an entry may be the same text, but has only the field's name before it.
    names_entry = len(place) > 2 and place[-1] == _KEY
    parts = place[:-1] if names_entry else place
    pointer = "".join(f"/{str(part).replace('~', '~0').replace('/', '~1')}" for part in parts)
    return Problem(pointer, f"its name: {_sentence(error)}" if names_entry else _sentence(error))


def _sentence(error: Mapping[str, Any]) -> str:
    """What is wrong, without the words of Python and of the library: its class names, dictionaries and patterns."""
    kind, context = error["type"], error.get("ctx", {})
    if kind in _SENTENCES:
        return _SENTENCES[kind]
    if kind == "string_pattern_mismatch":
        return PATTERN_WORDS.get(context["pattern"], f"must match {context['pattern']}")
    if kind == "too_short":
        return f"must have at least {_items(context['min_length'])}"
    if kind == "too_long":
        return f"must have at most {_items(context['max_length'])}"
    message = str(error["msg"]).removeprefix("Value error, ")
    return message[:1].lower() + message[1:]


def _items(count: int) -> str:
    return "1 item" if count == 1 else f"{count} items"


def _no_constant(name: str) -> Any:
    raise ValueError(name)  # NaN and Infinity are not JSON


def _no_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Refuse two fields of one name: parsers differ in which one they take, so a proxy may have checked the other."""
    if len(pairs) > _MAX_FIELDS:
        raise InvalidRequest(detail=f"An object in the body has more than {_MAX_FIELDS} fields")
    found = dict(pairs)
    if len(found) < len(pairs):
        raise InvalidJson("The body has a field twice")
    return found

"""What a host's backend may send: strict shapes, unknown fields refused by name, every limit of the public face."""

import json
import re
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError, model_validator
from pydantic.alias_generators import to_camel
from starlette.requests import ClientDisconnect, Request

from service.errors import InvalidJson, InvalidRequest, Problem, TooLarge, UnsupportedMediaType
from service.ledger import NewSession, Place
from service.model import ConnectionId, LinkChoice, UserId
from service.origins import origin_of, return_url_problem

MAX_BODY_BYTES = 256 * 1024

_UUID = r"^[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}$"
_EMAIL = re.compile(r"[^@\s\x00-\x1f]{1,64}@[^@\s\x00-\x1f]+\.[^@\s\x00-\x1f.]+")
_UNPRINTABLE = re.compile(r"[\x00-\x1f\x7f]")

Uuid = Annotated[str, StringConstraints(pattern=_UUID, to_lower=True)]
Text = Annotated[str, StringConstraints(min_length=1, max_length=255, pattern=r"^[^\x00-\x1f\x7f]+$")]
Url = Annotated[str, StringConstraints(min_length=1, max_length=2048)]


class _Body(BaseModel):
    model_config = ConfigDict(
        strict=True, extra="forbid", alias_generator=to_camel, frozen=True, hide_input_in_errors=True
    )


class _Place(_Body):
    id: Uuid | None = None
    external_id: Text | None = None
    name: Text | None = None

    @model_validator(mode="after")
    def _one_way(self) -> "_Place":
        if (self.id is None) == (self.external_id is None):
            raise ValueError("give either id, or externalId with name")
        if self.external_id is not None and self.name is None:
            raise ValueError("name is required with externalId")
        return self


class _Company(_Place):
    name: Annotated[Text, StringConstraints(max_length=200)] | None = None


class _Site(_Place):
    address: Text | None = None


class _Prefill(_Body):
    url: Url | None = None
    country: Annotated[str, StringConstraints(pattern=r"^[A-Z]{2}$")] | None = None
    utility_types: list[Text] | None = Field(default=None, max_length=20)
    data_collection_start_date: Annotated[str, StringConstraints(pattern=r"^\d{4}-\d{2}-\d{2}$")] | None = None


class CreateSession(_Body):
    """The body of POST /v1/sessions."""

    user_id: Text
    company: _Company | None = None
    sites: list[_Site] | None = Field(default=None, min_length=1, max_length=100)
    connection_id: Uuid | None = None
    link: Literal["auto", "magic_link", "invitation"] | None = None
    prefill: _Prefill | None = None
    origin: Url | None = None
    return_url: Url | None = None
    expires_in: int = Field(default=3600, ge=60, le=2_592_000)
    locale: Annotated[str, StringConstraints(pattern=r"^[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8})*$")] = "en"
    metadata: dict[
        Annotated[str, StringConstraints(min_length=1, max_length=40)],
        Annotated[str, StringConstraints(max_length=500)],
    ] = Field(default_factory=dict, max_length=20)
    prepare: Literal["background", "now"] = "background"
    user_email: Annotated[str, StringConstraints(max_length=254)] | None = None
    user_label: Text | None = None
    support_url: Url | None = None

    @model_validator(mode="after")
    def _what_for(self) -> "CreateSession":
        if self.connection_id is not None and (self.sites is not None or self.company is not None):
            raise ValueError("connectionId stands instead of company and sites")
        if self.connection_id is None and (self.company is None or self.sites is None):
            raise ValueError("company and sites are required, or connectionId")
        return self

    def noun(self, default_link: str, allowed_origins: Sequence[str]) -> NewSession:
        """The checked request. Raises InvalidRequest for what only the settings can tell."""
        problems = [*self._origin_problems(allowed_origins), *self._contact_problems(), *self._twin_problems()]
        if problems:
            raise InvalidRequest(problems)
        return NewSession(
            user_id=UserId(self.user_id),
            company=_place(self.company) if self.company else Place(),
            sites=tuple(_place(site) for site in self.sites or ()),
            expires_in=self.expires_in,
            link=LinkChoice(self.link or default_link),
            origin=origin_of(self.origin) if self.origin else None,
            return_url=self.return_url,
            locale=self.locale,
            user_label=self.user_label,
            user_email=self.user_email,
            support_url=self.support_url,
            prefill=self.prefill.model_dump(by_alias=True, exclude_none=True) if self.prefill else {},
            metadata=self.metadata,
            connection_id=ConnectionId(self.connection_id) if self.connection_id else None,
        )

    def _origin_problems(self, allowed: Sequence[str]) -> list[Problem]:
        problems = []
        if self.origin is not None and (origin_of(self.origin) != self.origin or self.origin not in allowed):
            problems.append(Problem("/origin", "must equal an entry of MAGICLINK_ALLOWED_ORIGINS"))
        if self.return_url is not None and (wrong := return_url_problem(self.return_url, allowed)) is not None:
            problems.append(Problem("/returnUrl", wrong))
        return problems

    def _contact_problems(self) -> list[Problem]:
        problems = []
        if self.user_email is not None and not _EMAIL.fullmatch(self.user_email):
            problems.append(Problem("/userEmail", "is not an e-mail address"))
        if self.support_url is not None and not _is_way_out(self.support_url):
            problems.append(Problem("/supportUrl", "must be an https or mailto address"))
        if self.prefill is not None and self.prefill.url is not None and origin_of(self.prefill.url) is None:
            problems.append(Problem("/prefill/url", "must be an http or https address"))
        return problems

    def _twin_problems(self) -> list[Problem]:
        keys = [site.id or site.external_id for site in self.sites or ()]
        return [Problem(f"/sites/{i}", "is given twice") for i, key in enumerate(keys) if key in keys[:i]]


class Reconnect(_Body):
    """The body of POST /v1/connections/{id}/reconnect: what of a session can be chosen when it is for a connection."""

    link: Literal["auto", "magic_link", "invitation"] | None = None
    origin: Url | None = None
    return_url: Url | None = None
    expires_in: int = Field(default=3600, ge=60, le=2_592_000)
    locale: str | None = None
    metadata: dict[str, str] | None = None
    prepare: Literal["background", "now"] = "background"
    user_email: str | None = None
    user_label: Text | None = None
    support_url: Url | None = None

    def noun(self, connection_id: ConnectionId, user_id: UserId, link: str, allowed: Sequence[str]) -> NewSession:
        """As a session for this connection and its user. Raises InvalidRequest."""
        given = self.model_dump(by_alias=True, exclude_none=True)
        body: CreateSession = parse(CreateSession, given | {"connectionId": connection_id, "userId": user_id})
        return body.noun(link, allowed)


class ClaimConnection(_Body):
    """The body of POST /v1/connections/{id}/claim."""

    session_id: Annotated[str, StringConstraints(pattern=r"^ses_[0-9A-Za-z]{8,64}$")]


class VerifyResult(_Body):
    """The body of POST /v1/verify."""

    state: Url
    user_id: Text


class StartPage(_Body):
    """The body of POST …/start: `takeOver` is the person's word that another page of the session may end."""

    take_over: bool = False


class ExitPage(_Body):
    """The body of POST …/exit: where the person was, and why they left; words of our own script."""

    stage: Annotated[str, StringConstraints(pattern=r"^[a-z_]{1,40}$")] = "page"
    reason: Annotated[str, StringConstraints(pattern=r"^[a-z_]{1,40}$")] = "left"


class Nothing(_Body):
    """A POST that takes no fields."""


async def read_optional_json(request: Request) -> Any:
    """As `read_json`; no body at all is an empty object."""
    if request.headers.get("content-type") is None:
        raw = await read_raw(request)
        if raw:
            raise UnsupportedMediaType
        return {}
    return await read_json(request)


async def read_json(request: Request) -> Any:
    """The body as JSON. Raises UnsupportedMediaType, TooLarge, InvalidJson."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "application/json":
        raise UnsupportedMediaType
    raw = await read_raw(request)
    try:
        return json.loads(raw, parse_constant=_no_constant, object_pairs_hook=_no_twins)
    except (ValueError, RecursionError) as exc:
        raise InvalidJson from exc


async def read_raw(request: Request) -> bytes:
    """The body's bytes, at most 256 KiB. Raises TooLarge."""
    body = bytearray()
    try:
        async for chunk in request.stream():
            body += chunk
            if len(body) > MAX_BODY_BYTES:
                raise TooLarge
    except ClientDisconnect as exc:
        raise InvalidJson("The body ended early") from exc
    return bytes(body)


def parse(shape: type[Any], body: Any) -> Any:
    """The body as this shape. Raises InvalidRequest naming every field that is wrong, never repeating its value."""
    try:
        return shape.model_validate(body)
    except ValidationError as exc:
        raise InvalidRequest(
            [_problem(error) for error in exc.errors(include_url=False, include_input=False)]
        ) from None


def _problem(error: Mapping[str, Any]) -> Problem:
    pointer = "".join(f"/{str(part).replace('~', '~0').replace('/', '~1')}" for part in error["loc"])
    if error["type"] == "extra_forbidden":
        return Problem(pointer, "is not a known field")
    message = str(error["msg"]).removeprefix("Value error, ")
    return Problem(pointer, message[:1].lower() + message[1:])


def _no_constant(name: str) -> Any:
    raise ValueError(name)  # NaN and Infinity are not JSON


def _no_twins(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Of two fields of one name one reader takes the first and another the last: none of ours guesses."""
    found = dict(pairs)
    if len(found) < len(pairs):
        raise InvalidJson("The body has a field twice")
    return found


def _place(place: _Place) -> Place:
    return Place(place.id, place.external_id, place.name, getattr(place, "address", None))


def _is_way_out(url: str) -> bool:
    if _UNPRINTABLE.search(url):
        return False
    return (
        bool(_EMAIL.fullmatch(url[7:]))
        if url.startswith("mailto:")
        else url.startswith("https://") and bool(origin_of(url))
    )

"""The bodies that a host's backend may send, with every limit of the API; unknown fields are refused by name."""

import re
from collections.abc import Sequence
from typing import Annotated, Literal

from pydantic import Field, StringConstraints, model_validator

from service.domain.model import ConnectionId, LinkChoice, UserId
from service.domain.requests import PlaceRequest, SessionRequest
from service.errors import InvalidRequest, Problem
from service.urls import origin_of, return_url_problem
from service.web.request_body import Body, parse

_UUID = r"^[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}$"
_EMAIL = re.compile(r"[^@\s\x00-\x1f]{1,64}@[^@\s\x00-\x1f]+\.[^@\s\x00-\x1f.]+")
_UNPRINTABLE = re.compile(r"[\x00-\x1f\x7f]")

Uuid = Annotated[str, StringConstraints(pattern=_UUID, to_lower=True)]
Text = Annotated[str, StringConstraints(min_length=1, max_length=255, pattern=r"^[^\x00-\x1f\x7f]+$")]
Url = Annotated[str, StringConstraints(min_length=1, max_length=2048)]


class _PlaceBody(Body):
    id: Uuid | None = None
    external_id: Text | None = None
    name: Text | None = None

    @model_validator(mode="after")
    def _one_way(self) -> "_PlaceBody":
        if (self.id is None) == (self.external_id is None):
            raise ValueError("give either id, or externalId with name")
        if self.external_id is not None and self.name is None:
            raise ValueError("name is required with externalId")
        return self


class _CompanyBody(_PlaceBody):
    name: Annotated[Text, StringConstraints(max_length=200)] | None = None


class _SiteBody(_PlaceBody):
    address: Text | None = None


class _PrefillBody(Body):
    url: Url | None = None
    country: Annotated[str, StringConstraints(pattern=r"^[A-Z]{2}$")] | None = None
    utility_types: list[Text] | None = Field(default=None, max_length=20)
    data_collection_start_date: Annotated[str, StringConstraints(pattern=r"^\d{4}-\d{2}-\d{2}$")] | None = None


class CreateSession(Body):
    """The body of POST /v1/sessions."""

    user_id: Text
    company: _CompanyBody | None = None
    sites: list[_SiteBody] | None = Field(default=None, min_length=1, max_length=100)
    connection_id: Uuid | None = None
    link: Literal["auto", "magic_link", "invitation"] | None = None
    prefill: _PrefillBody | None = None
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

    def to_request(self, default_link: str, allowed_origins: Sequence[str]) -> SessionRequest:
        """Return the validated request. Raises InvalidRequest for what only the settings can decide."""
        problems = [*self._origin_problems(allowed_origins), *self._contact_problems(), *self._duplicate_problems()]
        if problems:
            raise InvalidRequest(problems)
        return SessionRequest(
            user_id=UserId(self.user_id),
            company=_place(self.company) if self.company else PlaceRequest(),
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
        if self.support_url is not None and not _is_support_url(self.support_url):
            problems.append(Problem("/supportUrl", "must be an https or mailto address"))
        if self.prefill is not None and self.prefill.url is not None and origin_of(self.prefill.url) is None:
            problems.append(Problem("/prefill/url", "must be an http or https address"))
        return problems

    def _duplicate_problems(self) -> list[Problem]:
        keys = [site.id or site.external_id for site in self.sites or ()]
        return [Problem(f"/sites/{i}", "is given twice") for i, key in enumerate(keys) if key in keys[:i]]


class Reconnect(Body):
    """The body of POST /v1/connections/{id}/reconnect: what of a session the connection does not decide."""

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

    def to_request(
        self, connection_id: ConnectionId, user_id: UserId, link: str, allowed: Sequence[str]
    ) -> SessionRequest:
        """Return the request of a session for this connection and its user. Raises InvalidRequest."""
        given = self.model_dump(by_alias=True, exclude_none=True)
        body: CreateSession = parse(CreateSession, given | {"connectionId": connection_id, "userId": user_id})
        return body.to_request(link, allowed)


class ClaimConnection(Body):
    """The body of POST /v1/connections/{id}/claim."""

    session_id: Annotated[str, StringConstraints(pattern=r"^ses_[0-9A-Za-z]{8,64}$")]


class VerifyResult(Body):
    """The body of POST /v1/verify."""

    state: Url
    user_id: Text


class NoFields(Body):
    """The body of a POST that takes no fields."""


def _place(place: _PlaceBody) -> PlaceRequest:
    return PlaceRequest(place.id, place.external_id, place.name, getattr(place, "address", None))


def _is_support_url(url: str) -> bool:
    if _UNPRINTABLE.search(url):
        return False
    return (
        bool(_EMAIL.fullmatch(url[7:]))
        if url.startswith("mailto:")
        else url.startswith("https://") and bool(origin_of(url))
    )

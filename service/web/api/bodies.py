"""The bodies that a host's backend may send, with every limit of the API; unknown fields are refused by name."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import fields
from typing import Annotated, Any, Literal

from pydantic import Field, StringConstraints, model_validator

from service.domain.model import ConnectionId, LinkChoice, UserId
from service.domain.requests import PlaceRequest, SessionRequest
from service.domain.theme import Theme
from service.errors import InvalidRequest, Problem
from service.urls import framing_problem, origin_of, return_url_problem
from service.web.api.field_types import Day, MetadataKey, MetadataValue, Name, Text, Url, Uuid
from service.web.api.theme_bodies import ThemeBody
from service.web.request_body import COUNTRY, LANGUAGE, SESSION_ID, Body

# A loose check, since only the mailbox's server knows its addresses. It excludes two addresses, and line breaks, which
# could add a header to a mail.
_EMAIL = re.compile(r"[^@\s\x00-\x1f]{1,64}@[^@\s\x00-\x1f]+\.[^@\s\x00-\x1f.]+")
# A line break in a header or a log could forge a line of ours.
_UNPRINTABLE = re.compile(r"[\x00-\x1f\x7f]")
_NO_HELP = "must be an https or mailto address"


class _PlaceBody(Body):
    id: Uuid | None = Field(default=None, description="The provider's id, instead of `externalId`.")
    external_id: Text | None = Field(
        default=None, description="Your own id. The provider's object with this id is used, or created once."
    )
    name: Name | None = Field(default=None, description="Required with `externalId`.")

    @model_validator(mode="after")
    def _named_in_one_way(self) -> "_PlaceBody":
        if (self.id is None) == (self.external_id is None):
            raise ValueError("give either id, or externalId with name")
        if self.external_id is not None and self.name is None:
            raise ValueError("name is required with externalId")
        return self


class _CompanyBody(_PlaceBody):
    name: Annotated[Name, StringConstraints(max_length=200)] | None = Field(
        default=None, description="Required with `externalId`."
    )


class _SiteBody(_PlaceBody):
    address: Text | None = Field(default=None, description="Postal address, one line.")


class _PrefillBody(Body):
    url: Url | None = Field(default=None, description="The utility's address.")
    country: Annotated[str, StringConstraints(pattern=COUNTRY)] | None = Field(
        default=None, description="Two letters, ISO 3166."
    )
    utility_types: list[Text] | None = Field(
        default=None, max_length=20, description="The provider's own words, such as `ELECTRICITY`."
    )
    data_collection_start_date: Day | None = Field(
        default=None, description="From which day on bills are wanted: YYYY-MM-DD."
    )


class _HelpUrlsBody(Body):
    login: Url | None = Field(default=None, description="How users find their sign-in details.")
    upload: Url | None = Field(default=None, description="How they hand in bills instead of signing in.")
    mfa: Url | None = Field(default=None, description="What to do about a second step of the sign-in.")


_REQUEST_FIELDS = tuple(one.name for one in fields(SessionRequest))


class _SessionOptions(Body):
    """What a host may choose for every session. A field goes to the field of `SessionRequest` that has its name."""

    link: Literal["auto", "magic_link", "invitation"] | None = Field(
        default=None,
        description="`auto`: an invitation for one use, since only that is exact; a magic link where the provider "
        "refuses invitations. Default: `MAGICLINK_LINK`.",
    )
    origin: Url | None = Field(
        default=None,
        description="The origin of the page that will frame ours, an entry of `MAGICLINK_ALLOWED_ORIGINS`. Without it "
        "there is no `embedUrl`.",
    )
    return_url: Url | None = Field(
        default=None,
        description="Where the redirect flow ends; its origin is an entry of `MAGICLINK_ALLOWED_ORIGINS`. Without it, "
        "on a page of ours.",
    )
    expires_in: int = Field(default=3600, ge=60, le=2_592_000, description="For how many seconds it is open.")
    locale: Annotated[str, StringConstraints(pattern=LANGUAGE)] | None = Field(
        default=None,
        description="The language of the end user's pages, as in BCP 47: `en`, `es` or `fr`, with or without a region. "
        "Without it, or with another one, the browser's settings choose.",
    )
    metadata: dict[MetadataKey, MetadataValue] | None = Field(
        default_factory=dict, max_length=20, description="Yours; echoed back with the session."
    )
    prepare: Literal["background", "now"] = Field(
        default="background", description="`now` waits for the link, 45 s at most, and tells what the provider says."
    )
    user_email: Annotated[str, StringConstraints(max_length=254)] | None = Field(
        default=None,
        description="The only address that may use the invitation, and its owner. A magic link has no such limit: "
        "`link: magic_link` makes one all the same.",
    )
    user_label: Text | None = Field(
        default=None, description="What the page calls the user, shown masked; never an id."
    )
    support_url: Url | None = Field(default=None, description="Where the end user finds help: https or mailto.")
    help_urls: _HelpUrlsBody | None = Field(
        default=None, description="Your own pages of help, to which the page links: https or mailto."
    )
    theme: ThemeBody | None = Field(default=None, description="How its pages look.")
    ancestors: list[Url] | None = Field(
        default=None,
        max_length=8,
        description="Origins of the pages around yours, if it stands in a frame itself: each an entry of "
        "`MAGICLINK_ALLOWED_ORIGINS`. `origin` stays the page right around ours.",
    )
    max_connections: int = Field(
        default=1, ge=1, le=20, description="How many accounts its user may connect with invitations, one by one."
    )
    webhook_url: Url | None = Field(
        default=None,
        description="Where this session's events are delivered too: beneath the path of an enabled endpoint, "
        "and signed with its secret; of several such endpoints with that of the longest `url`, then of the oldest.",
    )

    def _request(self, default_link: str, allowed_origins: Sequence[str], **own: Any) -> SessionRequest:
        problems = self._problems(allowed_origins)
        if problems:
            raise InvalidRequest(problems)
        same = {name: getattr(self, name, None) for name in _REQUEST_FIELDS}
        given = {name: value for name, value in same.items() if value is not None} | {"help_urls": self._help()}
        given |= {"theme": self.theme.to_theme() if self.theme else Theme(), "ancestors": tuple(self.ancestors or ())}
        return SessionRequest(**given | {"link": self._link_choice(default_link)} | own)

    def _link_choice(self, default: str) -> LinkChoice:
        choice = LinkChoice(self.link or default)
        # The operator's default must not take away the limit to one mailbox that the host asks for.
        limited = self.link is None and self.user_email is not None and choice is LinkChoice.MAGIC_LINK
        return LinkChoice.INVITATION if limited else choice

    def _help(self) -> dict[str, str]:
        return self.help_urls.model_dump(by_alias=True, exclude_none=True) if self.help_urls else {}

    def _problems(self, allowed_origins: Sequence[str]) -> list[Problem]:
        problems = []
        # An exact entry only: a page at any other origin could frame the flow and take its clicks.
        if self.origin is not None and (wrong := framing_problem(self.origin, allowed_origins)) is not None:
            problems.append(Problem("/origin", wrong))
        # Otherwise our links could redirect to any page, for example one that imitates the host's (open redirect).
        if self.return_url is not None and (wrong := return_url_problem(self.return_url, allowed_origins)) is not None:
            problems.append(Problem("/returnUrl", wrong))
        if self.theme is not None:
            problems += self.theme.problems(allowed_origins)
        problems += _ancestor_problems(self.ancestors or (), self.origin, allowed_origins)
        if self.user_email is not None and not _EMAIL.fullmatch(self.user_email):
            problems.append(Problem("/userEmail", "is not an e-mail address"))
        if self.support_url is not None and not _is_support_url(self.support_url):
            problems.append(Problem("/supportUrl", _NO_HELP))
        odd = [topic for topic, url in self._help().items() if not _is_support_url(url)]
        return problems + [Problem(f"/helpUrls/{topic}", _NO_HELP) for topic in odd]


class _SessionSubject(Body):
    """Whom a session is for, and what it connects."""

    user_id: Text = Field(description="Your own id of the end user; all that we know them by.")
    company: _CompanyBody | None = Field(
        default=None, description="Your customer at the provider. Required, unless `connectionId` is given."
    )
    sites: list[_SiteBody] | None = Field(
        default=None,
        min_length=1,
        max_length=100,
        description="The places whose bills are wanted. Required, unless `connectionId` is given.",
    )
    connection_id: Uuid | None = Field(
        default=None,
        description="Instead of `company` and `sites`: a reconnect session for a recorded connection of this user.",
    )
    prefill: _PrefillBody | None = Field(default=None, description="What the provider's form starts with.")


# The fields of the last base come first in the API's description.
class CreateSession(_SessionOptions, _SessionSubject):
    """The body of POST /v1/sessions."""

    @model_validator(mode="after")
    def _has_one_purpose(self) -> "CreateSession":
        if self.connection_id is not None and (self.sites is not None or self.company is not None):
            raise ValueError("give connectionId or company and sites, not both")
        if self.connection_id is None and (self.company is None or self.sites is None):
            raise ValueError("company and sites are required, or connectionId")
        return self

    def to_request(self, default_link: str, allowed_origins: Sequence[str]) -> SessionRequest:
        """Return the validated request. Raises InvalidRequest for what only the settings can decide."""
        return self._request(
            default_link,
            allowed_origins,
            company=_place(self.company) if self.company else PlaceRequest(),
            sites=tuple(_place(site) for site in self.sites or ()),
            prefill=self.prefill.model_dump(by_alias=True, exclude_none=True) if self.prefill else {},
        )

    def _problems(self, allowed_origins: Sequence[str]) -> list[Problem]:
        problems = super()._problems(allowed_origins)
        if self.prefill is not None and self.prefill.url is not None and origin_of(self.prefill.url) is None:
            problems.append(Problem("/prefill/url", "must be an http or https address"))
        keys = [site.id or site.external_id for site in self.sites or ()]
        twice = [i for i, key in enumerate(keys) if key in keys[:i]]
        return problems + [Problem(f"/sites/{i}", "is given twice") for i in twice]


class Reconnect(_SessionOptions):
    """The body of POST /v1/connections/{id}/reconnect: what of a session the connection does not decide."""

    def to_request(
        self, connection_id: ConnectionId, user_id: UserId, default_link: str, allowed_origins: Sequence[str]
    ) -> SessionRequest:
        """Return the request of a session for this connection and its user. Raises InvalidRequest."""
        return self._request(
            default_link,
            allowed_origins,
            user_id=user_id,
            company=PlaceRequest(),
            sites=(),
            connection_id=connection_id,
        )


class ClaimConnection(Body):
    """The body of POST /v1/connections/{id}/claim."""

    session_id: Annotated[str, StringConstraints(pattern=SESSION_ID)] = Field(
        description="The session whose user it belongs to."
    )


class VerifyResult(Body):
    """The body of POST /v1/verify."""

    # The host says who is signed in now: an attacker could send a victim back with the result of their own session.
    state: Url = Field(description="`state` of the query that came to `returnUrl`.")
    user_id: Text = Field(description="Who is signed in with you now.")


class NoFields(Body):
    """The body of a POST that takes no fields."""


def _place(place: _PlaceBody) -> PlaceRequest:
    return PlaceRequest(place.id, place.external_id, place.name, getattr(place, "address", None))


def _ancestor_problems(
    ancestors: Sequence[str], origin: str | None, allowed_origins: Sequence[str]
) -> Iterator[Problem]:
    if ancestors and origin is None:
        yield Problem("/ancestors", "needs origin, the page right around ours")
    for i, ancestor in enumerate(ancestors):
        if (wrong := framing_problem(ancestor, allowed_origins)) is not None:
            yield Problem(f"/ancestors/{i}", wrong)


def _is_support_url(url: str) -> bool:
    if _UNPRINTABLE.search(url):
        return False
    # Our pages link to it, and the user trusts them: no `javascript:` or `data:` address, and none without TLS.
    return (
        bool(_EMAIL.fullmatch(url[7:]))
        if url.startswith("mailto:")
        else url.startswith("https://") and bool(origin_of(url))
    )

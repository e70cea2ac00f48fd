"""Calls to the provider about magic links and invitations: create, list, revoke.

A link whose origin is not that of the configured pages is never returned: otherwise an attacker who answers in the
provider's place could send a user to another page.
"""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Annotated, Any
from urllib.parse import quote

from pydantic import BeforeValidator, Field
from pydantic.alias_generators import to_camel

from service.domain.model import (
    ConnectionId,
    InvitationId,
    JsonObject,
    Link,
    LinkKind,
    ProviderCompanyId,
    ProviderSiteId,
    ReportedInvitation,
)
from service.domain.provider_steps import LogEntry
from service.domain.statuses import UNKNOWN_STATUS
from service.errors import ForeignLink
from service.provider.account import ProviderMethodRefused
from service.provider.activity_log import read_log
from service.provider.lists import At, Id, ListCall, Maybe, ReadList, Shape, Status, read_item, read_list
from service.provider.transport import Answer, Call, Transport, segment
from service.urls import origin_of

# An invitation must have the fields in `_NEEDED`: null or absent counts as unreadable. Attribution depends on those in
# `_DECIDING`: if one of them cannot be read, the invitation may have made anything.
_NEEDED = ("status", "use_count", "created_at")
_DECIDING = frozenset({"useCount", "createdAt", "connectionId", "createdConnections"})


@dataclass(frozen=True, slots=True)
class Redirect:
    """The address to which the provider's pages should return the user. Its documentation does not promise that."""

    uri: str
    state: str


@dataclass(frozen=True, slots=True)
class InvitationTerms:
    """The terms of an invitation. With `user_email`, only a reader of that mailbox can use it.

    `deadline` is when, by the monotonic clock, the call must be over (`Provider.call_deadline`).
    """

    expires_in_seconds: float
    user_email: str | None = None
    redirect: Redirect | None = None
    deadline: float = float("inf")


def _redirect_fields(redirect: Redirect | None) -> JsonObject:
    return {"redirect_uri": redirect.uri, "state": redirect.state} if redirect else {}


class _MagicLink(Shape):
    """A magic link of a company or of a connection.

    The API reference says `publicCompanyId`, one guide `publicId`, and some answers have no URL.
    """

    magic_link_url: Maybe[str] = None
    public_company_id: Maybe[str] = None
    public_id: Maybe[str] = None
    company_magic_link_secret: Maybe[str] = None
    connection_magic_link_secret: Maybe[str] = None

    def page_path(self) -> str | None:
        company = quote(self.public_company_id or self.public_id or "", safe="")
        if company and self.connection_magic_link_secret:
            return f"/p/connect/{company}/workflow/{quote(self.connection_magic_link_secret, safe='')}"
        if company and self.company_magic_link_secret:
            return f"/p/connect/{company}/{quote(self.company_magic_link_secret, safe='')}"
        return None


def _no_boolean(value: object) -> object:
    if isinstance(value, bool):
        raise ValueError("not a number")  # noqa: TRY004 - the one class that pydantic reads as invalid
    return value


# A larger number is not plausible, and no database column could hold it.
Uses = Annotated[int, BeforeValidator(_no_boolean), Field(ge=0, le=1_000_000)]


class _Created(Shape):
    id: Id


class _Invitation(Shape):
    id: Maybe[Id] = None
    status: Maybe[Status] = None
    use_count: Maybe[Uses] = None
    created_at: Maybe[At] = None
    expires_at: Maybe[At] = None
    invitation_url: Maybe[str] = None
    token: Maybe[str] = None
    connection_id: Maybe[Id] = None
    created_connections: Maybe[tuple[Maybe[_Created], ...]] = None

    def page_path(self) -> str | None:
        return f"/p/i/{quote(self.token, safe='')}" if self.token else None


class ProviderLinks:
    """The calls about links. All raise only ProviderFailure, with `lost` where a creating call may have succeeded."""

    def __init__(self, transport: Transport, pages_url: str) -> None:
        self._transport = transport
        self._pages_url = pages_url
        self.has_listed = False  # after one list of invitations, a 404 no longer means that the provider has none

    async def magic_link(
        self,
        company_id: ProviderCompanyId,
        sites: Iterable[ProviderSiteId],
        prefill: Mapping[str, Any],
        redirect: Redirect | None = None,
    ) -> Link:
        """Create a magic link with which the user connects an account. Raises ForeignLink."""
        # `creates` is not set, so the call is retried when its answer is lost. The first call may have created a
        # link too, but its address reached no user.
        company = segment(company_id)
        body = {**prefill, "sites": list(sites), **_redirect_fields(redirect)}
        paths = f"/company/{company}/connection/link", f"/connection/company/{company}/link"
        return self._magic_link(await self._post_or_get(Call("POST", *paths, body=body)))

    async def edit_link(self, connection_id: ConnectionId, redirect: Redirect | None = None) -> Link:
        """Create a magic link with which the user mends an existing connection. Raises ForeignLink."""
        call = Call("POST", f"/connection/{segment(connection_id)}", body=_redirect_fields(redirect))
        return self._magic_link(await self._post_or_get(call))

    async def _post_or_get(self, call: Call) -> Answer:
        # Reference: docs/provider.md, 4: the guides call this with POST, generated pages of the API reference with GET.
        try:
            return await self._transport.send(call)
        except ProviderMethodRefused:
            return await self._transport.send(replace(call, method="GET", body=None))

    async def invite(
        self,
        company_id: ProviderCompanyId,
        sites: Iterable[ProviderSiteId],
        prefill: Mapping[str, Any],
        terms: InvitationTerms,
    ) -> Link:
        """Create an invitation for one use. Raises ForeignLink, with `lost`."""
        owner = {"connectionOwnerEmail": terms.user_email} if terms.user_email else {}
        body = {"prefill": {**owner, **prefill, "initialSites": list(sites)}}
        return await self._invite(f"/invitation/company/{segment(company_id)}", body, terms)

    async def invite_to_reconnect(self, connection_id: ConnectionId, terms: InvitationTerms) -> Link:
        """Create an invitation, for one use, with which the user mends an existing connection. Raises ForeignLink."""
        return await self._invite(f"/invitation/connection/{segment(connection_id)}", {}, terms)

    async def revoke_invitation(self, invitation_id: InvitationId) -> float | None:
        """Revoke an invitation; return the provider's time, None where it reports no times.

        Revoking it again does no harm.
        """
        answer = await self._transport.send(Call("POST", f"/invitation/{segment(invitation_id)}/revoke"))
        return self._transport.provider_now() if answer.provider_at is None else answer.provider_at

    async def invitations(self, company_id: ProviderCompanyId) -> tuple[ReportedInvitation, ...]:
        """Return all invitations of the company, also those that this service did not create."""
        return (await self.listed(company_id)).items

    async def listed(self, company_id: ProviderCompanyId) -> ReadList[ReportedInvitation]:
        """Return the same, and how many invitations had to be left out."""
        call = Call("GET", f"/invitation/company/{segment(company_id)}")
        found = await read_list(self._transport, ListCall(call, "invitations", "invitation", self._reported))
        self.has_listed = True
        return found

    async def log(self, invitation_id: InvitationId) -> tuple[LogEntry, ...]:
        """Return what the invitation's activity log tells, oldest first; empty where it has none that can be read."""
        answer = await self._transport.send(Call("GET", f"/invitation/{segment(invitation_id)}"))
        return read_log(answer.body)

    def _magic_link(self, answer: Answer) -> Link:
        # An answer that is no object counts as one without a link. It is not retried: that would create another link.
        found = read_item(_MagicLink, answer.body, set()) or _MagicLink()
        url = self._own_url(found.magic_link_url, found.page_path())
        if url is None:
            raise ForeignLink
        return Link(LinkKind.MAGIC_LINK, url, _given_at(answer))

    async def _invite(self, path: str, body: JsonObject, terms: InvitationTerms) -> Link:
        # One use, so that the connections it names are one user's. The provider takes no lifetime under a minute. Its
        # e-mail is not sent: it would hand out the link outside the session.
        limits = {"maxUses": 1, "expiresInSeconds": max(60, math.ceil(terms.expires_in_seconds)), "sendEmail": False}
        allowed = {"allowedEmails": [terms.user_email]} if terms.user_email else {}
        whole = {**body, **_redirect_fields(terms.redirect), **limits, **allowed}
        answer = await self._transport.send(Call("POST", path, body=whole, creates=True), terms.deadline)
        found = read_item(_Invitation, answer.body, set()) or _Invitation()
        url = self._own_url(found.invitation_url, found.page_path())
        if url is None or found.id is None:
            raise ForeignLink(found.id, lost=found.id is None)
        return Link(LinkKind.INVITATION, url, _given_at(answer), InvitationId(found.id))

    def _reported(self, body: Any, odd: set[str]) -> tuple[str, ReportedInvitation] | None:
        found = read_item(_Invitation, body, odd)
        if found is None or found.id is None:
            odd.add("id")
            return None
        odd.update(to_camel(name) for name in _NEEDED if getattr(found, name) is None)
        return found.id, ReportedInvitation(
            id=InvitationId(found.id),
            status=found.status or UNKNOWN_STATUS,
            use_count=found.use_count or 0,
            created=frozenset(ConnectionId(each.id) for each in found.created_connections or () if each),
            provider_created_at=found.created_at or 0.0,
            edits=ConnectionId(found.connection_id) if found.connection_id else None,
            lifetime_seconds=found.expires_at - found.created_at if found.expires_at and found.created_at else None,
            origin=origin_of(found.invitation_url) if found.invitation_url else None,
            doubtful=not odd.isdisjoint(_DECIDING),
        )

    def _own_url(self, url: str | None, path: str | None) -> str | None:
        if not url:
            return self._pages_url + path if path else None
        # Origins and not prefixes are compared: "https://pages.example.com.mallory.com" starts like ours.
        origin = origin_of(url)
        return url if origin is not None and origin == origin_of(self._pages_url) else None


def _given_at(answer: Answer) -> float:
    # A link without a Date header counts as given at 0, before everything: our clock is never compared with theirs.
    return answer.provider_at or 0.0

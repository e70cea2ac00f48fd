"""How a person is handed to the provider's pages: magic links and invitations.

An address that does not lie on the provider's configured pages is never handed to anybody.
"""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

import httpx

from service.errors import ForeignLink
from service.model import (
    ConnectionId,
    InvitationId,
    JsonObject,
    Link,
    LinkKind,
    ProviderCompanyId,
    ProviderSiteId,
    SeenInvitation,
)
from service.origins import origin_of
from service.provider.answers import At, Id, Listing, Shape, read_list, read_object
from service.provider.wire import Account, Answer, Call, Pace, Wire, segment


@dataclass(frozen=True, slots=True)
class Redirect:
    """Where the provider's pages should send the person back to; nothing in its documentation promises that."""

    uri: str
    state: str


@dataclass(frozen=True, slots=True)
class Terms:
    """What an invitation is made on. With `user_email`, only who reads that mailbox can use it.

    `deadline`: by when, on the monotonic clock, the call must be over (`HandOffs.call_deadline`).
    """

    expires_in_seconds: float
    user_email: str | None = None
    redirect: Redirect | None = None
    deadline: float = float("inf")


def _carried(redirect: Redirect | None) -> JsonObject:
    return {"redirect_uri": redirect.uri, "state": redirect.state} if redirect else {}


class _MagicLink(Shape):
    """Both kinds. The reference says `publicCompanyId`, one guide `publicId`, and some answers have no URL."""

    magic_link_url: str | None = None
    public_company_id: str | None = None
    public_id: str | None = None
    company_magic_link_secret: str | None = None
    connection_magic_link_secret: str | None = None

    def path(self) -> str | None:
        company = quote(self.public_company_id or self.public_id or "", safe="")
        if company and self.connection_magic_link_secret:
            return f"/p/connect/{company}/workflow/{quote(self.connection_magic_link_secret, safe='')}"
        if company and self.company_magic_link_secret:
            return f"/p/connect/{company}/{quote(self.company_magic_link_secret, safe='')}"
        return None


class _Created(Shape):
    id: Id


class _Invitation(Shape):
    id: Id
    status: str
    use_count: int
    created_at: At
    expires_at: At | None = None
    invitation_url: str | None = None
    token: str | None = None
    connection_id: Id | None = None
    created_connections: tuple[_Created, ...] | None = None

    def path(self) -> str | None:
        return f"/p/i/{quote(self.token, safe='')}" if self.token else None


class HandOffs:
    """The verbs that make, read and end links."""

    def __init__(self, http: httpx.AsyncClient, account: Account, pace: Pace) -> None:
        self._wire = Wire(http, account, pace)
        self._pages_url = account.pages_url

    def heard_at(self) -> float | None:
        """The provider's time now, as it last told it; None before any answer had a Date."""
        return self._wire.heard_at()

    def call_deadline(self) -> float:
        """By when, on the monotonic clock, a creating call that is about to be noted must be over."""
        return self._wire.call_deadline()

    async def magic_link(
        self,
        company_id: ProviderCompanyId,
        sites: Iterable[ProviderSiteId],
        prefill: Mapping[str, Any],
        redirect: Redirect | None = None,
    ) -> Link:
        """A lost answer leaves nothing behind: nobody has that link, so the call is simply repeated."""
        company = segment(company_id)
        body = {**prefill, "sites": list(sites), **_carried(redirect)}
        paths = f"/company/{company}/connection/link", f"/connection/company/{company}/link"
        return self._magic_link(await self._wire.ask(Call("POST", *paths, body=body)))

    async def edit_link(self, connection_id: ConnectionId, redirect: Redirect | None = None) -> Link:
        """A magic link on which the person mends an existing connection."""
        call = Call("POST", f"/connection/{segment(connection_id)}", body=_carried(redirect))
        return self._magic_link(await self._wire.ask(call))

    async def invite(
        self, company_id: ProviderCompanyId, sites: Iterable[ProviderSiteId], prefill: Mapping[str, Any], terms: Terms
    ) -> Link:
        """Creates, for one use (ProviderFailure.lost)."""
        owner = {"connectionOwnerEmail": terms.user_email} if terms.user_email else {}
        body = {"prefill": {**owner, **prefill, "initialSites": list(sites)}}
        return await self._invite(f"/invitation/company/{segment(company_id)}", body, terms)

    async def invite_to_reconnect(self, connection_id: ConnectionId, terms: Terms) -> Link:
        """Creates, for one use (ProviderFailure.lost)."""
        return await self._invite(f"/invitation/connection/{segment(connection_id)}", {}, terms)

    async def revoke_invitation(self, invitation_id: InvitationId) -> float | None:
        """The provider's time of it, None where it never told any; repeating it does no harm."""
        answer = await self._wire.ask(Call("POST", f"/invitation/{segment(invitation_id)}/revoke"))
        return self.heard_at() if answer.provider_at is None else answer.provider_at

    async def invitations(self, company_id: ProviderCompanyId) -> tuple[SeenInvitation, ...]:
        """All of the company, ours or not."""
        call = Call("GET", f"/invitation/company/{segment(company_id)}")
        found, _ = await read_list(self._wire, Listing(call, "invitations", self._seen))
        return found

    async def invitation(self, invitation_id: InvitationId) -> SeenInvitation:
        """One, with the connections that it has made so far."""
        answer = await self._wire.ask(Call("GET", f"/invitation/{segment(invitation_id)}"))
        return self._seen(answer.body)[1]

    def _magic_link(self, answer: Answer) -> Link:
        found = read_object(_MagicLink, answer.body)
        url = self._own_url(found.magic_link_url, found.path())
        if url is None:
            raise ForeignLink
        return Link(LinkKind.MAGIC_LINK, url, _given_at(answer))

    async def _invite(self, path: str, body: JsonObject, terms: Terms) -> Link:
        limits = {"maxUses": 1, "expiresInSeconds": max(60, math.ceil(terms.expires_in_seconds)), "sendEmail": False}
        allowed = {"allowedEmails": [terms.user_email]} if terms.user_email else {}
        whole = {**body, **_carried(terms.redirect), **limits, **allowed}
        answer = await self._wire.ask(Call("POST", path, body=whole, creates=True), terms.deadline)
        found = read_object(_Invitation, answer.body, lost=True)
        url = self._own_url(found.invitation_url, found.path())
        if url is None:  # nobody will be shown it: as good as lost, and to be revoked like those
            raise ForeignLink(lost=True)
        return Link(LinkKind.INVITATION, url, _given_at(answer), InvitationId(found.id))

    def _seen(self, body: Any) -> tuple[str, SeenInvitation]:
        found = read_object(_Invitation, body)
        seen = SeenInvitation(
            id=InvitationId(found.id),
            url=self._own_url(found.invitation_url, found.path()) or "",
            status=found.status,
            use_count=found.use_count,
            created=frozenset(ConnectionId(each.id) for each in found.created_connections or ()),
            provider_created_at=found.created_at,
            edits=ConnectionId(found.connection_id) if found.connection_id else None,
            lifetime_seconds=None if found.expires_at is None else found.expires_at - found.created_at,
        )
        return found.id, seen

    def _own_url(self, url: str | None, path: str | None) -> str | None:
        if not url:
            return self._pages_url + path if path else None
        origin = origin_of(url)
        return url if origin is not None and origin == origin_of(self._pages_url) else None


def _given_at(answer: Answer) -> float:
    """Our own clock may not stand in for the provider's; a link of unknown time counts as given before anything."""
    return answer.provider_at or 0.0

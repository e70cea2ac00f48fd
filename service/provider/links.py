"""Calls to the provider about magic links and invitations: create, list, revoke.

A link whose origin is not that of the configured pages is never returned: Mallory, in the place of the provider, could
otherwise send a user to a page of hers.
"""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

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
from service.errors import ForeignLink
from service.provider.lists import At, Id, ListCall, Shape, read_list, read_object
from service.provider.transport import Answer, Call, Transport, segment
from service.urls import origin_of


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

    magic_link_url: str | None = None
    public_company_id: str | None = None
    public_id: str | None = None
    company_magic_link_secret: str | None = None
    connection_magic_link_secret: str | None = None

    def page_path(self) -> str | None:
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

    def page_path(self) -> str | None:
        return f"/p/i/{quote(self.token, safe='')}" if self.token else None


class ProviderLinks:
    """The calls about links. All raise only ProviderFailure, with `lost` where a creating call may have succeeded."""

    def __init__(self, transport: Transport, pages_url: str) -> None:
        self._transport = transport
        self._pages_url = pages_url

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
        return self._magic_link(await self._transport.send(Call("POST", *paths, body=body)))

    async def edit_link(self, connection_id: ConnectionId, redirect: Redirect | None = None) -> Link:
        """Create a magic link with which the user mends an existing connection. Raises ForeignLink."""
        call = Call("POST", f"/connection/{segment(connection_id)}", body=_redirect_fields(redirect))
        return self._magic_link(await self._transport.send(call))

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
        call = Call("GET", f"/invitation/company/{segment(company_id)}")
        found, _ = await read_list(self._transport, ListCall(call, "invitations", self._reported))
        return found

    def _magic_link(self, answer: Answer) -> Link:
        found = read_object(_MagicLink, answer.body)
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
        found = read_object(_Invitation, answer.body, lost=True)
        url = self._own_url(found.invitation_url, found.page_path())
        if url is None:
            raise ForeignLink(found.id)
        return Link(LinkKind.INVITATION, url, _given_at(answer), InvitationId(found.id))

    def _reported(self, body: Any) -> tuple[str, ReportedInvitation]:
        found = read_object(_Invitation, body)
        reported = ReportedInvitation(
            id=InvitationId(found.id),
            url=self._own_url(found.invitation_url, found.page_path()) or "",
            status=found.status,
            use_count=found.use_count,
            created=frozenset(ConnectionId(each.id) for each in found.created_connections or ()),
            provider_created_at=found.created_at,
            edits=ConnectionId(found.connection_id) if found.connection_id else None,
            lifetime_seconds=None if found.expires_at is None else found.expires_at - found.created_at,
        )
        return found.id, reported

    def _own_url(self, url: str | None, path: str | None) -> str | None:
        if not url:
            return self._pages_url + path if path else None
        # Origins and not prefixes are compared: "https://pages.example.com.mallory.com" starts like ours.
        origin = origin_of(url)
        return url if origin is not None and origin == origin_of(self._pages_url) else None


def _given_at(answer: Answer) -> float:
    # A link without a Date header counts as given at 0, before everything: our clock is never compared with theirs.
    return answer.provider_at or 0.0

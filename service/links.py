"""Stories of a session's link: the provider's URL made, made again, given up and withdrawn.

An invitation has an intent row before the call that makes it: one whose answer was lost is revoked, never adopted.
"""

import asyncio
import hashlib
import logging
from collections.abc import Sequence
from dataclasses import replace
from weakref import WeakValueDictionary

from service.errors import (
    Forbidden,
    ProviderBusy,
    ProviderFailure,
    ProviderRefused,
    ProviderUnauthorized,
)
from service.ledger import Changes, Due, News, WorkKind
from service.model import (
    Clock,
    InvitationId,
    Link,
    LinkChoice,
    LinkStatus,
    Mode,
    ProviderCompanyId,
    ProviderSiteId,
    Session,
    SessionId,
    SessionStatus,
)
from service.places import Places
from service.provider import Provider, Redirect
from service.state import CallbackState, Signer
from service.store import Store
from service.transitions import GRACE_SECONDS, is_present, reveal

_log = logging.getLogger(__name__)

_ODD_SECONDS = 3600
_WAITED_SECONDS = 3.0
# A key may be good for links and not for invitations; if it is good for neither, the magic link's call says so.
_NO_INVITATIONS = (ProviderRefused, ProviderUnauthorized)
_UNBOUND = 0  # a state that travels through the provider is for whichever page holds the session then


class Links:
    """See the module."""

    def __init__(
        self, store: Store, provider: Provider, places: Places, signer: Signer, clock: Clock, callback_url: str | None
    ) -> None:
        """`callback_url` is where the provider's pages should return to, or None if they cannot."""
        self._store = store
        self._provider = provider
        self._places = places
        self._signer = signer
        self._clock = clock
        self._callback_url = callback_url
        self._preparing: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    async def prepare(self, session_id: SessionId) -> Session:
        """Make the link if it is wanted and not there. Raises ProviderFailure; a refusal also closes the session.

        A host that waits and the work behind it make one link together, and neither takes the other's for a lost one.
        """
        async with self._preparing.setdefault(session_id, asyncio.Lock()):
            return await self._prepare(session_id)

    async def _prepare(self, session_id: SessionId) -> Session:
        session = await self._store.sessions.get(session_id)
        if session.closed or session.link_status is LinkStatus.READY:
            if session.company.provider_id is not None:
                await self._revoke_lost(session, session.company.provider_id)
            return session
        try:
            return await self._make(session)
        except (ProviderRefused, Forbidden) as exc:
            code = exc.code
            await self._store.sessions.change(session_id, lambda current: _failed(current, code))
            raise

    async def prepare_behind(self, session_id: SessionId) -> float | None:
        """As `prepare`, where nobody waits for the answer; seconds until again while a page waits for the link.

        Such a page goes on within seconds of the provider's recovery, however long that took.
        """
        try:
            await self.prepare(session_id)
        except ProviderFailure as exc:
            session = await self._store.sessions.get(session_id)
            if isinstance(exc, (ProviderRefused, ProviderBusy)) or not is_present(session, self._clock()):
                raise
            _log.warning("a page waits for its link: %s", exc.code, extra={"session": session_id})
            return _WAITED_SECONDS
        return None

    async def give_up(self, session_id: SessionId, code: str) -> Session:
        """The host would not wait: no link, and the session says why."""
        return await self._store.sessions.change(session_id, lambda current: _failed(current, code))

    async def withdraw(self, session_id: SessionId) -> None:
        """Revoke every invitation that the session ever had; one that the provider refuses is over already.

        A session that was renewed before this came about keeps the link that it has now.
        """
        session = await self._store.sessions.get(session_id)
        kept = session.link.invitation_id if session.link and not session.closed else None
        for invitation_id in await self._store.sessions.invitations(session_id) - {kept}:
            try:
                await self._provider.revoke_invitation(InvitationId(invitation_id))
            except ProviderRefused:
                _log.info("the provider does not revoke an invitation", extra={"session": session_id})

    async def _make(self, session: Session) -> Session:
        if session.mode is Mode.RECONNECT:
            link = await self._reconnect_link(session)
        else:
            place = await self._places.of(session)
            link = await self._connect_link(session, place.company, place.sites)
        heard_at = self._provider.heard_at()
        given = await self._store.sessions.change(session.id, lambda current: _given(current, link, heard_at))
        if link.invitation_id is not None and given.link != link:  # another process came first: nobody has seen this
            await self._provider.revoke_invitation(link.invitation_id)
        await self._store.companies.settled(f"{session.id}.{session.serial}")
        return given

    async def _connect_link(
        self, session: Session, company_id: ProviderCompanyId, sites: Sequence[ProviderSiteId]
    ) -> Link:
        redirect = self._redirect(session)
        prefill = dict(session.prefill)
        if session.link_choice is not LinkChoice.MAGIC_LINK:
            await self._mark_invitation(session, company_id)
            try:
                return await self._provider.invite(
                    company_id, sites, prefill, session.user_email, invitation_seconds(session), redirect
                )
            except _NO_INVITATIONS:
                if _only_invited(session):
                    raise
                _log.info("the provider refuses invitations; using a magic link", extra={"session": session.id})
        return await self._provider.magic_link(company_id, sites, prefill, redirect)

    async def _reconnect_link(self, session: Session) -> Link:
        if session.connection_id is None:
            raise ProviderRefused("There is no connection to reconnect")
        redirect = self._redirect(session)
        if session.link_choice is not LinkChoice.MAGIC_LINK:
            if session.company.provider_id is not None:
                await self._mark_invitation(session, session.company.provider_id)
            try:
                return await self._provider.invite_to_reconnect(
                    session.connection_id, session.user_email, invitation_seconds(session), redirect
                )
            except _NO_INVITATIONS:
                if _only_invited(session):
                    raise
        return await self._provider.edit_link(session.connection_id, redirect)

    async def _mark_invitation(self, session: Session, company_id: ProviderCompanyId) -> None:
        """Note that an invitation is about to be made; one whose answer was lost before is revoked, never adopted."""
        await self._revoke_lost(session, company_id)
        await self._store.companies.begin(f"{session.id}.{session.serial}")

    async def _revoke_lost(self, session: Session, company_id: ProviderCompanyId) -> None:
        """The provider keeps no word of ours with an invitation, so ours is known by its peculiar lifetime."""
        serials = await self._store.companies.begun(session.id)
        lost = [invitation_seconds(replace(session, serial=serial)) for serial in serials]
        listed = await self._provider.invitations(company_id) if lost else ()
        known = await self._store.sessions.known_invitations({one.id for one in listed})
        for one in listed:
            lifetime = None if one.id in known or one.edits != session.connection_id else one.lifetime_seconds
            if lifetime is None or one.status != "ACTIVE" or not any(abs(lifetime - ours) < 2.0 for ours in lost):
                continue
            _log.warning("revoking an invitation whose answer was lost", extra={"session": session.id})
            await self._provider.revoke_invitation(one.id)
        for serial in serials:
            await self._store.companies.settled(f"{session.id}.{serial}")

    def _redirect(self, session: Session) -> Redirect | None:
        if self._callback_url is None:
            return None
        return Redirect(self._callback_url, self._signer.state(CallbackState(session.id, session.user_id, _UNBOUND)))


def _only_invited(session: Session) -> bool:  # a magic link is open to whoever holds it, one mailbox or not
    return session.link_choice is LinkChoice.INVITATION or session.user_email is not None


def invitation_seconds(session: Session) -> int:
    """How long its invitation lives: a little longer than the session, so that a flow going on may be finished.

    The odd seconds are the session's own: by them an invitation whose answer was lost is told from everybody else's.
    """
    odd = int.from_bytes(hashlib.sha256(f"{session.id}.{session.serial}".encode()).digest()[:4]) % _ODD_SECONDS
    return int(session.expires_at - session.issued_at + GRACE_SECONDS) + odd


def _given(session: Session, link: Link, heard_at: float | None) -> Changes | None:
    """The link is there. A page that is already open sees it at once; a session closed meanwhile gets it withdrawn."""
    if session.link is not None:
        return None
    ready = replace(session, link=link, link_kind=link.kind, link_status=LinkStatus.READY)
    if session.closed:
        withdraw = (Due(WorkKind.WITHDRAW, session.id),) if link.invitation_id else ()
        return Changes(sessions=(ready,), work=withdraw)
    told = News("session.link_ready", session.id, session.connection_id, session.user_id, {"kind": link.kind.value})
    work = (Due(WorkKind.RECONCILE, session.company.ref, 60.0),)
    if session.page_hash is None:
        return Changes(sessions=(ready,), events=(told,), work=work)
    shown = reveal(ready, session.seen_at or session.created_at, heard_at)
    return Changes(sessions=shown.sessions, facts=shown.facts, events=(told, *shown.events), work=(*work, *shown.work))


def _failed(session: Session, code: str) -> Changes | None:
    if session.closed or session.link_status is LinkStatus.READY:
        return None
    return Changes(
        sessions=(replace(session, status=SessionStatus.FAILED, link_status=LinkStatus.FAILED, failure=code),),
        events=(News("session.failed", session.id, session.connection_id, session.user_id, {"code": code}),),
    )

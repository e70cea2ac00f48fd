"""Stories of a session's link: the provider's URL made, made again, given up and withdrawn.

An invitation has an intent row before the call that makes it: one whose answer was lost is revoked, never adopted.
"""

import asyncio
import hashlib
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from weakref import WeakValueDictionary

from service.attribution import UNCERTAINTY_SECONDS
from service.errors import (
    Forbidden,
    ForeignLink,
    GivenUp,
    ProviderFailure,
    ProviderRefused,
    ProviderUnauthorized,
)
from service.ledger import ANSWER_SECONDS, Answered, Changes, Due, News, WorkKind
from service.model import (
    Clock,
    InvitationId,
    Link,
    LinkChoice,
    LinkStatus,
    Mode,
    SeenInvitation,
    Session,
    SessionId,
    SessionStatus,
)
from service.places import LOST_SECONDS, Places
from service.provider import Provider, Redirect, Terms
from service.state import CallbackState, Signer
from service.store import Store
from service.transitions import GRACE_SECONDS, is_present, reveal

_log = logging.getLogger(__name__)

_ODD_SECONDS = 3600
_WAITED_SECONDS = 3.0
_BUSY_SECONDS = 60.0
_TURN_SECONDS = 1.0
# A key may be good for links and not for invitations; if it is good for neither, the magic link's call says so.
_NO_INVITATIONS = (ProviderRefused, ProviderUnauthorized)
_UNBOUND = 0  # a state that travels through the provider is for whichever page holds the session then


@dataclass(frozen=True, slots=True)
class _Made:
    """A link, and the noted call that gave it, if it is an invitation."""

    link: Link
    answered: Answered | None = None


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
        if await self._store.intents.noted(session_id):  # under way elsewhere, or lost: a look tells later
            await self._store.work.ask(Due(WorkKind.SWEEP, session_id, ANSWER_SECONDS))
        if session.closed or session.link_status is LinkStatus.READY:
            return session
        try:
            return await self._make(session)
        except (ProviderRefused, Forbidden) as exc:
            code = exc.code
            await self._store.sessions.change(session_id, lambda current: _failed(current, code))
            raise

    async def prepare_behind(self, session_id: SessionId) -> float | None:
        """As `prepare`, where nobody waits for the answer; seconds until again where it has to wait itself.

        A page that waits goes on within seconds of the provider's recovery, however long that took. And the sessions of
        one company do not hold up everybody else's work while the first of them makes the company.
        """
        session = await self._store.sessions.get(session_id)
        if self._places.are_awaited(session):
            return _TURN_SECONDS
        try:
            await self.prepare(session_id)
        except ProviderFailure as exc:
            session = await self._store.sessions.get(session_id)
            if isinstance(exc, (ProviderRefused, ForeignLink)) or not is_present(session, self._clock()):
                raise
            _log.warning("a page waits for its link: %s", exc.code, extra={"session": session_id})
            return _pause_seconds(exc)
        return None

    async def give_up(self, session_id: SessionId, code: str) -> Session:
        """The host would not wait: no link, and the session says why."""
        return await self._store.sessions.change(session_id, lambda current: _failed(current, code))

    async def withdraw(self, session_id: SessionId) -> None:
        """Revoke every invitation that the session ever had; one that the provider refuses is over already.

        A session that was renewed before this came about keeps the link that it has now.
        """
        had = await self._store.sessions.invitations(
            session_id
        )  # before the session: a link given now is not among them
        session = await self._store.sessions.get(session_id)
        kept = session.link.invitation_id if session.link and not session.closed else None
        for invitation_id in had - {kept}:
            await self._revoke(InvitationId(invitation_id))

    async def sweep(self, session_id: SessionId) -> float | None:
        """Revoke the session's invitations whose answers were lost; seconds until again, while some may yet show.

        The provider keeps no word of ours with an invitation, so ours is known by its peculiar lifetime.
        """
        noted = await self._store.intents.redated(session_id)
        over = [one for one in noted if one.age_seconds >= ANSWER_SECONDS]
        session = await self._store.sessions.get(session_id)
        lost = {invitation_seconds(replace(session, serial=one.serial)) for one in over}
        told = not lost or await self._revoke_lost(session, lost)
        done = [one for one in over if told and one.age_seconds >= LOST_SECONDS]
        for one in done:
            await self._store.intents.settled(one.ref)
        return ANSWER_SECONDS if len(done) < len(noted) else None

    async def _revoke_lost(self, session: Session, lifetimes: set[int]) -> bool:
        """False where an invitation may be one that somebody is being answered with at this moment."""
        if session.company.provider_id is None:
            return True
        listed = await self._provider.invitations(session.company.provider_id)
        under_way = [one for one in await self._store.intents.noted(session.id) if one.age_seconds < ANSWER_SECONDS]
        known = await self._store.sessions.known_invitations({one.id for one in listed})
        unknown = [one for one in listed if one.id not in known and one.edits == session.connection_id]
        alike = [one for one in unknown if _is_like(one, lifetimes)]
        lost = [one for one in alike if not under_way and not _is_young(one, self._provider.heard_at())]
        for one in lost:
            _log.warning("revoking an invitation whose answer was lost", extra={"session": session.id})
            await self._revoke(one.id)
        return len(lost) == len(alike)

    async def _revoke(self, invitation_id: InvitationId) -> None:
        try:
            await self._provider.revoke_invitation(invitation_id)
        except ProviderRefused:
            _log.info("the provider does not revoke an invitation; it is over already")

    async def _make(self, session: Session) -> Session:
        made = await (self._reconnect_link(session) if session.mode is Mode.RECONNECT else self._connect_link(session))
        heard_at = self._provider.heard_at()
        try:
            given = await self._store.sessions.change(session.id, lambda current: _given(current, made, heard_at))
        except GivenUp:
            await self._forget(made)
            raise
        if given.link != made.link:  # another process came first
            await self._forget(made)
        return given

    async def _forget(self, made: _Made) -> None:
        """Nobody has seen this link."""
        if made.answered is not None and made.link.invitation_id is not None:
            await self._revoke(made.link.invitation_id)
            await self._store.intents.settled(made.answered.ref)

    async def _connect_link(self, session: Session) -> _Made:
        place = await self._places.of(session)
        prefill, redirect = dict(session.prefill), self._redirect(session)
        invited = await self._invited(
            session, lambda terms: self._provider.invite(place.company, place.sites, prefill, terms)
        )
        return invited or _Made(await self._provider.magic_link(place.company, place.sites, prefill, redirect))

    async def _reconnect_link(self, session: Session) -> _Made:
        connection_id = session.connection_id
        if connection_id is None:
            raise ProviderRefused("There is no connection to reconnect")
        invited = await self._invited(session, lambda terms: self._provider.invite_to_reconnect(connection_id, terms))
        return invited or _Made(await self._provider.edit_link(connection_id, self._redirect(session)))

    async def _invited(self, session: Session, invite: Callable[[Terms], Awaitable[Link]]) -> _Made | None:
        """None where a magic link is wanted, or must do: the provider refuses invitations."""
        if session.link_choice is LinkChoice.MAGIC_LINK:
            return None
        seconds, deadline = invitation_seconds(session), self._provider.call_deadline()
        ref = await self._store.intents.note(session.id, session.serial)
        try:
            link = await invite(Terms(seconds, session.user_email, self._redirect(session), deadline))
        except ProviderFailure as exc:
            if not exc.lost:
                await self._store.intents.settled(ref)
            if not isinstance(exc, _NO_INVITATIONS) or _only_invited(session):
                raise
            _log.info("the provider refuses invitations; using a magic link", extra={"session": session.id})
            return None
        return _Made(link, Answered(ref, session.id, link, seconds))

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


def _is_like(invitation: SeenInvitation, lifetimes: set[int]) -> bool:
    ours = any(abs((invitation.lifetime_seconds or 0.0) - seconds) < 2.0 for seconds in lifetimes)
    return ours and invitation.status == "ACTIVE"


def _is_young(invitation: SeenInvitation, heard_at: float | None) -> bool:
    """Of another session, it could be the answer that is just on its way; a provider without dates leaves no doubt."""
    age = ANSWER_SECONDS if heard_at is None else heard_at - invitation.provider_created_at
    return -UNCERTAINTY_SECONDS <= age < ANSWER_SECONDS


def _pause_seconds(failure: ProviderFailure) -> float:
    return min(max(_WAITED_SECONDS, failure.after_seconds or 0.0), _BUSY_SECONDS)


def _given(session: Session, made: _Made, heard_at: float | None) -> Changes | None:
    """The link is there. A page that is already open sees it at once; a session closed meanwhile gets it withdrawn."""
    if session.link is not None:
        return None
    changes = _ready(replace(session, link=made.link, link_kind=made.link.kind, link_status=LinkStatus.READY), heard_at)
    return replace(changes, answered=made.answered)


def _ready(ready: Session, heard_at: float | None) -> Changes:
    if ready.closed:
        return Changes(sessions=(ready,), work=(Due(WorkKind.WITHDRAW, ready.id),))
    told = News("session.link_ready", ready.id, ready.connection_id, ready.user_id, {"kind": ready.link_kind.value})
    work = (Due(WorkKind.RECONCILE, ready.company.ref, 60.0),)
    if ready.page_hash is None:
        return Changes(sessions=(ready,), events=(told,), work=work)
    shown = reveal(ready, ready.seen_at or ready.created_at, heard_at)
    return Changes(sessions=shown.sessions, facts=shown.facts, events=(told, *shown.events), work=(*work, *shown.work))


def _failed(session: Session, code: str) -> Changes | None:
    if session.closed or session.link_status is LinkStatus.READY:
        return None
    return Changes(
        sessions=(replace(session, status=SessionStatus.FAILED, link_status=LinkStatus.FAILED, failure=code),),
        events=(News("session.failed", session.id, session.connection_id, session.user_id, {"code": code}),),
    )

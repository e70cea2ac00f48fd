"""Stories of a page: start it, show the provider's link to it alone, "I have finished", leaving, and the way back.

A page is opened by its token, but the link is revealed only to a started page: starting makes a key that this one page
holds. So a scanner's GET reveals nothing, and a stolen URL does not silently join.
"""

import hmac
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from service.errors import AlreadyOpen, BadState, Expired, MagiclinkError, NotFound, Revoked, SessionClosed, TakenOver
from service.ledger import Changes, Due, Fact, FactKind, News, WorkKind
from service.model import (
    Clock,
    Connection,
    Event,
    LinkKind,
    LinkStatus,
    Mode,
    Session,
    SessionId,
    SessionStatus,
    credentials_work,
)
from service.provider import Provider
from service.sessions import GRACE_SECONDS, PRESENT_SECONDS, token_expired
from service.state import CallbackState, PageToken, Result, Signer, digest
from service.store import Store

_SOON_SECONDS = 4.0


@dataclass(frozen=True, slots=True)
class Standing:
    """What a page may know: its session, what was recorded, and how far the log is (`seq`)."""

    session: Session
    connections: Sequence[Connection]
    seq: int
    at: float


@dataclass(frozen=True, slots=True)
class Started:
    """A started page: the key is told once, to it alone."""

    page_key: str
    standing: Standing


@dataclass(frozen=True, slots=True)
class Opening:
    """What a page URL leads to: its session, and why it can no longer be started, if so."""

    session: Session
    closed: MagiclinkError | None


class Handoff:
    """See the module."""

    def __init__(
        self, store: Store, signer: Signer, provider: Provider, clock: Clock, new_secret: Callable[[], str]
    ) -> None:
        self._store = store
        self._signer = signer
        self._provider = provider
        self._clock = clock
        self._new_secret = new_secret

    async def by_embed_token(self, token: str) -> Opening:
        """The session of an embed URL. Raises NotFound."""
        return await self._open(self._signer.read_embed_token(token))

    async def by_connect_token(self, token: str) -> Opening:
        """The session of a redirect URL. Raises NotFound."""
        return await self._open(self._signer.read_connect_token(token))

    async def by_any_token(self, token: str) -> Session:
        """The session of either URL, open or closed: a live stream tells of the end too. Raises NotFound."""
        try:
            read = self._signer.read_embed_token(token)
        except NotFound:
            read = self._signer.read_connect_token(token)
        return await self._store.sessions.get(read.session_id)

    async def start(self, session: Session, page_key: str | None, *, take_over: bool) -> Started:
        """Bind a new page, or go on with the one that holds `page_key`.

        Raises AlreadyOpen where another page is bound and `take_over` is not said; Expired, Revoked, SessionClosed.
        """
        key = page_key if page_key and holds(session, page_key) else self._new_secret()
        heard_at = self._provider.heard_at()
        started = await self._store.sessions.change(
            session.id, lambda current: opened(current, key, self._clock(), heard_at, take_over=take_over)
        )
        return Started(key, await self._standing(started))

    async def standing(self, session_id: SessionId, page_key: str | None) -> Standing:
        """What the page that holds the key may see now. Raises TakenOver, or NotFound without any key."""
        session = await self._store.sessions.get(session_id)
        require(session, page_key)
        if session.link_status is LinkStatus.READY and session.revealed_at is None and not session.closed:
            session = await self._store.sessions.change(session_id, self._revealing())
        return await self._standing(session)

    async def finished(self, session_id: SessionId, page_key: str | None) -> Standing:
        """The person says so: look at the provider at once. Evidence decides, not this. Raises TakenOver, Gone."""
        now = self._clock()
        session = await self._store.sessions.change(session_id, lambda current: submitted(current, page_key, now))
        return await self._standing(session)

    async def leave(self, session_id: SessionId, page_key: str | None, stage: str, reason: str) -> None:
        """The person left; they may come back. Raises TakenOver."""
        await self._store.sessions.change(session_id, lambda current: _left(current, page_key, stage, reason))

    async def seen(self, session_id: SessionId, page_key: str | None) -> None:
        """The page is still there. Raises TakenOver, Expired, Revoked."""
        now = self._clock()
        await self._store.sessions.change(session_id, lambda current: present(current, page_key, now))

    async def absent(self, session_id: SessionId) -> float | None:
        """Close what a vanished page left open; answers in how many seconds to ask again."""
        wait: list[float] = []

        def decide(session: Session) -> Changes | None:
            left = (session.seen_at or 0.0) + PRESENT_SECONDS - self._clock()
            if session.status is SessionStatus.OPENED and left > 0:
                wait.append(left)
            return exited(session, "page", "gone") if left <= 0 else None

        await self._store.sessions.change(session_id, decide)
        return wait[0] if wait else None

    def holds(self, session: Session, page_key: str) -> bool:
        """Whether this is the key of the page that is bound now."""
        return holds(session, page_key)

    async def position(self, session_id: SessionId, last_event_id: str | None, now: int) -> int:
        """Where a stream goes on: after the event named, at `now` without one; a foreign or odd one replays all."""
        if last_event_id is None:
            return now
        return await self._store.log.position(last_event_id, session_id) or 0

    async def news(self, session_id: SessionId, seq: int) -> Sequence[Event]:
        """The session's events after a position, oldest first."""
        return await self._store.log.after(seq, 100, session_id=session_id)

    def callback_state(self, session: Session) -> str:
        """The signed way back of the page that is bound now."""
        return self._signer.state(CallbackState(session.id, session.user_id, session.page_serial))

    async def by_state(self, text: str) -> Session:
        """The session of a state. Raises BadState for another user's, a replaced page's, a tampered or a late one."""
        state = self._signer.read_state(text)
        try:
            session = await self._store.sessions.get(state.session_id)
        except NotFound as exc:
            raise BadState from exc
        if not hmac.compare_digest(session.user_id.encode(), state.user_id.encode()):
            raise BadState
        if state.page_serial not in {0, session.page_serial}:
            raise BadState("This was continued in another window")
        if self._clock() > session.expires_at + GRACE_SECONDS and session.status is not SessionStatus.CONNECTED:
            raise BadState("This return link is too old")
        return session

    async def look(self, session: Session) -> None:
        """News may be at the provider: ask for a look soon. A browser's word is a reason to look and never evidence."""
        await self._store.work.ask(Due(WorkKind.RECONCILE, session.company.ref))

    async def outcome(self, session_id: SessionId) -> Standing:
        """How it stands, without any page: for the way back to the host."""
        return await self._standing(await self._store.sessions.get(session_id))

    def result(self, standing: Standing) -> str:
        """The signed outcome that the host's backend may confirm."""
        session, connection = standing.session, working_first(standing.connections)
        result = Result(
            session.id, session.tenant, session.user_id, session.status.value, connection, int(self._clock())
        )
        return self._signer.result(result)

    async def _open(self, token: PageToken) -> Opening:
        session = await self._store.sessions.get(token.session_id)
        try:
            refuse_closed(session, self._clock())
        except MagiclinkError as closed:
            return Opening(session, closed)
        return Opening(session, Expired() if token_expired(session, token, self._clock()) else None)

    def _revealing(self) -> Callable[[Session], Changes | None]:
        now, heard_at = self._clock(), self._provider.heard_at()
        return lambda current: reveal(current, now, heard_at) if current.revealed_at is None else None

    async def _standing(self, session: Session) -> Standing:
        connections = (await self._store.sessions.connections([session.id]))[session.id]
        return Standing(session, connections, await self._store.log.last(session.id), self._clock())


def holds(session: Session, page_key: str) -> bool:
    """Whether this is the key of the page that is bound now."""
    return session.page_hash is not None and hmac.compare_digest(session.page_hash, digest(page_key))


def require(session: Session, page_key: str | None) -> None:
    """Raise NotFound without a key, TakenOver with an older page's."""
    if not page_key or session.page_hash is None:
        raise NotFound("Start this page first")
    if not holds(session, page_key):
        raise TakenOver


def refuse_closed(session: Session, now: float) -> None:
    """Raise what closed it; a page that is going on has the grace."""
    if session.status is SessionStatus.REVOKED:
        raise Revoked
    if session.status is SessionStatus.FAILED:
        raise SessionClosed("No link could be made for this session")
    going_on = session.seen_at is not None and now - session.seen_at < PRESENT_SECONDS
    over = now >= session.expires_at + (GRACE_SECONDS if going_on else 0.0)
    if session.status is SessionStatus.EXPIRED or (over and session.status is not SessionStatus.CONNECTED):
        raise Expired


def opened(session: Session, key: str, now: float, heard_at: float | None, *, take_over: bool) -> Changes:
    """Bind the page. Taking over ends the page before it, and is told as `crossDevice`."""
    refuse_closed(session, now)
    same = holds(session, key)
    if session.page_hash is not None and not same and not take_over:
        raise AlreadyOpen
    serial = session.page_serial if same else session.page_serial + 1
    status = session.status if session.status is SessionStatus.CONNECTED else SessionStatus.OPENED
    bound = replace(
        session,
        page_hash=digest(key),
        page_serial=serial,
        status=status,
        opened_at=session.opened_at or now,
        seen_at=now,
    )
    told = News("session.opened", session.id, session.connection_id, session.user_id, {"crossDevice": serial > 1})
    work = [
        Due(WorkKind.PRESENCE, session.id, PRESENT_SECONDS),
        Due(WorkKind.RECONCILE, session.company.ref, _SOON_SECONDS),
    ]
    if session.link_status is LinkStatus.PENDING:
        return Changes(sessions=(bound,), events=(told,), work=(*work, Due(WorkKind.PREPARE, session.id)))
    shown = reveal(bound, now, heard_at)
    return Changes(sessions=shown.sessions, facts=shown.facts, events=(told,), work=tuple(work))


def reveal(session: Session, now: float, heard_at: float | None) -> Changes:
    """Note that the link is about to leave us; from here on its user may have made a connection with it."""
    facts: tuple[Fact, ...] = ()
    if session.link is not None and session.link.kind is LinkKind.MAGIC_LINK and session.revealed_at is None:
        edits = session.connection_id if session.mode is Mode.RECONNECT else None
        given_at = session.link.provider_given_at
        at = given_at if heard_at is None else max(given_at, heard_at)
        facts = (Fact(FactKind.REVEALED, edits, session.id, provider_at=at),)
    return Changes(sessions=(replace(session, revealed_at=session.revealed_at or now),), facts=facts)


def submitted(session: Session, page_key: str | None, now: float) -> Changes:
    """The person says so: told once, acted upon each time."""
    if session.status is SessionStatus.REVOKED:
        raise Revoked
    require(session, page_key)
    told = (News("session.submitted", session.id, session.connection_id, session.user_id),)
    status = SessionStatus.OPENED if session.status is SessionStatus.EXITED else session.status
    return Changes(
        sessions=(replace(session, finished_at=now, seen_at=now, status=status),),
        events=told if session.finished_at is None else (),
        work=(Due(WorkKind.RECONCILE, session.company.ref),),
    )


def present(session: Session, page_key: str | None, now: float) -> Changes:
    """A heartbeat; it brings back a session that was thought left."""
    if session.status is SessionStatus.REVOKED:
        raise Revoked
    if session.status is SessionStatus.EXPIRED:
        raise Expired
    require(session, page_key)
    back = session.status is SessionStatus.EXITED
    told = (News("session.opened", session.id, session.connection_id, session.user_id, {"back": True}),)
    return Changes(
        sessions=(replace(session, seen_at=now, status=SessionStatus.OPENED if back else session.status),),
        events=told if back else (),
        work=(Due(WorkKind.PRESENCE, session.id, PRESENT_SECONDS),) if back else (),
    )


def exited(session: Session, stage: str, reason: str) -> Changes | None:
    """Only an open session can be left; a connected one stays connected."""
    if session.status is not SessionStatus.OPENED:
        return None
    told = News("session.exited", session.id, None, session.user_id, {"stage": stage, "reason": reason})
    return Changes(
        sessions=(replace(session, status=SessionStatus.EXITED),),
        events=(told,),
        work=(Due(WorkKind.RECONCILE, session.company.ref),),
    )


def working_first(connections: Sequence[Connection]) -> str | None:
    """The connection that a result names: the newest whose credentials work, or the newest."""
    ids = [one.id for one in connections if credentials_work(one.seen.status)] or [one.id for one in connections]
    return ids[-1] if ids else None


def _left(session: Session, page_key: str | None, stage: str, reason: str) -> Changes | None:
    require(session, page_key)
    return exited(session, stage, reason)

"""Stories of a page: start it, show the provider's link to it alone, "I have finished", leaving, and the way back.

A page is opened by its token, but the link is revealed only to a started page: starting makes a key that this one page
holds. So a scanner's GET reveals nothing, and a stolen URL does not silently join.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from service.errors import BadState, Expired, MagiclinkError, NotFound
from service.ledger import Changes, Due, WorkKind
from service.model import (
    Clock,
    Connection,
    Event,
    LinkStatus,
    Session,
    SessionId,
    SessionStatus,
)
from service.provider import Provider
from service.state import CallbackState, PageToken, Result, Signer
from service.store import Store
from service.transitions import (
    GRACE_SECONDS,
    PRESENT_SECONDS,
    exited,
    holds,
    left,
    opened,
    present,
    refuse_closed,
    require,
    reveal,
    submitted,
    token_expired,
    working_first,
)


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

    async def start(self, session: Session, page_key: str | None, *, take_over: bool, silent: bool = False) -> Started:
        """Bind a new page, or go on with the one that holds `page_key`.

        Raises AlreadyOpen where another page is bound and `take_over` is not said; Expired, Revoked, SessionClosed.
        """
        key = page_key if page_key and holds(session, page_key) else self._new_secret()
        heard_at = self._provider.heard_at()
        started = await self._store.sessions.change(
            session.id,
            lambda current: opened(current, key, self._clock(), heard_at, take_over=take_over, silent=silent),
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
        await self._store.sessions.change(session_id, lambda current: left(current, page_key, stage, reason))

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
        if not state.is_for(session.user_id):
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

"""A session's page, in a frame or as a redirect flow: open, start, follow, finish, leave, and come back by callback.

A page is opened by its token, but the provider's link is revealed only to a started page: starting creates a page key
that only this page holds. So a scanner's GET reveals nothing, and a second page of a stolen URL is noticed.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from service.domain import handoffs, more_accounts, page_starts, session_rules, session_time
from service.domain.attached_sessions import main_connection
from service.domain.changes import Changes, Job, JobKind
from service.domain.events import Event
from service.domain.handoffs import HandoffState, HandoffTry
from service.domain.model import Clock, LinkStatus, Session, SessionId
from service.domain.page_starts import PageStart
from service.domain.page_view import PageSnapshot
from service.domain.session_status import SessionStatus
from service.domain.timing import GRACE_SECONDS, PRESENCE_SECONDS
from service.domain.tokens import ERASED_USER, CallbackState, HandoffToken, PageToken, SessionResult, page_key_of_form
from service.errors import BadState, Expired, MagiclinkError, NotFound, TakenOver
from service.provider import Provider
from service.signing import Signer
from service.store import Store

_EVENTS_AT_ONCE = 100


@dataclass(frozen=True, slots=True)
class StartedPage:
    """A started page, with its key, which only this answer contains."""

    page_key: str
    snapshot: PageSnapshot


@dataclass(frozen=True, slots=True)
class OpenedPage:
    """The session that a page URL leads to; `closed` is why the page cannot be started, if it cannot."""

    session: Session
    closed: MagiclinkError | None


@dataclass(frozen=True, slots=True)
class OfferedHandoff:
    """What the offering page shows: the token, as a QR code, and the code that its user types on the other device."""

    id: str
    token: str
    code: str


class Pages:
    """What pages do. Methods with a `page_key` raise NotFound without one, TakenOver for the key of an older page."""

    def __init__(
        self, store: Store, signer: Signer, provider: Provider, clock: Clock, new_secret: Callable[[], str]
    ) -> None:
        self._store = store
        self._signer = signer
        self._provider = provider
        self._clock = clock
        self._new_secret = new_secret

    async def by_embed_token(self, token: str) -> OpenedPage:
        """The session of an embed URL. Raises NotFound."""
        return await self._open(self._signer.read_embed_token(token))

    async def by_connect_token(self, token: str) -> OpenedPage:
        """The session of a redirect URL. Raises NotFound."""
        return await self._open(self._signer.read_connect_token(token))

    def session_of_token(self, token: str) -> SessionId:
        """The session that either URL names, open or closed: a live stream reports the end too. Raises NotFound."""
        try:
            return self._signer.read_embed_token(token).session_id
        except NotFound:
            return self._signer.read_connect_token(token).session_id

    def new_form_value(self) -> str:
        """A value for the form of one loaded page: the same form, sent twice, starts one page."""
        return self._new_secret()

    async def start(self, session: Session, asked: PageStart, form_value: str | None = None) -> StartedPage:
        """Bind a new page, or the same page again where it shows that it was started before.

        Raises AlreadyOpen where another page was started and `take_over` is False; Expired, Revoked, SessionClosed.
        """
        key = asked.page_key
        if key is None or not self.is_same_page(session, key):
            # A second press of a button comes without the first answer's cookie, but with the same value in its form.
            key = page_key_of_form(session.id, form_value[:64]) if form_value else self._new_secret()
        start = asked.with_key(key)
        now, provider_now = self._clock(), self._provider.provider_now()
        await self._store.sessions.change(
            session.id, lambda current: page_starts.start_page(current, start, now, provider_now)
        )
        snapshot = await self.outcome(session.id)
        return StartedPage(key, replace(snapshot, follows=handoffs.follows(snapshot.session, key)))

    async def snapshot(self, session_id: SessionId, page_key: str | None, *, marked: bool = False) -> PageSnapshot:
        """What the page that holds the key may see now. The reveal is written before the link is returned."""
        snapshot = await self._store.sessions.page_snapshot(session_id, marked=marked)
        session = snapshot.session
        if handoffs.require_page(session, page_key):
            return replace(snapshot, follows=True)
        if session.link_status is not LinkStatus.READY or session.revealed_at is not None:
            return snapshot
        if not session_time.link_can_be_shown(session, snapshot.at):
            return snapshot
        now, provider_now = self._clock(), self._provider.provider_now()
        await self._store.sessions.change(session_id, lambda current: _reveal_once(current, now, provider_now))
        return await self._store.sessions.page_snapshot(session_id, marked=marked)

    async def finish(self, session_id: SessionId, page_key: str | None) -> None:
        """Record that the user said "I have finished", and enqueue a poll, whose answer counts. Raises Gone."""
        now, provider_now = self._clock(), self._provider.provider_now()
        await self._store.sessions.change(
            session_id, lambda current: session_rules.finish(current, page_key, now, provider_now)
        )

    async def ask_for_another(self, session_id: SessionId, page_key: str | None) -> None:
        """Enqueue the invitation for another account, if the account before is recorded."""
        now = self._clock()
        await self._store.sessions.change_with_count(
            session_id, lambda current, recorded: more_accounts.ask_for_another(current, page_key, recorded, now)
        )

    async def leave(self, session_id: SessionId, page_key: str | None, stage: str, reason: str) -> None:
        """Record that the user left the page; the user may come back."""
        now = self._clock()
        await self._store.sessions.change(
            session_id, lambda current: page_starts.leave_page(current, page_key, stage, reason, now)
        )

    async def offer_handoff(self, session_id: SessionId, page_key: str | None) -> OfferedHandoff:
        """Offer to continue on another device; an earlier offer ends. Raises SessionClosed, Expired, Revoked."""
        now, nonce = self._clock(), self._new_secret()[:16]
        await self._store.sessions.change(session_id, lambda current: handoffs.offer(current, page_key, nonce, now))
        token = HandoffToken(session_id, nonce, int(now))
        signed, code = self._signer.sign_handoff(token), self._signer.handoff_code(token)
        return OfferedHandoff(handoffs.offer_id(nonce), signed, code)

    def read_handoff(self, text: str) -> HandoffToken:
        """Verify the token of an offer's address. Raises NotFound."""
        return self._signer.read_handoff(text)

    async def handoff(self, token: HandoffToken, found: Callable[[Session], None]) -> tuple[Session, HandoffState]:
        """The session of an offer, and whether the offer can be used. Raises NotFound, Expired, Revoked.

        `found` is called with the session before it is refused.
        """
        session = await self._store.sessions.get(token.session_id)
        found(session)
        return session, handoffs.state_of_offer(session, token, self._clock())

    async def accept_handoff(self, token: HandoffToken, code: str, form_value: str) -> tuple[HandoffState, str]:
        """Continue on this device, if the code is right. The page key is valid where the state is ACCEPTED."""
        key = page_key_of_form(token.session_id, form_value[:64]) if form_value else self._new_secret()
        given = HandoffTry(token, self._signer.is_handoff_code(token, code), key)
        now, provider_now = self._clock(), self._provider.provider_now()
        state = HandoffState.OVER

        def decide(session: Session) -> Changes | None:
            nonlocal state
            state, changes = handoffs.accept(session, given, now, provider_now)
            return changes

        await self._store.sessions.change(token.session_id, decide)
        return state, key

    def connect_token(self, session: Session) -> str:
        """The token of the session's page in the redirect flow, where the page of another device continues."""
        return self._signer.connect_token(PageToken(session.id, session.serial, session.issued_at), session.key_id)

    def follows(self, session: Session, page_key: str | None) -> bool:
        """Whether this is the key of the page that passed the session on."""
        return handoffs.follows(session, page_key)

    def is_passed_on(self, session: Session, page_key: str | None) -> bool:
        """Whether this is the key of the page to which the session was passed on."""
        return handoffs.is_passed_on(session, page_key)

    async def heartbeat(self, session_id: SessionId, page_key: str | None) -> None:
        """Record that the page is present. Raises Expired, Revoked."""
        now = self._clock()
        await self._store.sessions.change(
            session_id, lambda current: session_rules.record_presence(current, page_key, now)
        )

    async def check_presence(self, session_id: SessionId) -> float | None:
        """Exit a session whose page disappeared; return in how many seconds to check again."""
        wait: float | None = None

        def decide(session: Session) -> Changes | None:
            nonlocal wait
            now = self._clock()
            left = (session.seen_at or 0.0) + PRESENCE_SECONDS - now
            wait = left if session.status is SessionStatus.OPENED and left > 0 else None
            return session_rules.exit_session(session, "page", "gone", now) if left <= 0 else None

        await self._store.sessions.change(session_id, decide)
        return wait

    def holds_page_key(self, session: Session, page_key: str) -> bool:
        """Whether this is the key of the page that is bound now."""
        return session_rules.holds_page_key(session, page_key)

    def is_same_page(self, session: Session, page_key: str) -> bool:
        """Whether this is the key of the page that was started last, even if it has left.

        The key of a page that has left can only start the page again.
        """
        return session_rules.holds_page_key(session, page_key) or page_starts.resumes(session, page_key)

    async def stream_position(self, session_id: SessionId, last_event_id: str | None, now: int) -> int:
        """The position from which a stream continues: after the named event, or `now` without one.

        An id that is unknown, or of another session, gives 0: the stream then replays the whole session.
        """
        if last_event_id is None:
            return now
        return await self._store.events.position(last_event_id, session_id) or 0

    async def events_after(self, session_id: SessionId, seq: int) -> Sequence[Event]:
        """The session's events after a position, without those that pages must not see; oldest first."""
        return await self._store.events.on_pages_after(seq, _EVENTS_AT_ONCE, session_id)

    def callback_state(self, session: Session) -> str:
        """The signed state with which the page that is bound now comes back."""
        return self._signer.sign_state(CallbackState(session.id, session.user_id or ERASED_USER, session.page_serial))

    async def by_state(self, text: str, found: Callable[[Session], None] = lambda _: None) -> Session:
        """The session of a state. Raises BadState for a changed or old one, and for that of another user.

        Raises TakenOver for the state of a page from which another one took the session over. `found` is called with
        the session before these two refusals of a state that was signed for its user.
        """
        state = self._signer.read_state(text)
        try:
            session = await self._store.sessions.get(state.session_id)
        except NotFound as exc:
            raise BadState from exc
        if session.user_id is None or not state.is_for(session.user_id):
            raise BadState
        found(session)
        # Serial 0 travels through the provider and is for whichever page is bound when it comes back.
        if state.page_serial not in {0, session.page_serial}:
            raise TakenOver
        now = self._clock()
        # A page that shows the end comes back too, for as long as it gets states. A revoked session signs none.
        ends_at = max(session.expires_at + GRACE_SECONDS, session_time.ends_at(session, now))
        if now > ends_at and not (session.achieved or session_time.can_sign(session, now)):
            raise BadState("This return link is too old")
        return session

    async def enqueue_poll(self, session: Session) -> None:
        """Poll the provider soon: what a browser sends is a reason to poll, and never evidence."""
        await self._store.queue.enqueue(Job(JobKind.RECONCILE, session.company.ref, waited_for=True))

    async def outcome(self, session_id: SessionId) -> PageSnapshot:
        """The session, its connections and its position in the log, as of one moment, without a page key."""
        return await self._store.sessions.page_snapshot(session_id)

    def sign_result(self, snapshot: PageSnapshot) -> str:
        """The signed outcome that the host's backend may confirm."""
        session, connection = snapshot.session, main_connection(snapshot.connections)
        named, at = connection.id if connection else None, int(self._clock())
        user = session.user_id or ERASED_USER
        result = SessionResult(session.id, session.tenant, user, session.status.value, named, at)
        return self._signer.sign_result(result)

    async def _open(self, token: PageToken) -> OpenedPage:
        session = await self._store.sessions.get(token.session_id)
        try:
            session_rules.raise_if_closed(session, self._clock())
        except MagiclinkError as closed:
            return OpenedPage(session, closed)
        over = session_time.token_expired(session, token, self._clock())
        return OpenedPage(session, Expired() if over else None)


def _reveal_once(session: Session, now: float, provider_now: float | None) -> Changes | None:
    return session_rules.reveal_link(session, now, provider_now) if session.revealed_at is None else None

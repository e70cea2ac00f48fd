"""A session's link at the provider: create it, and create it again after a failure.

Every call that creates an invitation has an intent row before it is made. What was created and is not shown to the
user is revoked (`withdrawals`).
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from weakref import WeakValueDictionary

from service.domain import session_rules, session_time
from service.domain.changes import Changes, CompletedIntent, Job, JobKind, LeasedJob
from service.domain.model import (
    Clock,
    InvitationId,
    Link,
    LinkChoice,
    LinkStatus,
    Mode,
    Session,
    SessionId,
)
from service.domain.more_accounts import give_up_another
from service.domain.requests import KeyLease
from service.domain.timing import (
    ANSWER_SECONDS,
)
from service.domain.tokens import ERASED_USER, CallbackState
from service.errors import (
    Forbidden,
    ForeignLink,
    GivenUp,
    ProviderFailure,
    ProviderRefused,
    ProviderUnauthorized,
    RepeatedLink,
    Unavailable,
)
from service.provider import InvitationTerms, Provider, Redirect
from service.signing import Signer
from service.store import Store
from service.usecases.provider_sites import ProviderSites
from service.usecases.withdrawals import Withdrawals, invitation_seconds

_log = logging.getLogger(__name__)

# While a page waits for its link: a retry after a failure, and the longest pause that a provider may ask for.
_RETRY_SECONDS = 3.0
_LONGEST_PAUSE_SECONDS = 60.0
# While another session of the same company creates the company.
_COMPANY_SECONDS = 1.0
# A key may be good for links and not for invitations. If it is good for neither, the magic link's call fails too.
_NO_INVITATIONS = (ProviderRefused, ProviderUnauthorized)
_NO_KEY = "No key of MAGICLINK_SECRET_KEYS decrypts the e-mail address of this session"
_ANY_PAGE = 0  # a state that travels through the provider is for whichever page is bound when it comes back


@dataclass(frozen=True, slots=True)
class _CreatedLink:
    """A link and, where it is an invitation, the intent of the call that created it."""

    link: Link
    completed: CompletedIntent | None = None


@dataclass(frozen=True, slots=True)
class ReturnPath:
    """Where the provider's pages send a session's user back to; `callback_url` is None where they do not."""

    signer: Signer
    callback_url: str | None

    def of(self, session: Session) -> Redirect | None:
        if self.callback_url is None:
            return None
        state = CallbackState(session.id, session.user_id or ERASED_USER, _ANY_PAGE)
        return Redirect(self.callback_url, self.signer.sign_state(state))


class Links:
    """Creates the links of sessions; one process creates one link of a session at a time."""

    def __init__(
        self,
        store: Store,
        provider: Provider,
        provider_sites: ProviderSites,
        withdrawals: Withdrawals,
        return_path: ReturnPath,
        clock: Clock,
    ) -> None:
        self._store = store
        self._provider = provider
        self._provider_sites = provider_sites
        self._withdrawals = withdrawals
        self._return_path = return_path
        self._clock = clock
        self._preparing: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    async def prepare(
        self, session_id: SessionId, job: LeasedJob | None = None, key: KeyLease | None = None
    ) -> Session:
        """Create the link where the session needs one. Raises ProviderFailure, Forbidden; a refusal fails the session.

        A host that waits and a job of this process share one lock, so that together they create one link. Raises
        LeaseLost where the lease of `job` ended, or `key` was taken over, before the link or the refusal was written.
        """
        async with self._preparing.setdefault(session_id, asyncio.Lock()):
            return await self._prepare(session_id, job, key)

    async def _prepare(self, session_id: SessionId, job: LeasedJob | None, key: KeyLease | None) -> Session:
        session = await self._store.sessions.get(session_id)
        # An open intent is a call that is under way in another process, or whose answer was lost. The sweep decides.
        if await self._store.intents.open_intents(session_id):
            await self._store.queue.enqueue(Job(JobKind.SWEEP, session_id, ANSWER_SECONDS))
        if session.closed or session.link_status is LinkStatus.READY:
            return session
        try:
            return await self._create(session, job)
        except (ProviderRefused, ForeignLink, Forbidden) as exc:
            await self.fail(session_id, exc.failure_code if isinstance(exc, ForeignLink) else exc.code, job, key)
            raise

    async def prepare_in_background(self, session_id: SessionId, job: LeasedJob | None = None) -> float | None:
        """As `prepare`, for a job; return in how many seconds to try again, None when there is nothing left to do.

        While a page waits, the retry comes within seconds of the provider's recovery, however long its trouble took.
        Sessions of a company that is just being created wait outside the lock, so that they do not hold every worker.
        """
        session = await self._store.sessions.get(session_id)
        if self._provider_sites.is_in_progress(session):
            return _COMPANY_SECONDS
        try:
            await self.prepare(session_id, job)
        except ProviderFailure as exc:
            session = await self._store.sessions.get(session_id)
            present = session_time.is_present(session, self._clock())
            if isinstance(exc, ForeignLink):
                _log.error("%s", exc.detail, extra={"session": session_id})
                return None
            if isinstance(exc, ProviderRefused) or not present:
                raise
            _log.warning("a page waits for its link: %s", exc.code, extra={"session": session_id})
            return min(max(_RETRY_SECONDS, exc.after_seconds or 0.0), _LONGEST_PAUSE_SECONDS)
        return None

    async def fail(
        self, session_id: SessionId, code: str, job: LeasedJob | None = None, key: KeyLease | None = None
    ) -> Session:
        """Record that no link can be made for this session; `code` says why. With `job` or `key`, raises LeaseLost."""
        now = self._clock()

        def decide(current: Session) -> Changes | None:
            further = current.achieved and current.link_status is LinkStatus.PENDING
            return give_up_another(current) if further else session_rules.fail(current, code, now)

        return await self._store.sessions.change(session_id, decide, job=job, key=key)

    async def _create(self, session: Session, job: LeasedJob | None) -> Session:
        created = await (
            self._reconnect_link(session) if session.mode is Mode.RECONNECT else self._connect_link(session)
        )
        provider_now = self._provider.provider_now()
        try:
            given = await self._store.sessions.change(
                session.id,
                lambda current: session_rules.give_link(current, created.link, created.completed, provider_now),
                # For an invitation the intent decides whether the answer counts; it lasts longer than a lease.
                job=job if created.completed is None else None,
            )
        except GivenUp:
            await self._discard(created)
            raise
        except RepeatedLink:
            # It is the invitation of another session, or one that this session had: it must not be revoked.
            if created.completed is not None:
                await self._store.intents.complete(created.completed.ref)
            raise
        if given.link != created.link:  # another process was first
            await self._discard(created)
        return given

    async def _discard(self, created: _CreatedLink) -> None:
        """Revoke an invitation that was never shown to a user; a magic link is only forgotten."""
        if created.completed is not None and created.link.invitation_id is not None:
            await self._withdrawals.revoke(created.link.invitation_id, created.link.provider_given_at)
            await self._store.intents.complete(created.completed.ref)

    async def _connect_link(self, session: Session) -> _CreatedLink:
        ids = await self._provider_sites.ids_for(session)
        prefill, redirect = dict(session.prefill), self._return_path.of(session)
        invitation = await self._invitation(
            session, lambda terms: self._provider.links.invite(ids.company, ids.sites, prefill, terms)
        )
        if invitation is not None:
            return invitation
        try:
            return _CreatedLink(await self._provider.links.magic_link(ids.company, ids.sites, prefill, redirect))
        except ProviderFailure as exc:
            await self._provider_sites.raise_if_not_yet(session, exc)
            raise

    async def _reconnect_link(self, session: Session) -> _CreatedLink:
        connection_id = session.connection_id
        if connection_id is None:
            raise ProviderRefused("There is no connection to reconnect")
        owner = (await self._store.connections.get(connection_id)).verdict.owner
        if owner is None or owner.user != session.user:  # it changed since the session was created
            raise ProviderRefused("The connection to reconnect is not this user's any more")
        invitation = await self._invitation(
            session, lambda terms: self._provider.links.invite_to_reconnect(connection_id, terms)
        )
        if invitation is not None:
            return invitation
        try:
            return _CreatedLink(await self._provider.links.edit_link(connection_id, self._return_path.of(session)))
        except ProviderFailure as exc:
            await self._provider_sites.raise_if_not_yet(session, exc)
            raise

    async def _invitation(
        self, session: Session, invite: Callable[[InvitationTerms], Awaitable[Link]]
    ) -> _CreatedLink | None:
        """Make an invitation; None where a magic link is to be made instead.

        That is so where the host asked for one, and where the provider refuses invitations and the host allows both.
        Raises Unavailable where the session's e-mail address cannot be read.
        """
        if session.link_choice is LinkChoice.MAGIC_LINK:
            return None
        if session.user_email == "":
            # Without the address anybody with the link could use the invitation. A process that has the key makes it.
            raise Unavailable(_NO_KEY)
        seconds, deadline = invitation_seconds(session), self._provider.call_deadline()
        ref = await self._store.intents.begin_invitation(session.id, session.serial)
        try:
            link = await invite(InvitationTerms(seconds, session.user_email, self._return_path.of(session), deadline))
        except ProviderFailure as exc:
            await self._end_call(session.id, ref, exc)
            await self._provider_sites.raise_if_not_yet(session, exc)
            if not isinstance(exc, _NO_INVITATIONS) or _needs_invitation(session):
                raise
            _log.info("the provider refuses invitations; using a magic link", extra={"session": session.id})
            return None
        return _CreatedLink(link, CompletedIntent(ref, session.id, link, seconds))

    async def _end_call(self, session_id: SessionId, ref: str, exc: ProviderFailure) -> None:
        """Complete the intent of a call that failed, or leave it to the sweep where an invitation may be left over."""
        is_over = not exc.lost
        if isinstance(exc, ForeignLink) and exc.invitation_id is not None:
            is_over = await self._is_revoked(InvitationId(exc.invitation_id))
        if is_over:
            await self._store.intents.complete(ref)
        else:
            await self._store.queue.enqueue(Job(JobKind.SWEEP, session_id, ANSWER_SECONDS))

    async def _is_revoked(self, invitation_id: InvitationId) -> bool:
        # A failure here must not hide the one that ends the session: otherwise its job would create another invitation.
        try:
            await self._withdrawals.revoke(invitation_id, self._provider.provider_now())
        except ProviderFailure as exc:
            _log.warning("an invitation is not revoked yet: %s", exc.detail)
            return False
        return True


def _needs_invitation(session: Session) -> bool:
    # With `userEmail` only an invitation is made, which the provider limits to that mailbox: a magic link has no such
    # limit.
    return session.link_choice is LinkChoice.INVITATION or session.user_email is not None

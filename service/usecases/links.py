"""A session's link at the provider: create it, create it again after a failure, and revoke what must not be used.

Every call that creates an invitation has an intent row before it is made. An invitation whose answer was lost is
revoked, never adopted.
"""

import asyncio
import hashlib
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from weakref import WeakValueDictionary

from service.domain import session_rules
from service.domain.changes import CompletedIntent, Job, JobKind, LeasedJob
from service.domain.model import (
    Clock,
    InvitationId,
    Link,
    LinkChoice,
    LinkStatus,
    Mode,
    ReportedInvitation,
    Session,
    SessionId,
)
from service.domain.requests import KeyLease
from service.domain.timing import (
    ANSWER_SECONDS,
    GRACE_SECONDS,
    INVITATION_EXTRA_SECONDS,
    LOST_SECONDS,
    UNCERTAINTY_SECONDS,
)
from service.domain.tokens import CallbackState
from service.errors import Forbidden, ForeignLink, GivenUp, ProviderFailure, ProviderRefused, ProviderUnauthorized
from service.provider import InvitationTerms, Provider, Redirect
from service.signing import Signer
from service.store import Store
from service.usecases.provider_sites import ProviderSites

_log = logging.getLogger(__name__)

# While a page waits for its link: a retry after a failure, and the longest pause that a provider may ask for.
_RETRY_SECONDS = 3.0
_LONGEST_PAUSE_SECONDS = 60.0
# While another session of the same company creates the company.
_COMPANY_SECONDS = 1.0
# A key may be good for links and not for invitations. If it is good for neither, the magic link's call fails too.
_NO_INVITATIONS = (ProviderRefused, ProviderUnauthorized)
_ANY_PAGE = 0  # a state that travels through the provider is for whichever page is bound when it comes back


@dataclass(frozen=True, slots=True)
class _CreatedLink:
    """A link and, where it is an invitation, the intent of the call that created it."""

    link: Link
    completed: CompletedIntent | None = None


class Links:
    """`callback_url` is where the provider's pages should return to, or None where they cannot."""

    def __init__(
        self,
        store: Store,
        provider: Provider,
        provider_sites: ProviderSites,
        signer: Signer,
        clock: Clock,
        callback_url: str | None,
    ) -> None:
        self._store = store
        self._provider = provider
        self._provider_sites = provider_sites
        self._signer = signer
        self._clock = clock
        self._callback_url = callback_url
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
        # An open intent is a call that is under way in another process, or lost: the sweep finds out later.
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
            present = session_rules.is_present(session, self._clock())
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
        """No link will be made for this session; `code` says why. With `job` or `key`, raises LeaseLost."""
        return await self._store.sessions.change(
            session_id, lambda current: session_rules.fail(current, code), job=job, key=key
        )

    async def revoke_invitations(self, session_id: SessionId) -> None:
        """Revoke every invitation that the session ever had, except the one that it still uses."""
        # Read the invitations before the session: one that is created in between is then not among them.
        created = await self._store.sessions.invitations(session_id)
        session = await self._store.sessions.get(session_id)
        used = session.link.invitation_id if session.link and not session.closed else None
        for invitation_id in created - {used}:
            await self._revoke(InvitationId(invitation_id))

    async def sweep(self, session_id: SessionId) -> float | None:
        """Revoke the session's invitations whose answers were lost; return in how many seconds to look again.

        The provider stores nothing of ours with an invitation, so ours is recognised by its peculiar lifetime.
        """
        intents = await self._store.intents.restarted_intents(session_id)
        over = [one for one in intents if one.age_seconds >= ANSWER_SECONDS]
        session = await self._store.sessions.get(session_id)
        lost = {invitation_seconds(replace(session, serial=one.serial)) for one in over}
        complete = not lost or await self._revoke_lost(session, lost)
        # The provider's lists may show a lost invitation late, so an intent stays open for LOST_SECONDS.
        done = [one for one in over if complete and one.age_seconds >= LOST_SECONDS]
        for one in done:
            await self._store.intents.complete(one.ref)
        return ANSWER_SECONDS if len(done) < len(intents) else None

    async def _revoke_lost(self, session: Session, lifetimes: set[int]) -> bool:
        """Return False where a matching invitation may belong to a call that is being answered at this moment."""
        if session.company.provider_id is None:
            return True
        listed = await self._provider.links.invitations(session.company.provider_id)
        intents = await self._store.intents.open_intents(session.id)
        under_way = any(one.age_seconds < ANSWER_SECONDS for one in intents)
        known = await self._store.sessions.known_invitations({one.id for one in listed})
        unknown = [one for one in listed if one.id not in known and one.edits == session.connection_id]
        matching = [one for one in unknown if _matches(one, lifetimes)]
        provider_now = self._provider.provider_now()
        lost = [one for one in matching if not under_way and not _may_be_answered_now(one, provider_now)]
        for one in lost:
            _log.warning("revoking an invitation whose answer was lost", extra={"session": session.id})
            await self._revoke(one.id)
        return len(lost) == len(matching)

    async def _revoke(self, invitation_id: InvitationId) -> None:
        try:
            await self._provider.links.revoke_invitation(invitation_id)
        except ProviderRefused:
            _log.info("the provider does not revoke an invitation; it has ended already")

    async def _create(self, session: Session, job: LeasedJob | None) -> Session:
        created = await (
            self._reconnect_link(session) if session.mode is Mode.RECONNECT else self._connect_link(session)
        )
        provider_now = self._provider.provider_now()
        try:
            given = await self._store.sessions.change(
                session.id,
                lambda current: session_rules.give_link(current, created.link, created.completed, provider_now),
                # An invitation has its intent for that, which holds for longer than a lease.
                job=job if created.completed is None else None,
            )
        except GivenUp:
            await self._discard(created)
            raise
        if given.link != created.link:  # another process was first
            await self._discard(created)
        return given

    async def _discard(self, created: _CreatedLink) -> None:
        """Revoke a link that was never shown to a user."""
        if created.completed is not None and created.link.invitation_id is not None:
            await self._revoke(created.link.invitation_id)
            await self._store.intents.complete(created.completed.ref)

    async def _connect_link(self, session: Session) -> _CreatedLink:
        ids = await self._provider_sites.ids_for(session)
        prefill, redirect = dict(session.prefill), self._redirect(session)
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
        invitation = await self._invitation(
            session, lambda terms: self._provider.links.invite_to_reconnect(connection_id, terms)
        )
        if invitation is not None:
            return invitation
        return _CreatedLink(await self._provider.links.edit_link(connection_id, self._redirect(session)))

    async def _invitation(
        self, session: Session, invite: Callable[[InvitationTerms], Awaitable[Link]]
    ) -> _CreatedLink | None:
        """None where a magic link is asked for, or where the provider refuses invitations and a magic link will do."""
        if session.link_choice is LinkChoice.MAGIC_LINK:
            return None
        seconds, deadline = invitation_seconds(session), self._provider.call_deadline()
        ref = await self._store.intents.begin_invitation(session.id, session.serial)
        try:
            link = await invite(InvitationTerms(seconds, session.user_email, self._redirect(session), deadline))
        except ProviderFailure as exc:
            if not exc.lost:
                await self._store.intents.complete(ref)
            if isinstance(exc, ForeignLink) and exc.invitation_id is not None:
                await self._revoke(InvitationId(exc.invitation_id))
            await self._provider_sites.raise_if_not_yet(session, exc)
            if not isinstance(exc, _NO_INVITATIONS) or _needs_invitation(session):
                raise
            _log.info("the provider refuses invitations; using a magic link", extra={"session": session.id})
            return None
        return _CreatedLink(link, CompletedIntent(ref, session.id, link, seconds))

    def _redirect(self, session: Session) -> Redirect | None:
        if self._callback_url is None:
            return None
        state = CallbackState(session.id, session.user_id, _ANY_PAGE)
        return Redirect(self._callback_url, self._signer.sign_state(state))


def _needs_invitation(session: Session) -> bool:
    # With `userEmail` a magic link will not do: whoever holds one can use it, whatever mailbox they read.
    return session.link_choice is LinkChoice.INVITATION or session.user_email is not None


def invitation_seconds(session: Session) -> int:
    """How long its invitation is valid: longer than the session, so that a flow under way can be finished.

    The extra seconds are derived from the session: by them an invitation whose answer was lost is recognised.
    """
    digest = hashlib.sha256(f"{session.id}.{session.serial}".encode()).digest()
    extra = int.from_bytes(digest[:4]) % INVITATION_EXTRA_SECONDS
    return int(session.expires_at - session.issued_at + GRACE_SECONDS) + extra


def _matches(invitation: ReportedInvitation, lifetimes: set[int]) -> bool:
    ours = any(abs((invitation.lifetime_seconds or 0.0) - seconds) < 2.0 for seconds in lifetimes)
    return ours and invitation.status == "ACTIVE"


def _may_be_answered_now(invitation: ReportedInvitation, provider_now: float | None) -> bool:
    """Whether another session's call may be receiving it: it is that young. Without provider times none is spared."""
    age = ANSWER_SECONDS if provider_now is None else provider_now - invitation.provider_created_at
    return -UNCERTAINTY_SECONDS <= age < ANSWER_SECONDS

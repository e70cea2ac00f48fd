"""Reconciliation: poll the provider for one company, record what its snapshot shows, and decide when to poll again."""

import logging
from collections.abc import Sequence
from dataclasses import replace
from functools import partial

from service.domain.changes import CompanyActivity, LeasedJob
from service.domain.invitation_logs import UnreadLog, logs_to_read, note_log
from service.domain.model import Clock, Company, CompanyRef, Connection, ConnectionId, ProviderSnapshot
from service.domain.provider_steps import LogStep
from service.domain.recording import record
from service.domain.removals import in_turn, is_missing_too_early, is_new, note_found, note_missing
from service.domain.timing import (
    POLL_DAILY_SECONDS,
    POLL_FINISHED_SECONDS,
    POLL_LOG_SECONDS,
    POLL_OPEN_SECONDS,
    POLL_PRESENT_SECONDS,
    POLL_UNDECIDED_SECONDS,
    REMOVED_SECONDS,
)
from service.errors import (
    NotFound,
    ProviderBusy,
    ProviderFailure,
    ProviderNotFound,
    ProviderRefused,
    ProviderTimeout,
    ProviderUnauthorized,
    ProviderUnreachable,
)
from service.provider import Provider
from service.store import Store

_log = logging.getLogger(__name__)

_REFUSED_SECONDS = 60.0
# The second 404 of a removed connection must come after REMOVED_SECONDS.
_CONFIRM_SECONDS = REMOVED_SECONDS + 5.0
_CHECKED_PER_POLL = 5


class Reconciliation:
    """The job of one company. A worker's lease makes sure that one poll of a company runs at a time."""

    def __init__(self, store: Store, provider: Provider, clock: Clock) -> None:
        self._store = store
        self._provider = provider
        self._clock = clock

    async def reconcile(self, ref: CompanyRef, job: LeasedJob | None = None) -> float | None:
        """Poll the company and record what is there; return in how many seconds to poll again.

        Raises ProviderFailure; LeaseLost, and writes nothing, where the lease of `job` ended meanwhile.
        """
        try:
            company, wait = await self._store.companies.take_poll(ref)
        except NotFound:
            return None  # merged into another row, which has a job of its own
        if company.provider_id is None:
            return None
        if wait:
            return wait
        began_at = self._clock()
        try:
            is_company_new = is_new(company, self._provider.provider_now())
            snapshot, failure = await self._provider.partial_snapshot(company.provider_id, is_new=is_company_new)
        except ProviderFailure as exc:
            await self._store.companies.note_failed_poll(ref, began_at)
            if not isinstance(exc, ProviderRefused):
                raise
            _log.warning("the provider refuses to list company %s: %s", ref, exc.detail)
            return await self._after_refusal(company, exc, job)
        await self._record(company, snapshot, None if failure else began_at, job)
        if failure is not None:  # what could be read is recorded, and all of it is read again soon
            await self._store.companies.note_failed_poll(ref, began_at)
            raise failure
        return await self._follow_up(ref, snapshot, job)

    async def _after_refusal(self, company: Company, refusal: ProviderRefused, job: LeasedJob | None) -> float:
        """Ask for the connections of a company that the provider no longer has; return when to poll again."""
        unlisted, activity, _ = await self._store.connections.after_poll(company.ref, ())
        interval = max(_REFUSED_SECONDS, poll_interval(activity) or POLL_DAILY_SECONDS)
        # A company that was created moments ago answers 404 too. Its connections are asked for only later.
        is_gone = isinstance(refusal, ProviderNotFound) and not is_new(company, self._provider.provider_now())
        if is_gone and await self._check_unlisted(unlisted, job):
            interval = min(interval, _CONFIRM_SECONDS)
        if activity.undecided:
            await self._end_waits(company, job)
        return interval

    async def _end_waits(self, company: Company, job: LeasedJob | None) -> None:
        """Judge what waits for a list that the provider refuses: nothing is known of it, except how long it waits."""
        unread = ProviderSnapshot(self._provider.provider_now() or 0.0, (), (), unread_invitations=True)
        now = self._clock()
        await self._store.connections.change(company.ref, [], [], lambda records: record(records, unread, now), job=job)

    async def _follow_up(self, ref: CompanyRef, snapshot: ProviderSnapshot, job: LeasedJob | None) -> float | None:
        """Ask for connections and logs that the lists do not contain; return in how many seconds to poll again."""
        listed = {one.id for one in snapshot.connections}
        unlisted, activity, logs = await self._store.connections.after_poll(ref, listed)
        interval = poll_interval(activity)
        intervals = [] if interval is None else [interval]
        if await self._check_unlisted(unlisted, job):
            intervals.append(_CONFIRM_SECONDS)
        if await self._read_logs(ref, logs, job):
            intervals.append(POLL_LOG_SECONDS)
        return min(intervals, default=None)

    async def _record(
        self, company: Company, snapshot: ProviderSnapshot, polled_at: float | None, job: LeasedJob | None
    ) -> None:
        connections = {one.id for one in snapshot.connections}
        connections |= {one for invitation in snapshot.invitations for one in invitation.created}
        invitations = {invitation.id for invitation in snapshot.invitations}
        now = self._clock()
        await self._store.connections.change(
            company.ref,
            connections,
            invitations,
            lambda records: replace(record(records, snapshot, now), polled_at=polled_at),
            job=job,
        )

    async def _read_logs(self, ref: CompanyRef, unread: Sequence[UnreadLog], job: LeasedJob | None) -> bool:
        """Record the steps in the logs of these invitations; return whether to poll for more of them soon."""
        wanted = logs_to_read(unread, self._clock())
        given = await self._store.companies.take_logs(ref, len(wanted)) if wanted else 0
        waits = len(wanted) > given
        for log in wanted[:given]:
            try:
                entries = await self._provider.links.log(log.invitation_id)
            except (ProviderRefused, ProviderUnauthorized):
                continue  # the provider does not show this log to this key
            except ProviderFailure:
                return True  # the provider is in trouble: the next poll reads them
            decide = partial(note_log, invitation_id=log.invitation_id, entries=entries)
            if entries:
                await self._store.sessions.change(log.session_id, decide, job=job)
            waits = waits or (log.used and not any(one.step is LogStep.SUBMITTED for one in entries))
        return waits

    async def _check_unlisted(self, unlisted: Sequence[Connection], job: LeasedJob | None) -> bool:
        """Ask for connections that the list lacks; return whether one answered 404 and the next poll must come soon.

        It must where an answer of 404 is to be confirmed, and where others are left that may be removed too.
        """
        asks_again, are_left = False, len(unlisted) > _CHECKED_PER_POLL
        for connection in in_turn(unlisted, self._clock())[:_CHECKED_PER_POLL]:
            try:
                missing = await self._answers_404(connection.id)
            except (ProviderBusy, ProviderTimeout, ProviderUnreachable):
                break  # the provider is in trouble: the next poll asks again
            except ProviderFailure:
                continue  # an unreadable answer, or a refused /ping, proves nothing
            if missing:
                asks_again = await self._note_missing(connection, job) or are_left or asks_again
            elif connection.missing_at is not None:
                decide = partial(note_found, connection_id=connection.id)
                await self._store.connections.change(connection.company, [connection.id], [], decide, job=job)
        return asks_again

    async def _answers_404(self, connection_id: ConnectionId) -> bool:
        try:
            await self._provider.connection(connection_id)
        except ProviderNotFound:
            await self._provider.ping()  # a provider that is out of order may answer 404 to everything
            return True
        except (ProviderRefused, ProviderUnauthorized):
            return False  # a refusal is an answer, and no 404
        return False

    async def _note_missing(self, connection: Connection, job: LeasedJob | None) -> bool:
        """Note the 404; return whether it has to be confirmed."""
        now = self._clock()
        if is_missing_too_early(connection, now):
            return True
        decide = partial(note_missing, connection_id=connection.id, now=now)
        await self._store.connections.change(connection.company, [connection.id], [], decide, job=job)
        return connection.missing_at is None


def poll_interval(activity: CompanyActivity) -> float | None:
    """Seconds until the next poll: short while a page waits for it, daily where a link was ever given.

    With neither webhook nor callback, a connection is found within 60 s while a page is present, and within ten
    minutes otherwise.
    """
    if activity.just_finished:
        return POLL_FINISHED_SECONDS
    if activity.present and (activity.open_sessions or activity.undecided):
        return POLL_PRESENT_SECONDS
    if activity.undecided:
        return POLL_UNDECIDED_SECONDS
    if activity.open_sessions:
        return POLL_OPEN_SECONDS
    return POLL_DAILY_SECONDS if activity.linked else None

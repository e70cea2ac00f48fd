"""Reconciliation: poll the provider for one company, record what its snapshot shows, and decide when to poll again."""

import logging
from collections.abc import Sequence
from dataclasses import replace
from functools import partial

from service.domain import events
from service.domain.changes import Changes, CompanyActivity, CompanyRecords, LeasedJob
from service.domain.invitation_logs import UnreadLog, logs_to_read, note_log
from service.domain.model import Clock, Company, CompanyRef, Connection, ConnectionId, ProviderSnapshot
from service.domain.provider_steps import LogStep
from service.domain.recording import record
from service.domain.timing import (
    LOST_SECONDS,
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
            snapshot = await self._provider.snapshot(company.provider_id, is_new=self._is_new(company))
        except ProviderFailure as exc:
            await self._store.companies.note_failed_poll(ref, began_at)
            if not isinstance(exc, ProviderRefused):
                raise
            _log.warning("the provider refuses to list company %s: %s", ref, exc.detail)
            _, activity, _ = await self._store.connections.after_poll(ref, ())
            return max(_REFUSED_SECONDS, poll_interval(activity) or POLL_DAILY_SECONDS)
        await self._record(company, snapshot, began_at, job)
        return await self._follow_up(ref, snapshot, job)

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

    def _is_new(self, company: Company) -> bool:
        """Whether the company was created or found moments ago: the provider's lists may still be catching up."""
        now, since_at = self._provider.provider_now(), company.provider_since_at
        return now is not None and since_at is not None and now - since_at < LOST_SECONDS

    async def _record(
        self, company: Company, snapshot: ProviderSnapshot, began_at: float, job: LeasedJob | None
    ) -> None:
        connections = {one.id for one in snapshot.connections}
        connections |= {one for invitation in snapshot.invitations for one in invitation.created}
        invitations = {invitation.id for invitation in snapshot.invitations}
        now = self._clock()
        await self._store.connections.change(
            company.ref,
            connections,
            invitations,
            lambda records: replace(record(records, snapshot, now), polled_at=began_at),
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
        """Ask for connections that the list lacks; return whether one answered 404 and must be asked for once more.

        Absence from a list proves nothing. Only two answers of 404, REMOVED_SECONDS apart, of a provider whose /ping
        answers, prove that a connection is removed.
        """
        to_confirm = False
        for connection in unlisted[:_CHECKED_PER_POLL]:
            try:
                missing = await self._answers_404(connection.id)
            except (ProviderBusy, ProviderTimeout, ProviderUnreachable):
                break  # the provider is in trouble: the next poll asks again
            except ProviderFailure:
                continue  # an unreadable answer or a refusal is no 404
            to_confirm = (missing and await self._note_missing(connection, job)) or to_confirm
        return to_confirm

    async def _answers_404(self, connection_id: ConnectionId) -> bool:
        try:
            await self._provider.connection(connection_id)
        except ProviderNotFound:
            await self._provider.ping()
            return True
        return False

    async def _note_missing(self, connection: Connection, job: LeasedJob | None) -> bool:
        now = self._clock()
        if connection.missing_at is not None and now - connection.missing_at < REMOVED_SECONDS:
            return True
        decide = partial(_missing, connection_id=connection.id, now=now)
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


def _missing(records: CompanyRecords, connection_id: ConnectionId, now: float) -> Changes:
    """Note the first 404; after the second, mark the connection as removed. Its owner and its facts stay."""
    known = records.connections[connection_id]
    if known.removed_at is not None or (known.missing_at is not None and now - known.missing_at < REMOVED_SECONDS):
        return Changes()  # another process noted it meanwhile
    if known.missing_at is None:
        return Changes(connections=(replace(known, missing_at=now),))
    verdict = replace(known.verdict, waiting=False)
    removed = replace(known, removed_at=now, updated_at=now, verdict=verdict)
    written = [events.connection_removed(removed)]
    if known.verdict.waiting:  # no later snapshot will report anything about it
        written.insert(0, events.connection_ambiguous(known, known.verdict))
    return Changes(connections=(removed,), events=tuple(written))

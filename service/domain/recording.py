"""Decides what a provider snapshot changes: from the records of one company to the rows to write. Pure.

This is the only way in which a connection is recorded, whatever caused the poll (a webhook, a callback, a timer). Facts
are appended, and every verdict is judged again from all of them. So the order and the repetition of snapshots cannot
matter.
"""

from dataclasses import replace

from service.domain import events
from service.domain.attached_sessions import advance_sessions
from service.domain.attention import is_unconfirmed, with_attention
from service.domain.attribution import is_of_same_user, is_wait_over, judge_again, rules_out_invitations
from service.domain.changes import Changes, CompanyRecords, Fact, FactKind, Job, JobKind
from service.domain.dead_links import end_dead_link
from service.domain.draft import RecordingDraft
from service.domain.evidence import CompanyFacts, ended, new_endings, new_namings
from service.domain.model import (
    Connection,
    ConnectionId,
    ProviderSnapshot,
    ReportedConnection,
    ReportedInvitation,
    SessionId,
    Verdict,
)
from service.domain.owner_changes import change_owner
from service.domain.reconnects import reconnect_by_edit_link, reconnect_by_invitations
from service.domain.statuses import ConnectionState
from service.domain.timing import FIRST_REMINDER_SECONDS, UNCERTAINTY_SECONDS, UNDECIDED_SECONDS

_FIRST_DOCUMENTS_SECONDS = 5.0
# No clock of the provider is further ahead of the one that dates its answers.
_AHEAD_SECONDS = 600.0


def record(records: CompanyRecords, snapshot: ProviderSnapshot, now: float) -> Changes:
    """Return everything that one snapshot of a company changes. The same snapshot again changes nothing."""
    draft = RecordingDraft(records, now, CompanyFacts(records, now, new_namings(records, snapshot.invitations)))
    invitations = tuple(_with_earlier_namings(draft, one) for one in snapshot.invitations)
    snapshot = replace(snapshot, invitations=invitations)
    draft.facts.add(*new_endings(records, snapshot))
    ours = _to_record(records, snapshot)
    for reported in snapshot.connections:
        if reported.id in ours:
            _record_one(draft, reported, snapshot)
    _judge_unlisted(draft, snapshot)
    for invitation in snapshot.invitations:
        _note_use(draft, invitation)
    reconnect_by_invitations(draft, snapshot)
    for session in records.sessions.values():
        reconnect_by_edit_link(draft, session)
    for invitation in snapshot.invitations:
        end_dead_link(draft, invitation)
    return draft.changes()


def judge_with_facts(records: CompanyRecords, connection: Connection, facts: tuple[Fact, ...], now: float) -> Changes:
    """Add facts (a claim, or its undoing) and judge the connection again, without a snapshot."""
    draft = RecordingDraft(records, now, CompanyFacts(records, now, facts))
    _apply_verdict(draft, connection.reported, connection, (connection.missing_at, connection.removed_at))
    return draft.changes()


# Since when the provider's list lacks a connection, and when it was found to be removed.
_Gone = tuple[float | None, float | None]
_LISTED: _Gone = (None, None)


def _with_earlier_namings(draft: RecordingDraft, invitation: ReportedInvitation) -> ReportedInvitation:
    """Add what the invitation named before: a connection deleted at the provider disappears from it too."""
    created = invitation.created | draft.facts.named_by(invitation.id)
    # Our invitations are for one use. So one that has named a connection made no other, even if some of its fields
    # cannot be read now.
    spent = bool(created) and invitation.id in draft.records.by_invitation
    return replace(invitation, created=created, doubtful=invitation.doubtful and not spent)


def _to_record(records: CompanyRecords, snapshot: ProviderSnapshot) -> set[ConnectionId]:
    """Connections that our invitations named, that were recorded before, or that are newer than the first link.

    What is older was listed before the company's first link was given (PRIOR facts). A creation time cannot tell: the
    provider's clock may have been set back since. Where that list was not read whole, or not at all (version 0.1.0),
    the creation time must do for what was not on it.
    """
    # It may list one that is recorded of another company, which that item names: a mistake must not move it there.
    elsewhere = {known.id for known in records.connections.values() if known.company != records.company.ref}
    prior = {row.fact.connection_id for row in records.facts if row.fact.kind is FactKind.PRIOR}
    listed = any(row.fact.kind is FactKind.LISTED for row in records.facts)
    named = {made for one in snapshot.invitations if one.id in records.by_invitation for made in one.created}
    since_at = records.company.provider_since_at
    return {
        one.id
        for one in snapshot.connections
        if one.id not in elsewhere or one.company_id in {None, records.company.provider_id}
        if one.id in named
        or one.id in records.connections
        or (one.id not in prior and (listed or _created_since(one, since_at)))
    }


def _created_since(reported: ReportedConnection, since_at: float | None) -> bool:
    return since_at is not None and reported.provider_created_at >= since_at - UNCERTAINTY_SECONDS


def _record_one(draft: RecordingDraft, reported: ReportedConnection, snapshot: ProviderSnapshot) -> None:
    known = draft.records.connections.get(reported.id)
    if known and _is_outdated(reported, known, snapshot):
        reported = known.reported
    _rule_out_invitations(draft, reported, snapshot)
    _apply_verdict(draft, reported, known, _LISTED)


def _is_outdated(reported: ReportedConnection, known: Connection, snapshot: ProviderSnapshot) -> bool:
    """Whether what is stored of the connection is newer than what is reported now: the newest `updated` wins.

    Within the uncertainty of the provider's clocks this snapshot does, which is complete and later than the one before,
    since the polls of a company follow each other. It also wins over a time far in the provider's own future: one wrong
    `updated` would keep its status for as long.
    """
    stored_at = known.reported.provider_updated_at
    if 0 < snapshot.provider_at < stored_at - _AHEAD_SECONDS:
        return False
    return reported.provider_updated_at < stored_at - UNCERTAINTY_SECONDS


def _judge_unlisted(draft: RecordingDraft, snapshot: ProviderSnapshot) -> None:
    """Judge recorded connections that the list lacks: an invitation may name one, and the wait for evidence ends."""
    listed = {one.id for one in snapshot.connections}
    for known in draft.records.connections.values():
        if known.id in listed:
            continue
        if known.verdict.waiting and _has_waited_enough(draft, known.reported, snapshot):
            draft.facts.add(Fact(FactKind.UNCLEAR, known.id))
        gone = known.missing_at, known.removed_at
        # Its status was not read now, so an unchanged one confirms nothing.
        if _judged(draft, known.reported, known.verdict, gone) != known.verdict:
            _apply_verdict(draft, known.reported, known, gone)


def _rule_out_invitations(draft: RecordingDraft, reported: ReportedConnection, snapshot: ProviderSnapshot) -> None:
    kinds = draft.facts.kinds(reported.id)
    if kinds & {FactKind.NAMED, FactKind.CLEARED}:
        return
    if rules_out_invitations(reported, snapshot, draft.records.unlisted, ended(draft.records)):
        draft.facts.add(Fact(FactKind.CLEARED, reported.id))
    elif FactKind.UNCLEAR not in kinds and _has_waited_enough(draft, reported, snapshot):
        draft.facts.add(Fact(FactKind.UNCLEAR, reported.id))


def _has_waited_enough(draft: RecordingDraft, reported: ReportedConnection, snapshot: ProviderSnapshot) -> bool:
    """Whether the wait for evidence is over, by the provider's times or by the time since it was recorded here.

    The provider may send no times, or a creation time far in its own future: it would never be over by those.
    """
    known = draft.records.connections.get(reported.id)
    waited = draft.now - known.recorded_at if known is not None else 0.0
    return waited >= UNDECIDED_SECONDS or is_wait_over(reported, snapshot)


def _apply_verdict(draft: RecordingDraft, reported: ReportedConnection, known: Connection | None, gone: _Gone) -> None:
    before = known.verdict if known is not None else None
    verdict = _judged(draft, reported, before, gone)
    if known is not None and _is_unchanged(known, reported, verdict, gone):
        _confirm_attention(draft, known)
        advance_sessions(draft, known)
        return
    connection = _connection(draft, reported, known, verdict)
    connection = replace(connection, missing_at=gone[0], removed_at=gone[1])
    connection = with_attention(draft, connection, known)
    draft.connections[reported.id] = connection
    change_owner(draft, connection, before)
    _report_status(draft, connection, known)
    _resume_reminders(draft, connection, known)
    _read_documents(draft, connection, known)
    advance_sessions(draft, connection)


def _judged(draft: RecordingDraft, reported: ReportedConnection, before: Verdict | None, gone: _Gone) -> Verdict:
    verdict = judge_again(before, draft.facts.about(reported))
    # What is removed waits for nothing: no later snapshot will report anything about it.
    return replace(verdict, waiting=verdict.waiting and gone[1] is None)


def _confirm_attention(draft: RecordingDraft, known: Connection) -> None:
    """An unchanged status may be the second one, which confirms what the connection asks of its user."""
    again = with_attention(draft, known, known) if is_unconfirmed(known) else known
    if again != known:
        draft.connections[known.id] = again
        _report_status(draft, again, known)


def _is_unchanged(known: Connection, reported: ReportedConnection, verdict: Verdict, gone: _Gone) -> bool:
    there = (known.missing_at, known.removed_at) == gone
    return there and verdict == known.verdict and reported == replace(known.reported, company_id=reported.company_id)


def _connection(
    draft: RecordingDraft, reported: ReportedConnection, known: Connection | None, verdict: Verdict
) -> Connection:
    owner = draft.session(verdict.owner.session_id) if verdict.owner else None
    same_owner = known is not None and known.verdict.owner == verdict.owner and known.verdict.kind == verdict.kind
    return Connection(
        id=reported.id,
        company=draft.records.company.ref,
        tenant=draft.records.company.tenant,
        reported=reported,
        verdict=verdict,
        recorded_at=known.recorded_at if known else draft.now,
        updated_at=draft.now,
        evidence_at=known.evidence_at if known and same_owner else (draft.now if verdict.owner else None),
        cross_device=known.cross_device if known and same_owner else owner is not None and owner.taken_over,
        resumed_by_host=known.resumed_by_host if known and same_owner else owner is not None and owner.resumed_by_host,
        provider_mended_at=known.provider_mended_at if known else None,
    )


def _report_status(draft: RecordingDraft, connection: Connection, known: Connection | None) -> None:
    status = connection.status
    before = known.status if known else None
    # The provider has checked a mended connection again and reports the same status: emit an event for that, too.
    if before is not None and known is not None and (before != status or known.state is not connection.state):
        draft.events.append(events.connection_status_changed(connection, before))
    same_user = known is not None and is_of_same_user(known.verdict.owner, connection.verdict.owner)
    asked = known is not None and known.attention_at is not None and same_user
    if connection.attention_at is not None and not asked:
        draft.events.append(events.connection_needs_attention(connection))
        draft.jobs.append(Job(JobKind.REMIND, connection.id, FIRST_REMINDER_SECONDS))


def _resume_reminders(draft: RecordingDraft, connection: Connection, known: Connection | None) -> None:
    """Enqueue the reminders of an episode that goes on after a removal: their job has ended meanwhile."""
    is_back = known is not None and known.removed_at is not None and connection.removed_at is None
    if is_back and known is not None and known.attention_at is not None and connection.attention_at is not None:
        draft.jobs.append(Job(JobKind.REMIND, connection.id))


def _read_documents(draft: RecordingDraft, connection: Connection, known: Connection | None) -> None:
    """Enqueue the reading of its documents each time it begins to work, or works for another owner."""
    # No webhook may ever name them. While the connection does not work the job would end at once.
    if connection.state is not ConnectionState.WORKING or connection.verdict.owner is None:
        return
    worked = known is not None and known.state is ConnectionState.WORKING
    if not worked or (known is not None and known.verdict.owner != connection.verdict.owner):
        draft.jobs.append(Job(JobKind.DOCUMENTS, connection.id, _FIRST_DOCUMENTS_SECONDS))


def _note_use(draft: RecordingDraft, invitation: ReportedInvitation) -> None:
    """Note that the session's invitation was used: the session then waits up to a day longer for its connection."""
    session = draft.session(draft.records.by_invitation.get(invitation.id, SessionId("")))
    if session is None or session.link_used_at is not None or invitation.use_count < 1:
        return
    # The uses of the invitations before say nothing about the present one.
    if session.link is not None and session.link.invitation_id == invitation.id:
        draft.sessions[session.id] = replace(session, link_used_at=draft.now)

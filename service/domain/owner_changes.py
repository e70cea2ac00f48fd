"""What another owner of a connection changes: which sessions lose it, which gets it, and what the log says. Pure."""

from service.domain import events
from service.domain.attached_sessions import detach, reopen
from service.domain.draft import RecordingDraft
from service.domain.model import Candidate, Connection, Session, Verdict


def change_owner(draft: RecordingDraft, connection: Connection, before: Verdict | None) -> None:
    """Move the connection to the owner that its verdict names, and judge every session that loses it again."""
    verdict, previous = connection.verdict, before.owner if before else None
    if verdict.owner == previous and verdict.owner is not None:
        return
    losing = _losing(draft, connection, previous)
    for one in losing:
        detach(draft, one.session_id, connection.id)
    _report_owner(draft, connection, before, losing)
    for one in losing:
        reopen(draft, one.session_id, "reassigned" if verdict.owner else "unattributed")


def _losing(draft: RecordingDraft, connection: Connection, previous: Candidate | None) -> list[Candidate]:
    """Return the previous owner, and the other sessions that have the connection and are not of the new owner's user.

    Those others mended it while it was their user's. Sessions of the new owner's user keep it.
    """
    owner = connection.verdict.owner
    user = (owner.tenant, owner.user) if owner is not None else None
    attached = [draft.session(session_id) for session_id in sorted(draft.attached[connection.id])]
    others = [_candidate(one) for one in attached if one is not None and (one.tenant, one.user) != user]
    return [*([previous] if previous is not None else []), *(one for one in others if one != previous)]


def _candidate(session: Session) -> Candidate:
    return Candidate(session.id, session.tenant, session.user)


def _report_owner(
    draft: RecordingDraft, connection: Connection, before: Verdict | None, losing: list[Candidate]
) -> None:
    verdict, previous = connection.verdict, before.owner if before else None
    if verdict.owner is None or verdict.kind is None:
        _report_ambiguous(draft, connection, before)
        return
    draft.attach(verdict.owner.session_id, connection.id, verdict.kind)
    event = events.connection_recorded(connection)
    if previous is not None:
        event = events.connection_reassigned(connection, previous, losing)
    draft.events.append(event)


def _report_ambiguous(draft: RecordingDraft, connection: Connection, before: Verdict | None) -> None:
    verdict = connection.verdict
    announced = before is not None and not before.waiting and before.owner is None
    if verdict.waiting or (announced and before is not None and before.candidates == verdict.candidates):
        return
    draft.events.append(events.connection_ambiguous(connection, verdict))

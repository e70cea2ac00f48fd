"""Decides which invitations' logs a poll reads. Each new step of a log becomes one event. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from service.domain import events
from service.domain.changes import Changes
from service.domain.model import InvitationId, Session, SessionId
from service.domain.provider_steps import LogEntry, LogStep
from service.domain.timing import POLL_PRESENT_SECONDS

# Each is a call to the provider, and the poll's lease, and others of the company, wait for them.
MOST_LOGS = 5


@dataclass(frozen=True, slots=True)
class UnreadLog:
    """The log of a session's present invitation, which may tell more; `used`: the provider has reported a use."""

    session_id: SessionId
    invitation_id: InvitationId
    used: bool


def logs_to_read(unread: Sequence[UnreadLog], now: float) -> list[UnreadLog]:
    """Return those that this poll reads: used ones first, then the others in turn, so that none waits for ever."""
    if len(unread) <= MOST_LOGS:
        return sorted(unread, key=lambda one: not one.used)
    ordered = sorted(unread, key=lambda one: one.session_id)
    start = int(now // POLL_PRESENT_SECONDS) * MOST_LOGS % len(ordered)
    in_turn = [*ordered[start:], *ordered[:start]]
    return sorted(in_turn, key=lambda one: not one.used)[:MOST_LOGS]


def note_log(session: Session, invitation_id: InvitationId, entries: Sequence[LogEntry]) -> Changes | None:
    """Tell the steps that the log of the session's present invitation names and that were not told yet."""
    if session.link is None or session.link.invitation_id != invitation_id:
        return None  # the link was replaced meanwhile
    first: dict[LogStep, LogEntry] = {}
    for entry in entries:
        first.setdefault(entry.step, entry)
    new = [entry for step, entry in first.items() if step not in session.provider_steps]
    if not new:
        return None
    told = replace(session, provider_steps=(*session.provider_steps, *(entry.step for entry in new)))
    return Changes(sessions=(told,), events=tuple(events.session_progress(told, entry) for entry in new))

"""Decides which invitations' logs a poll reads, and makes one event for each new step in them. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from service.domain import events
from service.domain.changes import Changes
from service.domain.model import InvitationId, Session, SessionId
from service.domain.provider_steps import LogEntry, LogStep
from service.domain.timing import POLL_PRESENT_SECONDS

# How many logs one poll reads. Each is a call to the provider, and the company's next poll waits for all of them.
MOST_LOGS = 5


@dataclass(frozen=True, slots=True)
class UnreadLog:
    """The log of a session's present invitation, which may have new steps; `used`: the provider has reported a use."""

    session_id: SessionId
    invitation_id: InvitationId
    used: bool


def logs_to_read(unread: Sequence[UnreadLog], now: float) -> list[UnreadLog]:
    """Return those that this poll reads: used ones first, then the others in turn, so that each has its turn."""
    if len(unread) <= MOST_LOGS:
        return sorted(unread, key=lambda one: not one.used)
    ordered = sorted(unread, key=lambda one: one.session_id)
    start = int(now // POLL_PRESENT_SECONDS) * MOST_LOGS % len(ordered)
    in_turn = [*ordered[start:], *ordered[:start]]
    return sorted(in_turn, key=lambda one: not one.used)[:MOST_LOGS]


def note_log(session: Session, invitation_id: InvitationId, entries: Sequence[LogEntry]) -> Changes | None:
    """Emit an event for each step in the log of the session's present invitation that has none yet."""
    if session.link is None or session.link.invitation_id != invitation_id:
        return None  # the link was replaced meanwhile
    first: dict[LogStep, LogEntry] = {}
    for entry in entries:
        first.setdefault(entry.step, entry)
    new = [entry for step, entry in first.items() if step not in session.provider_steps]
    if not new:
        return None
    noted = replace(session, provider_steps=(*session.provider_steps, *(entry.step for entry in new)))
    return Changes(sessions=(noted,), events=tuple(events.session_progress(noted, entry) for entry in new))

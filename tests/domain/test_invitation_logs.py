"""Which logs a poll reads, and what a log changes."""

from service.domain.invitation_logs import MOST_LOGS, UnreadLog, logs_to_read, note_log
from service.domain.model import InvitationId, SessionId
from service.domain.provider_steps import LogEntry, LogStep
from service.domain.timing import POLL_PRESENT_SECONDS
from tests.support.domain_values import NOW, link, session, with_link

INVITATION = InvitationId("inv_1")
VIEWED, USED = LogEntry(LogStep.VIEWED, 1_700_000_000.0), LogEntry(LogStep.SUBMITTED, None)
ADA = with_link(session(), link())


def unread(number: int, *, used: bool = False) -> UnreadLog:
    return UnreadLog(SessionId(f"ses_{number:02}"), InvitationId(f"inv_{number:02}"), used)


def test_the_log_of_an_invitation_that_is_no_longer_the_sessions_changes_nothing() -> None:
    assert note_log(ADA, InvitationId("inv_old"), [VIEWED]) is None
    assert note_log(session(), INVITATION, [VIEWED]) is None


def test_what_was_told_is_not_told_again() -> None:
    told = note_log(ADA, INVITATION, [VIEWED, VIEWED, VIEWED])
    assert told is not None
    (after,) = told.sessions
    assert [event.data for event in told.events] == [{"step": "viewed", "providerAt": "2023-11-14T22:13:20Z"}]
    assert note_log(after, INVITATION, [VIEWED]) is None
    more = note_log(after, INVITATION, [VIEWED, USED])
    assert more is not None
    assert [event.data for event in more.events] == [{"step": "submitted"}]
    assert more.sessions[0].provider_steps == (LogStep.VIEWED, LogStep.SUBMITTED)


def test_used_invitations_come_first() -> None:
    logs = [*(unread(number) for number in range(20)), unread(99, used=True)]
    assert logs_to_read(logs, NOW)[0] == unread(99, used=True)
    assert logs_to_read([unread(1), unread(2, used=True)], NOW) == [unread(2, used=True), unread(1)]


def test_no_poll_reads_more_than_a_few_and_every_log_has_its_turn() -> None:
    logs = [unread(number) for number in range(3 * MOST_LOGS + 2)]
    polls = [logs_to_read(logs, NOW + number * POLL_PRESENT_SECONDS) for number in range(len(logs))]
    assert {len(read) for read in polls} == {MOST_LOGS}
    assert {one for read in polls for one in read} == set(logs)

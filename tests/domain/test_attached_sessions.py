"""What a session becomes by the connections that are attached to it, and what its log says of that."""

from dataclasses import replace

import pytest

from service.domain.attached_sessions import main_connection
from service.domain.model import ReportedConnection, Session
from service.domain.session_status import SessionStatus
from tests.support.company_records import RecordedCompany
from tests.support.domain_values import (
    CONNECTION,
    NOW,
    connection,
    invitation,
    link,
    seen,
    session,
    with_link,
    with_status,
)

ADA = with_link(session("ada", seen_at=NOW), link())
OURS = invitation("inv_1", CONNECTION)


def of(status: str, number: int = 0) -> ReportedConnection:
    return seen(status=status, provider_updated_at=seen().provider_updated_at + 60 * number)


def after(*statuses: str, owner: Session = ADA) -> RecordedCompany:
    """Her connection reports these statuses, a minute apart."""
    company = RecordedCompany(owner)
    for number, status in enumerate(statuses):
        company.take(of(status, number), OURS)
    return company


def test_a_connection_that_is_checked_and_then_works_is_submitted_and_then_connected() -> None:
    company = after("PENDING", "CONNECTED")
    assert company.sessions[ADA.id].status is SessionStatus.CONNECTED
    reported = [one for one in company.event_types() if one.startswith("session.")]
    assert reported == ["session.submitted", "session.connected"]


def test_the_event_says_what_the_provider_said() -> None:
    (event,) = [one for one in after("WEBSITE_DOWN").events if one.type == "session.submitted"]
    assert (event.session_id, event.connection_id) == (ADA.id, CONNECTION)
    assert event.data == {"status": "WEBSITE_DOWN", "state": "delayed"}


@pytest.mark.parametrize("status", ["PASSWORD_INCORRECT", "NO_ACCOUNTS_FOUND", "COMPANY_INACTIVE", "PENDING"])
def test_what_a_connection_says_after_it_worked_leaves_its_session_connected(status: str) -> None:
    company = after("CONNECTED", status)
    assert company.sessions[ADA.id].status is SessionStatus.CONNECTED
    assert company.event_types().count("session.submitted") == 0


def test_a_password_refused_after_a_check_leaves_its_session_submitted() -> None:
    company = after("PENDING", "PASSWORD_INCORRECT")
    assert company.sessions[ADA.id].status is SessionStatus.SUBMITTED
    assert company.event_types()[-1] == "connection.needs_attention"


def test_no_accounts_behind_the_sign_in_is_not_connected_and_asks_the_user() -> None:
    company = after("NO_ACCOUNTS_FOUND")
    assert company.sessions[ADA.id].status is SessionStatus.OPENED
    assert company.event_types() == ["connection.recorded", "connection.needs_attention"]


def test_attention_is_asked_for_once_until_the_connection_works() -> None:
    company = after("PASSWORD_INCORRECT", "PENDING", "MFA_TOKEN_EXPIRED", "NO_ACCOUNTS_FOUND")
    assert company.event_types().count("connection.needs_attention") == 1
    company.take(of("CONNECTED", 5), OURS)
    company.take(of("PASSWORD_INCORRECT", 6), OURS)
    assert company.event_types().count("connection.needs_attention") == 2


def test_nothing_that_is_recorded_moves_a_revoked_session() -> None:
    company = after("PENDING", "CONNECTED", owner=with_status(ADA, SessionStatus.REVOKED))
    assert company.sessions[ADA.id].status is SessionStatus.REVOKED
    assert not [one for one in company.event_types() if one.startswith("session.")]
    assert company.connections[CONNECTION].verdict.owner is not None


@pytest.mark.parametrize(
    ("reported", "status", "event"),
    [
        ("CONNECTED", "connected", "session.connected"),
        ("PENDING", "submitted", "session.submitted"),
        ("PASSWORD_INCORRECT", "exited", "session.exited"),
    ],
)
def test_what_is_recorded_late_moves_an_expired_session(reported: str, status: str, event: str) -> None:
    company = after(reported, owner=with_status(ADA, SessionStatus.EXPIRED))
    assert company.sessions[ADA.id].status == status
    assert [one for one in company.event_types() if one.startswith("session.")] == [event]


def test_a_session_that_exits_by_what_is_recorded_late_says_that_its_time_was_over() -> None:
    company = after("PASSWORD_INCORRECT", owner=with_status(ADA, SessionStatus.EXPIRED))
    (event,) = [one for one in company.events if one.type == "session.exited"]
    assert (event.data["stage"], event.data["reason"]) == ("page", "time")


def test_what_is_recorded_late_moves_a_failed_session() -> None:
    assert after("CONNECTED", owner=replace(ADA, failure="link_revoked")).sessions[ADA.id].status == "connected"


@pytest.mark.parametrize("status", ["PASSWORD_INCORRECT", "PENDING"])
def test_what_is_recorded_of_the_others_takes_nothing_back_once_what_connected_it_is_deleted(status: str) -> None:
    owner = with_status(ADA, SessionStatus.CONNECTED, over_at=NOW)
    company = after("PASSWORD_INCORRECT", status, owner=owner)
    assert company.sessions[ADA.id].status is SessionStatus.CONNECTED
    assert not [one for one in company.event_types() if one.startswith("session.")]


def test_the_time_of_the_first_achievement_is_kept() -> None:
    company = after("PENDING")
    assert company.sessions[ADA.id].settled_at == NOW
    company.take(of("CONNECTED", 1), OURS)
    assert company.sessions[ADA.id].settled_at == NOW


def test_a_result_names_the_newest_connection_that_works() -> None:
    broken = connection(reported=seen("broken", "PASSWORD_INCORRECT"))
    works = [connection(reported=seen(name)) for name in ("older", "newer")]
    assert main_connection([*works, broken]) == works[-1]
    assert main_connection([broken]) == broken
    assert main_connection([]) is None

"""What a provider snapshot changes and which events it emits: several connections, statuses, late and repeated ones."""

from dataclasses import replace

import pytest

from service.domain.changes import Changes, Fact, FactKind, Job, JobKind, StoredFact
from service.domain.model import ConnectionId, EvidenceKind, InvitationId
from service.domain.recording import record
from service.domain.session_status import SessionStatus
from service.domain.timing import UNDECIDED_SECONDS
from tests.support.company_records import RecordedCompany
from tests.support.domain_values import (
    CONNECTION,
    NOW,
    connection,
    invitation,
    link,
    reading,
    row,
    seen,
    session,
    with_link,
    with_status,
)

ADA = with_link(session("ada", seen_at=NOW), link())
BOB = with_link(session("bob"), link(invitation_id="inv_2"))


def recorded(status: str = "CONNECTED") -> RecordedCompany:
    """Ada's connection, made by her invitation."""
    company = RecordedCompany(ADA)
    company.take(seen(status=status), invitation("inv_1", CONNECTION))
    return company


def test_a_new_connection_is_recorded_for_the_session_whose_invitation_names_it() -> None:
    company = RecordedCompany(ADA)
    changes = company.take(seen(), invitation("inv_1", CONNECTION))
    (made,) = changes.connections
    assert (made.recorded_at, made.evidence_at, made.updated_at) == (NOW, NOW, NOW)
    assert set(company.attached) == {(ADA.id, CONNECTION)}
    assert company.sessions[ADA.id].status is SessionStatus.CONNECTED
    assert company.event_types() == ["connection.recorded", "session.connected"]
    assert changes.jobs == (Job(JobKind.DOCUMENTS, CONNECTION, 5.0),)


def test_the_event_of_a_new_connection_names_evidence_status_and_owner() -> None:
    event = recorded("INCORRECT_PASSWORD").events[0]
    assert (event.session_id, event.connection_id, event.user) == (ADA.id, CONNECTION, ADA.user)
    assert event.data == {
        "evidence": "invitation",
        "presumed": False,
        "status": "PASSWORD_INCORRECT",
        "state": "action_needed",
    }


def test_the_same_snapshot_again_changes_nothing() -> None:
    company = recorded()
    assert company.take(seen(), invitation("inv_1", CONNECTION)) == Changes()


def test_an_empty_snapshot_changes_nothing() -> None:
    """Absence proves nothing: pages shift while we read and one id is skipped."""
    company = recorded()
    before = dict(company.connections)
    assert company.take() == Changes()
    assert company.connections == before


def test_the_same_account_connected_twice_is_two_connections() -> None:
    company = RecordedCompany(ADA)
    company.take(seen(), seen("connection-2"), invitation("inv_1", CONNECTION, "connection-2"))
    assert set(company.attached) == {(ADA.id, CONNECTION), (ADA.id, ConnectionId("connection-2"))}
    assert company.event_types().count("connection.recorded") == 2
    assert company.event_types().count("session.connected") == 1


def test_the_second_connection_of_a_session_is_recorded_when_it_comes_later() -> None:
    company = recorded()
    company.take(seen(), seen("connection-2", after=60), invitation("inv_1", CONNECTION, "connection-2"), after=61)
    assert company.verdict(ConnectionId("connection-2")).kind is EvidenceKind.INVITATION


def test_two_users_connections_in_one_snapshot_go_each_to_their_own() -> None:
    company = RecordedCompany(ADA, BOB)
    company.take(seen(), seen("b"), invitation("inv_1", CONNECTION), invitation("inv_2", "b"))
    assert set(company.attached) == {(ADA.id, CONNECTION), (BOB.id, ConnectionId("b"))}


# what is not ours to record


def listed(*prior: str) -> tuple[StoredFact, ...]:
    """The company was listed before its first link, and had these."""
    facts = Fact(FactKind.LISTED), *(Fact(FactKind.PRIOR, ConnectionId(one)) for one in prior)
    return tuple(StoredFact(fact, NOW, None, None) for fact in facts)


def test_a_connection_that_was_there_before_the_companys_first_link_is_not_recorded() -> None:
    assert RecordedCompany(ADA, facts=listed(CONNECTION)).take(seen(after=60)).connections == ()


def test_a_connection_that_was_not_there_before_is_recorded_however_old_it_says_it_is() -> None:
    assert len(RecordedCompany(ADA, facts=listed("another")).take(seen(after=-9999)).connections) == 1


def test_in_a_company_that_had_nothing_everything_is_recorded_however_old_it_says_it_is() -> None:
    assert len(RecordedCompany(ADA, facts=listed()).take(seen(after=-9999)).connections) == 1


def test_what_was_not_there_before_is_recorded_though_something_is_said_of_it() -> None:
    named = StoredFact(Fact(FactKind.NAMED, CONNECTION, None, InvitationId("inv_other")), NOW, None, None)
    assert len(RecordedCompany(ADA, facts=(*listed("another"), named)).take(seen(after=-9999)).connections) == 1


def test_whatever_else_is_said_of_a_company_that_was_never_listed_its_old_connections_are_not_recorded() -> None:
    company = RecordedCompany(ADA)
    company.reveal(ADA, -9999)
    assert company.take(seen(after=-9998)).connections == ()


def test_of_what_an_invitation_names_nothing_is_left_to_be_cleared_a_day_later() -> None:
    assert recorded().take(seen(), invitation("inv_1", CONNECTION), after=UNDECIDED_SECONDS) == Changes()


def test_in_a_company_that_was_never_listed_what_is_older_than_its_first_session_is_not_recorded() -> None:
    assert RecordedCompany(ADA).take(seen(after=-605.1)).connections == ()


def test_in_a_company_that_was_never_listed_what_is_as_old_as_the_uncertainty_is_recorded() -> None:
    assert len(RecordedCompany(ADA).take(seen(after=-605)).connections) == 1


def test_a_company_that_never_had_a_session_has_nothing_to_record() -> None:
    company = RecordedCompany()
    bare = replace(company.records(), company=replace(company.records().company, provider_since_at=None))
    assert record(bare, reading(seen()), NOW) == Changes()


def test_what_our_own_invitation_made_is_recorded_whatever_the_times_say() -> None:
    company = RecordedCompany(ADA)
    company.take(seen(after=-9999), invitation("inv_1", CONNECTION, after=-10000))
    assert company.verdict().kind is EvidenceKind.INVITATION


def test_what_an_invitation_made_elsewhere_is_not_recorded_when_it_is_older() -> None:
    assert RecordedCompany(ADA).take(seen(after=-9999), invitation("inv_other", CONNECTION)).connections == ()


def test_an_old_connection_that_was_recorded_on_purpose_is_kept_up_to_date() -> None:
    company = RecordedCompany()
    old = seen(after=-9999)
    company.connections[CONNECTION] = connection(reported=old)
    changes = company.take(replace(old, status="WEBSITE_DOWN", provider_updated_at=old.provider_updated_at + 1))
    assert changes.connections[0].reported.status == "WEBSITE_DOWN"


def test_where_the_first_list_was_not_read_whole_the_creation_time_must_do_for_the_rest() -> None:
    company = RecordedCompany(ADA, facts=(row(Fact(FactKind.PRIOR, ConnectionId("old"))),))
    company.reveal(ADA, -60)
    changes = company.take(seen("old"), seen("unread", after=-9999), seen("new"))
    assert [one.id for one in changes.connections] == ["new"]


# statuses


@pytest.mark.parametrize(
    ("status", "session_status"),
    [
        ("PENDING", "submitted"),
        ("WEBSITE_DOWN", "submitted"),
        ("SOMETHING_NEW", "submitted"),
        ("PASSWORD_INCORRECT", "opened"),
        ("NO_ACCOUNTS_FOUND", "opened"),
    ],
)
def test_a_session_is_connected_only_when_its_connection_works(status: str, session_status: str) -> None:
    company = recorded(status)
    assert company.sessions[ADA.id].status == session_status
    later = seen(provider_updated_at=seen().provider_updated_at + 9)
    company.take(later, invitation("inv_1", CONNECTION))
    assert company.sessions[ADA.id].status is SessionStatus.CONNECTED
    assert company.event_types()[-2:] == ["connection.updated", "session.connected"]


def test_the_event_of_a_changed_status_names_the_status_before() -> None:
    company = recorded()
    company.take(seen(status="WEBSITE_DOWN", provider_updated_at=seen().provider_updated_at + 9))
    event = company.events[-1]
    assert (event.type, event.session_id) == ("connection.updated", ADA.id)
    assert event.data == {"status": "WEBSITE_DOWN", "state": "delayed", "from": "CONNECTED"}


def test_another_spelling_of_the_same_status_changes_nothing() -> None:
    company = recorded("INCORRECT_PASSWORD")
    count = len(company.events)
    changes = company.take(seen(status="PASSWORD_INCORRECT"))
    assert changes.connections[0].reported.status == "PASSWORD_INCORRECT"
    assert len(company.events) == count


def test_wrong_credentials_ask_for_the_users_attention_and_name_the_reconnect_call() -> None:
    company = recorded("INCORRECT_PASSWORD")
    (event,) = [one for one in company.events if one.type == "connection.needs_attention"]
    call = f"POST /v1/connections/{CONNECTION}/reconnect"
    assert event.data == {"status": "PASSWORD_INCORRECT", "state": "action_needed", "reconnect": call}
    assert (event.session_id, event.user) == (ADA.id, ADA.user)


def test_attention_is_asked_for_once_while_the_status_stays() -> None:
    company = recorded("INCORRECT_PASSWORD")
    company.take(seen(status="INCORRECT_PASSWORD", provider_updated_at=seen().provider_updated_at + 60))
    assert company.event_types().count("connection.needs_attention") == 1


def test_attention_is_asked_for_again_when_it_breaks_again() -> None:
    company = recorded("PASSWORD_INCORRECT")
    for number, status in enumerate(["CONNECTED", "MFA_TOKEN_EXPIRED"], 1):
        company.take(seen(status=status, provider_updated_at=seen().provider_updated_at + number))
    assert company.event_types().count("connection.needs_attention") == 2


def test_an_unattributed_connection_asks_for_no_attention() -> None:
    company = RecordedCompany(ADA)
    company.take(seen(status="PASSWORD_INCORRECT"))
    assert "connection.needs_attention" not in company.event_types()


def test_who_becomes_the_owner_of_a_broken_connection_is_asked() -> None:
    company = RecordedCompany(ADA)
    company.take(seen(status="PASSWORD_INCORRECT"))
    company.take(seen(status="PASSWORD_INCORRECT"), invitation("inv_1", CONNECTION))
    assert company.event_types()[-2:] == ["connection.recorded", "connection.needs_attention"]


def test_an_older_snapshot_after_a_newer_one_changes_no_status() -> None:
    company = recorded()
    newest = seen(status="PASSWORD_INCORRECT", provider_updated_at=seen().provider_updated_at + 60)
    company.take(newest)
    assert company.take(seen()) == Changes()
    assert company.connections[CONNECTION].reported == newest


def test_an_older_snapshot_may_still_bring_evidence() -> None:
    company = RecordedCompany(ADA)
    newest = seen(status="PENDING", provider_updated_at=seen().provider_updated_at + 60)
    company.take(newest)
    company.take(seen(), invitation("inv_1", CONNECTION))
    assert company.verdict().kind is EvidenceKind.INVITATION
    assert company.connections[CONNECTION].reported == newest


def test_a_connection_that_is_back_is_missed_no_more() -> None:
    company = recorded()
    company.connections[CONNECTION] = replace(company.connections[CONNECTION], missing_at=NOW, removed_at=NOW)
    (back,) = company.take(seen()).connections
    assert (back.missing_at, back.removed_at) == (None, None)
    assert back.verdict.kind is EvidenceKind.INVITATION


def test_where_the_page_was_taken_over_the_connection_says_so() -> None:
    company = RecordedCompany(replace(ADA, taken_over=True))
    company.take(seen(), invitation("inv_1", CONNECTION))
    assert company.connections[CONNECTION].cross_device


# sessions


@pytest.mark.parametrize("status", [SessionStatus.EXITED, SessionStatus.EXPIRED, SessionStatus.CREATED])
def test_a_session_that_was_left_or_expired_is_connected_by_what_comes_late(status: SessionStatus) -> None:
    company = RecordedCompany(with_status(ADA, status))
    company.take(seen(), invitation("inv_1", CONNECTION))
    assert company.sessions[ADA.id].status is SessionStatus.CONNECTED


def test_a_revoked_session_stays_revoked_though_its_connection_is_recorded() -> None:
    company = RecordedCompany(with_status(ADA, SessionStatus.REVOKED))
    company.take(seen(), invitation("inv_1", CONNECTION))
    assert company.sessions[ADA.id].status is SessionStatus.REVOKED
    assert company.event_types() == ["connection.recorded"]


def test_an_owner_whose_session_is_not_in_the_records_changes_no_session() -> None:
    company = recorded("PENDING")
    del company.sessions[ADA.id]
    assert company.take(seen(provider_updated_at=seen().provider_updated_at + 1)).sessions == ()

"""What a reading changes: who is told what, once; several connections, statuses, late and repeated news."""

from dataclasses import replace

import pytest

from service.domain.changes import Changes, Fact, FactKind, Job, JobKind, StoredFact
from service.domain.model import ConnectionId, EvidenceKind, InvitationId, SessionStatus
from service.domain.recording import record
from service.domain.timing import UNDECIDED_SECONDS
from tests.support.company_records import RecordedCompany
from tests.support.domain_values import CONNECTION, NOW, connection, invitation, link, reading, seen, session, with_link

ADA = with_link(session("ada"), link())
BOB = with_link(session("bob"), link(invitation_id="inv_2"))


def recorded(status: str = "CONNECTED") -> RecordedCompany:
    """Ada's connection, made by her invitation."""
    books = RecordedCompany(ADA)
    books.take(seen(status=status), invitation("inv_1", CONNECTION))
    return books


def test_a_new_connection_is_recorded_for_the_session_whose_invitation_names_it() -> None:
    books = RecordedCompany(ADA)
    changes = books.take(seen(), invitation("inv_1", CONNECTION))
    (made,) = changes.connections
    assert (made.recorded_at, made.evidence_at, made.updated_at) == (NOW, NOW, NOW)
    assert books.attached == {(ADA.id, CONNECTION)}
    assert books.sessions[ADA.id].status is SessionStatus.CONNECTED
    assert books.told() == ["connection.recorded", "session.connected"]
    assert changes.jobs == (Job(JobKind.DOCUMENTS, CONNECTION, 5.0),)


def test_what_is_told_of_a_new_connection_names_evidence_and_status_and_its_owner() -> None:
    news = recorded("INCORRECT_PASSWORD").events[0]
    assert (news.session_id, news.connection_id, news.user_id) == (ADA.id, CONNECTION, ADA.user_id)
    assert news.data == {"evidence": "invitation", "presumed": False, "status": "PASSWORD_INCORRECT"}


def test_the_same_reading_again_changes_nothing() -> None:
    books = recorded()
    assert books.take(seen(), invitation("inv_1", CONNECTION)) == Changes()


def test_an_empty_reading_changes_nothing() -> None:
    """Absence proves nothing: pages shift while we read and one id is skipped."""
    books = recorded()
    before = dict(books.connections)
    assert books.take() == Changes()
    assert books.connections == before


def test_the_same_account_connected_twice_is_two_connections() -> None:
    books = RecordedCompany(ADA)
    books.take(seen(), seen("connection-2"), invitation("inv_1", CONNECTION, "connection-2"))
    assert books.attached == {(ADA.id, CONNECTION), (ADA.id, ConnectionId("connection-2"))}
    assert books.told().count("connection.recorded") == 2
    assert books.told().count("session.connected") == 1


def test_the_second_connection_of_a_session_is_recorded_when_it_comes_later() -> None:
    books = recorded()
    books.take(seen(), seen("connection-2", after=60), invitation("inv_1", CONNECTION, "connection-2"), after=61)
    assert books.verdict(ConnectionId("connection-2")).kind is EvidenceKind.INVITATION


def test_two_users_connections_in_one_reading_go_each_to_their_own() -> None:
    books = RecordedCompany(ADA, BOB)
    books.take(seen(), seen("b"), invitation("inv_1", CONNECTION), invitation("inv_2", "b"))
    assert books.attached == {(ADA.id, CONNECTION), (BOB.id, ConnectionId("b"))}


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
    books = RecordedCompany(ADA)
    books.reveal(ADA, -9999)
    assert books.take(seen(after=-9998)).connections == ()


def test_of_what_an_invitation_names_nothing_is_left_to_be_cleared_a_day_later() -> None:
    assert recorded().take(seen(), invitation("inv_1", CONNECTION), after=UNDECIDED_SECONDS) == Changes()


def test_in_a_company_that_was_never_listed_what_is_older_than_its_first_session_is_not_recorded() -> None:
    assert RecordedCompany(ADA).take(seen(after=-605.1)).connections == ()


def test_in_a_company_that_was_never_listed_what_is_as_old_as_the_uncertainty_is_recorded() -> None:
    assert len(RecordedCompany(ADA).take(seen(after=-605)).connections) == 1


def test_a_company_that_never_had_a_session_has_nothing_to_record() -> None:
    books = RecordedCompany()
    bare = replace(books.records(), company=replace(books.records().company, provider_since_at=None))
    assert record(bare, reading(seen()), NOW) == Changes()


def test_what_our_own_invitation_made_is_recorded_whatever_the_times_say() -> None:
    books = RecordedCompany(ADA)
    books.take(seen(after=-9999), invitation("inv_1", CONNECTION, after=-10000))
    assert books.verdict().kind is EvidenceKind.INVITATION


def test_what_an_invitation_made_elsewhere_is_not_recorded_when_it_is_older() -> None:
    assert RecordedCompany(ADA).take(seen(after=-9999), invitation("inv_other", CONNECTION)).connections == ()


def test_an_old_connection_that_was_recorded_on_purpose_is_kept_up_to_date() -> None:
    books = RecordedCompany()
    old = seen(after=-9999)
    books.connections[CONNECTION] = connection(reported=old)
    changes = books.take(replace(old, status="WEBSITE_DOWN", provider_updated_at=old.provider_updated_at + 1))
    assert changes.connections[0].reported.status == "WEBSITE_DOWN"


# statuses


@pytest.mark.parametrize("status", ["PENDING", "WEBSITE_DOWN", "PASSWORD_INCORRECT", "SOMETHING_NEW"])
def test_a_session_is_connected_only_when_the_credentials_work(status: str) -> None:
    books = recorded(status)
    assert books.sessions[ADA.id].status is SessionStatus.OPENED
    later = seen(provider_updated_at=seen().provider_updated_at + 9)
    books.take(later, invitation("inv_1", CONNECTION))
    assert books.sessions[ADA.id].status is SessionStatus.CONNECTED
    assert books.told()[-2:] == ["connection.updated", "session.connected"]


def test_a_changed_status_is_told_with_what_it_was_before() -> None:
    books = recorded()
    books.take(seen(status="WEBSITE_DOWN", provider_updated_at=seen().provider_updated_at + 9))
    news = books.events[-1]
    assert (news.type, news.session_id) == ("connection.updated", ADA.id)
    assert news.data == {"status": "WEBSITE_DOWN", "from": "CONNECTED"}


def test_another_spelling_of_the_same_status_is_no_news() -> None:
    books = recorded("INCORRECT_PASSWORD")
    count = len(books.events)
    changes = books.take(seen(status="PASSWORD_INCORRECT"))
    assert changes.connections[0].reported.status == "PASSWORD_INCORRECT"
    assert len(books.events) == count


def test_wrong_credentials_ask_for_the_users_attention_and_name_the_reconnect_call() -> None:
    books = recorded("INCORRECT_PASSWORD")
    (news,) = [one for one in books.events if one.type == "connection.needs_attention"]
    call = f"POST /v1/connections/{CONNECTION}/reconnect"
    assert news.data == {"status": "PASSWORD_INCORRECT", "reconnect": call}
    assert (news.session_id, news.user_id) == (ADA.id, ADA.user_id)


def test_attention_is_asked_for_once_while_the_status_stays() -> None:
    books = recorded("INCORRECT_PASSWORD")
    books.take(seen(status="INCORRECT_PASSWORD", provider_updated_at=seen().provider_updated_at + 60))
    assert books.told().count("connection.needs_attention") == 1


def test_attention_is_asked_for_again_when_it_breaks_again() -> None:
    books = recorded("PASSWORD_INCORRECT")
    for number, status in enumerate(["CONNECTED", "MFA_TOKEN_EXPIRED"], 1):
        books.take(seen(status=status, provider_updated_at=seen().provider_updated_at + number))
    assert books.told().count("connection.needs_attention") == 2


def test_nobodys_attention_is_asked_for_an_unattributed_connection() -> None:
    books = RecordedCompany(ADA)
    books.take(seen(status="PASSWORD_INCORRECT"))
    assert "connection.needs_attention" not in books.told()


def test_who_becomes_the_owner_of_a_broken_connection_is_asked() -> None:
    books = RecordedCompany(ADA)
    books.take(seen(status="PASSWORD_INCORRECT"))
    books.take(seen(status="PASSWORD_INCORRECT"), invitation("inv_1", CONNECTION))
    assert books.told()[-2:] == ["connection.recorded", "connection.needs_attention"]


def test_older_news_after_newer_leaves_the_newest_truth() -> None:
    books = recorded()
    newest = seen(status="PASSWORD_INCORRECT", provider_updated_at=seen().provider_updated_at + 60)
    books.take(newest)
    assert books.take(seen()) == Changes()
    assert books.connections[CONNECTION].reported == newest


def test_older_news_may_still_bring_evidence() -> None:
    books = RecordedCompany(ADA)
    newest = seen(status="PENDING", provider_updated_at=seen().provider_updated_at + 60)
    books.take(newest)
    books.take(seen(), invitation("inv_1", CONNECTION))
    assert books.verdict().kind is EvidenceKind.INVITATION
    assert books.connections[CONNECTION].reported == newest


def test_a_connection_that_is_back_is_missed_no_more() -> None:
    books = recorded()
    books.connections[CONNECTION] = replace(books.connections[CONNECTION], missing_at=NOW, removed_at=NOW)
    (back,) = books.take(seen()).connections
    assert (back.missing_at, back.removed_at) == (None, None)
    assert back.verdict.kind is EvidenceKind.INVITATION


def test_where_the_page_was_taken_over_the_connection_says_so() -> None:
    books = RecordedCompany(replace(ADA, taken_over=True))
    books.take(seen(), invitation("inv_1", CONNECTION))
    assert books.connections[CONNECTION].cross_device


# sessions


@pytest.mark.parametrize("status", [SessionStatus.EXITED, SessionStatus.EXPIRED, SessionStatus.CREATED])
def test_a_session_that_was_left_or_expired_is_connected_by_what_comes_late(status: SessionStatus) -> None:
    books = RecordedCompany(replace(ADA, status=status))
    books.take(seen(), invitation("inv_1", CONNECTION))
    assert books.sessions[ADA.id].status is SessionStatus.CONNECTED


def test_a_revoked_session_stays_revoked_though_its_connection_is_recorded() -> None:
    books = RecordedCompany(replace(ADA, status=SessionStatus.REVOKED))
    books.take(seen(), invitation("inv_1", CONNECTION))
    assert books.sessions[ADA.id].status is SessionStatus.REVOKED
    assert books.told() == ["connection.recorded"]


def test_an_owner_whose_session_is_not_in_the_ledger_changes_no_session() -> None:
    books = recorded("PENDING")
    del books.sessions[ADA.id]
    assert books.take(seen(provider_updated_at=seen().provider_updated_at + 1)).sessions == ()

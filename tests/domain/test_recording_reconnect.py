"""Reconnecting: the connection keeps its id and its owner; what shows that it was done, and what does not."""

from dataclasses import replace

import pytest

from service.domain.changes import Attachment, Changes, Fact, FactKind
from service.domain.model import (
    EvidenceKind,
    Mode,
    ReportedConnection,
    ReportedInvitation,
    Session,
    SessionStatus,
    Verdict,
)
from tests.support.company_records import RecordedCompany
from tests.support.domain_values import (
    ADA,
    BOB,
    CONNECTION,
    CREATED_AT,
    MAGIC,
    NOW,
    connection,
    invitation,
    link,
    row,
    seen,
    session,
    with_link,
)

OWNER = with_link(session("ada", status=SessionStatus.CONNECTED), link())
MENDING = session("ada", "ses_mending", mode=Mode.RECONNECT, connection_id=CONNECTION)
BY_INVITATION = with_link(MENDING, link(invitation_id="inv_edit"))
BY_LINK = with_link(MENDING, MAGIC, finished_at=NOW)
OWNED = Verdict(EvidenceKind.INVITATION, ADA)
BROKEN = seen(status="PASSWORD_INCORRECT")


def used(times: int) -> ReportedInvitation:
    return replace(invitation("inv_edit", uses=times), edits=CONNECTION)


def mended(after: float) -> ReportedConnection:
    return replace(BROKEN, status="CONNECTED", provider_updated_at=CREATED_AT + after)


def books_with(mending: Session, verdict: Verdict = OWNED, revealed_after: float = 600) -> RecordedCompany:
    """Ada's broken connection, and a session in which it is to be mended."""
    fact = Fact(FactKind.NAMED, CONNECTION, OWNER.id, OWNER.link.invitation_id if OWNER.link else None)
    books = RecordedCompany(OWNER, mending, facts=(row(fact, OWNER), row(Fact(FactKind.CLEARED, CONNECTION))))
    books.connections[CONNECTION] = connection(verdict, reported=BROKEN)
    books.attached.add((OWNER.id, CONNECTION))
    if mending.link == MAGIC:
        books.reveal(mending, revealed_after, edits=CONNECTION)
    return books


def test_a_used_reconnect_invitation_joins_the_session_to_its_connection() -> None:
    books = books_with(BY_INVITATION)
    changes = books.take(BROKEN, used(1))
    assert changes.attachments == (Attachment(MENDING.id, CONNECTION, EvidenceKind.RECONNECT),)
    assert books.sessions[MENDING.id].invitation_uses == 1
    assert books.sessions[MENDING.id].status is SessionStatus.OPENED


def test_once_the_credentials_work_the_reconnect_session_is_connected_and_the_owner_stays() -> None:
    books = books_with(BY_INVITATION)
    books.take(BROKEN, used(1))
    books.take(mended(700), used(1))
    assert books.sessions[MENDING.id].status is SessionStatus.CONNECTED
    assert books.verdict() == OWNED
    assert books.told() == ["connection.updated", "session.connected"]


def test_use_and_success_in_one_reading_are_enough() -> None:
    books = books_with(BY_INVITATION)
    books.take(mended(700), used(1))
    assert books.sessions[MENDING.id].status is SessionStatus.CONNECTED


def test_the_same_use_again_changes_nothing() -> None:
    books = books_with(BY_INVITATION)
    books.take(BROKEN, used(1))
    assert books.take(BROKEN, used(1)) == Changes()


def test_an_unused_reconnect_invitation_proves_nothing() -> None:
    assert books_with(BY_INVITATION).take(BROKEN, used(0)) == Changes()


def test_a_second_use_of_an_invitation_joins_only_once() -> None:
    books = books_with(BY_INVITATION)
    books.take(BROKEN, used(1))
    changes = books.take(BROKEN, used(2))
    assert changes.attachments == ()
    assert changes.sessions[0].invitation_uses == 2


def test_the_invitation_of_a_session_that_makes_new_connections_reconnects_nothing() -> None:
    books = books_with(replace(BY_INVITATION, mode=Mode.CONNECT))
    assert books.take(BROKEN, used(1)) == Changes()


def test_an_invitation_that_is_not_ours_reconnects_nothing() -> None:
    books = books_with(with_link(MENDING, link(invitation_id="inv_other")))
    assert books.take(BROKEN, used(1)) == Changes()


@pytest.mark.parametrize("verdict", [Verdict(), Verdict(EvidenceKind.INVITATION, BOB)])
def test_a_connection_that_is_not_the_users_is_not_reconnected_for_the_user(verdict: Verdict) -> None:
    books = books_with(BY_INVITATION, verdict)
    books.facts.clear()
    if verdict.owner:
        books.facts.append(row(Fact(FactKind.NAMED, CONNECTION, BOB.session_id, link().invitation_id), session("bob")))
    changes = books.take(BROKEN, used(1))
    assert changes.attachments == ()
    assert books.sessions[MENDING.id].status is SessionStatus.OPENED


def test_a_connection_that_is_not_recorded_is_not_reconnected() -> None:
    books = books_with(BY_INVITATION)
    del books.connections[CONNECTION]
    assert books.take(used(1)).attachments == ()


def test_a_use_seen_while_a_list_skips_the_connection_counts_when_it_is_there() -> None:
    books = books_with(BY_INVITATION)
    there = books.connections.pop(CONNECTION)
    books.take(used(1))
    books.connections[CONNECTION] = there
    assert books.take(mended(700), used(1)).attachments == (Attachment(MENDING.id, CONNECTION, EvidenceKind.RECONNECT),)


def test_a_session_for_no_connection_is_not_reconnected() -> None:
    books = books_with(replace(BY_INVITATION, connection_id=None))
    assert books.take(BROKEN, used(1)).attachments == ()


# edit magic links


def test_an_edit_link_counts_when_the_user_says_so_and_the_provider_shows_a_later_change() -> None:
    books = books_with(BY_LINK)
    books.take(mended(601))
    assert books.sessions[MENDING.id].status is SessionStatus.CONNECTED
    assert (MENDING.id, CONNECTION) in books.attached
    assert books.verdict() == OWNED


def test_the_change_alone_is_not_enough() -> None:
    books = books_with(replace(BY_LINK, finished_at=None))
    assert books.take(mended(601)).attachments == ()


def test_the_users_word_alone_is_not_enough() -> None:
    assert books_with(BY_LINK).take(BROKEN) == Changes()


def test_a_change_from_before_the_page_started_is_not_enough() -> None:
    books = books_with(BY_LINK)
    assert books.take(mended(599)).attachments == ()


def test_a_session_whose_link_was_never_shown_is_not_reconnected() -> None:
    books = books_with(BY_LINK)
    books.facts = [each for each in books.facts if each.fact.kind is not FactKind.REVEALED]
    assert books.take(mended(601)).attachments == ()


@pytest.mark.parametrize("changed", [{"connection_id": None}, {"link": None}])
def test_without_a_connection_or_a_link_nothing_is_reconnected(changed: dict[str, None]) -> None:
    books = books_with(BY_LINK)
    books.sessions[MENDING.id] = replace(books.sessions[MENDING.id], **changed)  # type: ignore[arg-type]
    assert books.take(mended(601)).attachments == ()


def test_only_the_pages_own_start_counts_and_the_first_of_them() -> None:
    books = books_with(BY_LINK)
    books.reveal(OWNER, 100)
    books.revoke(MENDING, 100)
    books.reveal(MENDING, 900, edits=CONNECTION)
    assert books.take(mended(599)).attachments == ()
    assert books.take(mended(600)).attachments == (Attachment(MENDING.id, CONNECTION, EvidenceKind.RECONNECT),)


def test_a_start_of_unknown_time_came_before_every_change() -> None:
    books = books_with(BY_LINK)
    books.facts[-1] = row(replace(books.facts[-1].fact, provider_at=None), MENDING)
    assert books.take(mended(1)).attachments == (Attachment(MENDING.id, CONNECTION, EvidenceKind.RECONNECT),)


def test_a_session_that_makes_new_connections_reconnects_nothing_by_its_link() -> None:
    assert books_with(replace(BY_LINK, mode=Mode.CONNECT)).take(mended(601)).attachments == ()


def test_a_link_for_a_connection_that_is_not_recorded_reconnects_nothing() -> None:
    books = books_with(BY_LINK)
    del books.connections[CONNECTION]
    assert books.take() == Changes()


def test_a_reconnect_by_invitation_does_not_count_by_the_users_word() -> None:
    books = books_with(replace(BY_INVITATION, finished_at=NOW))
    books.reveal(BY_INVITATION, 600, edits=CONNECTION)
    assert books.take(mended(601), used(0)).attachments == ()


def test_five_reconnects_keep_the_id_and_the_owner() -> None:
    books = books_with(BY_INVITATION)
    for number in range(1, 6):
        again = replace(BROKEN, provider_updated_at=CREATED_AT + 1000 * number)
        books.take(again)
        books.take(replace(again, status="CONNECTED", provider_updated_at=again.provider_updated_at + 1), used(number))
    assert set(books.connections) == {CONNECTION}
    assert books.verdict() == OWNED
    assert books.told().count("connection.needs_attention") == 4
    assert books.told().count("session.connected") == 1

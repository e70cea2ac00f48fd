"""Reconnecting: the connection keeps its id and its owner; what shows that it was done, and what does not."""

from dataclasses import replace

import pytest

from service.domain.changes import Attachment, Changes, Fact, FactKind
from service.domain.model import EvidenceKind, Mode, ReportedConnection, ReportedInvitation, Session, Verdict
from service.domain.session_rules import give_link, renew
from service.domain.session_status import Progress, SessionStatus
from service.domain.statuses import ConnectionState
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
MENDING = session("ada", "ses_mending", mode=Mode.RECONNECT, connection_id=CONNECTION, seen_at=NOW)
BY_INVITATION = with_link(MENDING, link(invitation_id="inv_edit"))
BY_LINK = with_link(MENDING, MAGIC, finished_at=NOW)
OWNED = Verdict(EvidenceKind.INVITATION, ADA)
BROKEN = seen(status="PASSWORD_INCORRECT")


def used(times: int) -> ReportedInvitation:
    return replace(invitation("inv_edit", uses=times), edits=CONNECTION)


def mended(after: float) -> ReportedConnection:
    return replace(BROKEN, status="CONNECTED", provider_updated_at=CREATED_AT + after)


def company_with(mending: Session, verdict: Verdict = OWNED, revealed_after: float = 600) -> RecordedCompany:
    """Ada's broken connection, and a session in which it is to be mended."""
    fact = Fact(FactKind.NAMED, CONNECTION, OWNER.id, OWNER.link.invitation_id if OWNER.link else None)
    company = RecordedCompany(OWNER, mending, facts=(row(fact, OWNER), row(Fact(FactKind.CLEARED, CONNECTION))))
    company.connections[CONNECTION] = connection(verdict, reported=BROKEN, attention_at=NOW)
    company.attached[OWNER.id, CONNECTION] = Progress.CONNECTED
    if mending.link == MAGIC:
        company.reveal(mending, revealed_after, edits=CONNECTION)
    return company


def test_a_used_reconnect_invitation_attaches_the_session_to_its_connection() -> None:
    company = company_with(BY_INVITATION)
    changes = company.take(BROKEN, used(1))
    assert changes.attachments == (Attachment(MENDING.id, CONNECTION, EvidenceKind.RECONNECT),)
    assert company.sessions[MENDING.id].invitation_uses == 1
    assert company.sessions[MENDING.id].status is SessionStatus.OPENED


def test_what_was_bad_before_the_link_was_made_is_being_checked_once_the_link_was_used() -> None:
    company = company_with(with_link(MENDING, link(invitation_id="inv_edit", given=60)))
    company.take(BROKEN, used(1))
    assert company.sessions[MENDING.id].status is SessionStatus.SUBMITTED
    assert company.event_types()[-1] == "session.submitted"


def test_a_mended_connection_that_the_provider_checks_is_submitted() -> None:
    company = company_with(BY_INVITATION)
    company.take(replace(mended(700), status="PENDING"), used(1))
    assert company.sessions[MENDING.id].status is SessionStatus.SUBMITTED


def test_once_the_credentials_work_the_reconnect_session_is_connected_and_the_owner_stays() -> None:
    company = company_with(BY_INVITATION)
    company.take(BROKEN, used(1))
    company.take(mended(700), used(1))
    assert company.sessions[MENDING.id].status is SessionStatus.CONNECTED
    assert company.verdict() == OWNED
    assert company.event_types() == ["connection.updated", "session.connected"]


def test_use_and_success_in_one_snapshot_are_enough() -> None:
    company = company_with(BY_INVITATION)
    company.take(mended(700), used(1))
    assert company.sessions[MENDING.id].status is SessionStatus.CONNECTED


def test_the_same_use_again_changes_nothing() -> None:
    company = company_with(BY_INVITATION)
    company.take(BROKEN, used(1))
    assert company.take(BROKEN, used(1)) == Changes()


def test_an_unused_reconnect_invitation_proves_nothing() -> None:
    assert company_with(BY_INVITATION).take(BROKEN, used(0)) == Changes()


def test_a_second_use_of_an_invitation_attaches_only_once() -> None:
    company = company_with(BY_INVITATION)
    company.take(BROKEN, used(1))
    changes = company.take(BROKEN, used(2))
    assert changes.attachments == ()
    assert changes.sessions[0].invitation_uses == 2


def test_the_invitation_of_a_session_that_makes_new_connections_reconnects_nothing() -> None:
    company = company_with(replace(BY_INVITATION, mode=Mode.CONNECT))
    assert company.take(BROKEN, used(1)).attachments == ()
    assert company.sessions[MENDING.id].progress is Progress.NONE


def test_an_invitation_that_is_not_ours_reconnects_nothing() -> None:
    company = company_with(with_link(MENDING, link(invitation_id="inv_other")))
    assert company.take(BROKEN, used(1)) == Changes()


@pytest.mark.parametrize("verdict", [Verdict(), Verdict(EvidenceKind.INVITATION, BOB)])
def test_a_connection_that_is_not_the_users_is_not_reconnected_for_the_user(verdict: Verdict) -> None:
    company = company_with(BY_INVITATION, verdict)
    company.facts.clear()
    if verdict.owner:
        company.facts.append(
            row(Fact(FactKind.NAMED, CONNECTION, BOB.session_id, link().invitation_id), session("bob"))
        )
    changes = company.take(BROKEN, used(1))
    assert changes.attachments == ()
    assert company.sessions[MENDING.id].status is SessionStatus.OPENED


def test_a_connection_that_is_not_recorded_is_not_reconnected() -> None:
    company = company_with(BY_INVITATION)
    del company.connections[CONNECTION]
    assert company.take(used(1)).attachments == ()


def test_a_use_seen_while_a_list_skips_the_connection_counts_when_it_is_there() -> None:
    company = company_with(BY_INVITATION)
    there = company.connections.pop(CONNECTION)
    company.take(used(1))
    company.connections[CONNECTION] = there
    assert company.take(mended(700), used(1)).attachments == (
        Attachment(MENDING.id, CONNECTION, EvidenceKind.RECONNECT),
    )


def test_a_session_for_no_connection_is_not_reconnected() -> None:
    company = company_with(replace(BY_INVITATION, connection_id=None))
    assert company.take(BROKEN, used(1)).attachments == ()


# edit magic links


def test_an_edit_link_counts_when_the_user_says_so_and_the_provider_shows_a_later_change() -> None:
    company = company_with(BY_LINK)
    company.take(mended(601))
    assert company.sessions[MENDING.id].status is SessionStatus.CONNECTED
    assert (MENDING.id, CONNECTION) in company.attached
    assert company.verdict() == OWNED


def test_the_change_alone_is_not_enough() -> None:
    company = company_with(replace(BY_LINK, finished_at=None))
    assert company.take(mended(601)).attachments == ()


def test_the_users_word_alone_is_not_enough() -> None:
    assert company_with(BY_LINK).take(BROKEN) == Changes()


def test_a_change_from_before_the_page_started_is_not_enough() -> None:
    company = company_with(BY_LINK)
    assert company.take(mended(594)).attachments == ()


def test_a_session_whose_link_was_never_shown_is_not_reconnected() -> None:
    company = company_with(BY_LINK)
    company.facts = [each for each in company.facts if each.fact.kind is not FactKind.REVEALED]
    assert company.take(mended(601)).attachments == ()


@pytest.mark.parametrize("changed", [{"connection_id": None}, {"link": None}])
def test_without_a_connection_or_a_link_nothing_is_reconnected(changed: dict[str, None]) -> None:
    company = company_with(BY_LINK)
    company.sessions[MENDING.id] = replace(company.sessions[MENDING.id], **changed)  # type: ignore[arg-type]
    assert company.take(mended(601)).attachments == ()


def test_only_the_pages_own_start_counts_and_the_first_of_them() -> None:
    company = company_with(BY_LINK)
    company.reveal(OWNER, 100)
    company.revoke(MENDING, 100)
    company.reveal(MENDING, 900, edits=CONNECTION)
    assert company.take(mended(594)).attachments == ()
    assert company.take(mended(600)).attachments == (Attachment(MENDING.id, CONNECTION, EvidenceKind.RECONNECT),)


def test_a_start_of_unknown_time_came_before_every_change() -> None:
    company = company_with(BY_LINK)
    company.facts[-1] = row(replace(company.facts[-1].fact, provider_at=None), MENDING)
    assert company.take(mended(1)).attachments == (Attachment(MENDING.id, CONNECTION, EvidenceKind.RECONNECT),)


def test_a_session_that_makes_new_connections_reconnects_nothing_by_its_link() -> None:
    assert company_with(replace(BY_LINK, mode=Mode.CONNECT)).take(mended(601)).attachments == ()


def test_a_link_for_a_connection_that_is_not_recorded_reconnects_nothing() -> None:
    company = company_with(BY_LINK)
    del company.connections[CONNECTION]
    assert company.take() == Changes()


def test_a_reconnect_by_invitation_does_not_count_by_the_users_word() -> None:
    company = company_with(replace(BY_INVITATION, finished_at=NOW))
    company.reveal(BY_INVITATION, 600, edits=CONNECTION)
    assert company.take(mended(601), used(0)).attachments == ()


def test_five_reconnects_keep_the_id_and_the_owner() -> None:
    company = company_with(BY_INVITATION)
    for number in range(1, 6):
        again = replace(BROKEN, provider_updated_at=CREATED_AT + 1000 * number)
        company.take(again)
        company.take(
            replace(again, status="CONNECTED", provider_updated_at=again.provider_updated_at + 1), used(number)
        )
    assert set(company.connections) == {CONNECTION}
    assert company.verdict() == OWNED
    assert company.event_types().count("connection.needs_attention") == 4
    assert company.event_types().count("session.connected") == 1


def test_a_quick_users_change_may_bear_a_time_before_the_page_was_started() -> None:
    company = company_with(BY_LINK)
    assert company.take(mended(596)).attachments != ()


def test_a_status_from_before_the_mending_reads_as_being_checked_everywhere() -> None:
    company = company_with(BY_INVITATION)
    older = replace(BROKEN, provider_updated_at=CREATED_AT - 200)
    company.connections[CONNECTION] = connection(OWNED, reported=older, attention_at=NOW)
    company.take(older, used(1))
    mended = company.connections[CONNECTION]
    assert (mended.state, mended.reported.status) == ("checking", "PASSWORD_INCORRECT")
    assert company.sessions[MENDING.id].status is SessionStatus.SUBMITTED
    updated, submitted = company.events
    assert (updated.type, updated.data["state"], updated.data["from"]) == (
        "connection.updated",
        "checking",
        "PASSWORD_INCORRECT",
    )
    assert (submitted.type, submitted.data["state"]) == ("session.submitted", "checking")
    assert company.take(older, used(1)) == Changes()


def test_the_same_status_after_the_check_is_told_as_an_update_of_the_same_episode() -> None:
    company = company_with(BY_INVITATION)
    older = replace(BROKEN, provider_updated_at=CREATED_AT - 200)
    company.connections[CONNECTION] = connection(OWNED, reported=older, attention_at=NOW)
    company.take(older, used(1))
    count = len(company.events)
    company.take(BROKEN, used(1))
    (event,) = company.events[count:]
    assert (event.type, event.data["state"], event.data["from"]) == (
        "connection.updated",
        "action_needed",
        "PASSWORD_INCORRECT",
    )
    assert company.sessions[MENDING.id].status is SessionStatus.SUBMITTED


def test_a_check_that_ends_well_after_the_mending_is_connected() -> None:
    company = company_with(BY_INVITATION)
    older = replace(BROKEN, provider_updated_at=CREATED_AT - 200)
    company.connections[CONNECTION] = connection(OWNED, reported=older, attention_at=NOW)
    company.take(older, used(1))
    company.take(mended(601), used(1))
    assert company.event_types()[-2:] == ["connection.updated", "session.connected"]
    assert company.connections[CONNECTION].attention_at is None


def test_the_first_use_of_a_renewed_reconnects_invitation_counts_after_that_of_the_one_before() -> None:
    company = company_with(BY_INVITATION)
    refused = replace(BROKEN, provider_updated_at=CREATED_AT + 100)  # checked after the first use
    company.take(refused, used(1))
    company.write(renew(company.sessions[MENDING.id], NOW + 4000, "k1"))
    given = give_link(company.sessions[MENDING.id], link(invitation_id="inv_second", given=4000), None, None)
    company.write(given or Changes())
    second = replace(invitation("inv_second", uses=0, after=4000), edits=CONNECTION)
    company.take(refused, used(1), second, after=4100)
    waiting = company.sessions[MENDING.id]
    assert (waiting.link_used_at, waiting.status) == (None, SessionStatus.OPENED)
    company.take(refused, used(1), replace(second, use_count=1), after=4200)
    assert company.connections[CONNECTION].state is ConnectionState.CHECKING
    assert company.sessions[MENDING.id].status is SessionStatus.SUBMITTED

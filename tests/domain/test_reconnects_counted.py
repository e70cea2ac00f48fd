"""Which use of a reconnect's invitation counts, and when: links used out of order, and owners that change meanwhile."""

from dataclasses import replace

from service.domain.model import EvidenceKind, LinkKind, Mode, ReportedInvitation
from service.domain.session_status import SessionStatus
from service.domain.statuses import ConnectionState
from tests.support.company_records import RecordedCompany
from tests.support.domain_values import CONNECTION, CREATED_AT, MAGIC, NOW, invitation, link, seen, session, with_link

MADE = invitation("inv_1", CONNECTION)
BROKEN = seen(status="PASSWORD_INCORRECT", provider_updated_at=CREATED_AT + 50)


def edit(name: str, uses: int) -> ReportedInvitation:
    return replace(invitation(name, uses=uses), edits=CONNECTION)


def test_a_later_use_of_an_older_link_does_not_make_a_mended_account_broken_again() -> None:
    of_her = {"mode": Mode.RECONNECT, "connection_id": CONNECTION}
    older = with_link(session("ada", "ses_older", **of_her), link(invitation_id="inv_older", given=10))
    newer = with_link(session("ada", "ses_newer", **of_her), link(invitation_id="inv_newer", given=100))
    company = RecordedCompany(with_link(session("ada"), link()), older, newer)
    company.take(BROKEN, MADE, edit("inv_older", 0), edit("inv_newer", 0), after=60)
    company.take(BROKEN, MADE, edit("inv_older", 0), edit("inv_newer", 1), after=120)
    assert company.connections[CONNECTION].state is ConnectionState.CHECKING
    count = company.event_types().count("connection.updated")
    company.take(BROKEN, MADE, edit("inv_older", 1), edit("inv_newer", 1), after=130)
    assert company.connections[CONNECTION].state is ConnectionState.CHECKING
    assert company.event_types().count("connection.updated") == count
    assert company.sessions[older.id].status is SessionStatus.SUBMITTED


def test_a_mended_account_asks_for_nothing_and_says_when_it_changed() -> None:
    mending = session("ada", "ses_mending", mode=Mode.RECONNECT, connection_id=CONNECTION)
    company = RecordedCompany(
        with_link(session("ada"), link()), with_link(mending, link(invitation_id="inv_edit", given=100))
    )
    company.take(BROKEN, MADE, edit("inv_edit", 0), after=60)
    assert company.connections[CONNECTION].asks_at is not None
    at = company.now
    company.take(BROKEN, MADE, edit("inv_edit", 1), after=120)
    mended = company.connections[CONNECTION]
    assert (mended.asks_at, mended.updated_at) == (None, at)


def test_an_edit_link_is_no_evidence_that_an_older_status_is_mended() -> None:
    mending = session("ada", "ses_mending", mode=Mode.RECONNECT, connection_id=CONNECTION, finished_at=NOW)
    mending = with_link(mending, link(LinkKind.MAGIC_LINK, given=100))
    company = RecordedCompany(with_link(session("ada"), link()), mending)
    company.reveal(mending, 40)
    company.take(BROKEN, MADE, after=60)
    company.take(BROKEN, MADE, after=120)
    assert company.connections[CONNECTION].provider_mended_at is None
    assert company.connections[CONNECTION].state is ConnectionState.ACTION_NEEDED


def test_a_use_is_counted_while_the_next_link_of_a_renewed_session_is_made() -> None:
    mending = session("ada", "ses_mending", mode=Mode.RECONNECT, connection_id=CONNECTION)
    mending = with_link(mending, link(invitation_id="inv_edit", given=100))
    company = RecordedCompany(with_link(session("ada"), link()), mending)
    company.take(BROKEN, MADE, edit("inv_edit", 0), after=60)
    company.sessions[mending.id] = replace(company.sessions[mending.id], link=None)
    company.take(BROKEN, MADE, edit("inv_edit", 1), after=120)
    assert company.sessions[mending.id].invitation_uses == 1
    assert company.connections[CONNECTION].state is ConnectionState.ACTION_NEEDED


def ambiguous() -> tuple[RecordedCompany, ReportedInvitation]:
    """A connection that Ada or Bob made, and the used invitation of a session in which Ada was to mend it."""
    ada, bob = session("ada"), session("bob")
    mending = session("ada", "ses_mending", mode=Mode.RECONNECT, connection_id=CONNECTION)
    company = RecordedCompany(ada, bob, with_link(mending, link(invitation_id="inv_edit", given=10)))
    company.reveal(ada, -60)
    company.reveal(bob, -60)
    company.take(seen(), after=130)
    company.claim(ada)
    return company, edit("inv_edit", 1)


def test_a_use_while_a_claim_is_undone_counts_once_it_is_made_again() -> None:
    company, used = ambiguous()
    ada, mending = session("ada"), session("ada", "ses_mending")
    company.claim(ada, undo=True)
    company.take(seen(), used, after=140)
    assert company.sessions[mending.id].status is SessionStatus.OPENED
    company.claim(ada, nonce="clm_2")
    changes = company.take(seen(), used, after=150)
    assert [one.kind for one in changes.attachments] == [EvidenceKind.RECONNECT]
    assert company.sessions[mending.id].status is SessionStatus.CONNECTED


def test_a_use_while_it_is_another_users_counts_once_it_is_the_sessions_users() -> None:
    company, used = ambiguous()
    ada, bob, mending = session("ada"), session("bob"), session("ada", "ses_mending")
    company.claim(ada, undo=True)
    company.claim(bob, nonce="clm_2")
    assert company.take(seen(), used, after=140).attachments == ()
    assert company.sessions[mending.id].invitation_uses == 0
    company.claim(bob, nonce="clm_2", undo=True)
    company.claim(ada, nonce="clm_3")
    company.take(seen(), used, after=150)
    assert company.sessions[mending.id].invitation_uses == 1
    assert company.sessions[mending.id].status is SessionStatus.CONNECTED


def test_an_edit_link_mends_nothing_while_the_account_is_another_users() -> None:
    company, _ = ambiguous()
    ada, bob = session("ada"), session("bob")
    mending = session("ada", "ses_mending", mode=Mode.RECONNECT, connection_id=CONNECTION, finished_at=NOW)
    company.sessions[mending.id] = with_link(mending, MAGIC)
    company.reveal(mending, 135, edits=CONNECTION)
    company.claim(ada, undo=True)
    company.claim(bob, nonce="clm_2")
    company.take(seen(provider_updated_at=CREATED_AT + 140), after=145)
    assert (mending.id, CONNECTION) not in company.attached

"""Which sessions lose a connection with its owner, and whose timelines say so."""

from dataclasses import replace

import pytest

from service.domain.changes import Job, JobKind
from service.domain.model import LinkStatus, Mode, Session, SessionId, Tenant
from service.domain.more_accounts import AnotherAccount, another_of
from service.domain.session_status import SessionStatus
from tests.support.company_records import RecordedCompany, shown_to
from tests.support.domain_values import CONNECTION, NOW, invitation, link, seen, session, with_link

ADA = with_link(session("ada"))
CAROL = with_link(session("carol"))
MENDING = session("ada", "ses_mending", mode=Mode.RECONNECT, connection_id=CONNECTION)
MENDING = with_link(MENDING, link(invitation_id="inv_edit"))


def mended(*others: Session) -> RecordedCompany:
    """Ada's presumed connection, which her session `MENDING` has mended."""
    company = shown_to(ADA, MENDING, *others)
    company.take(seen())
    company.take(seen(), replace(invitation("inv_edit", uses=1), edits=CONNECTION))
    assert company.sessions[MENDING.id].status is SessionStatus.CONNECTED
    return company


def test_a_session_that_mended_it_loses_it_with_the_user_and_both_timelines_say_so() -> None:
    company = mended(CAROL)
    changes = company.claim(CAROL)
    assert set(company.attached) == {(CAROL.id, CONNECTION)}
    assert company.sessions[MENDING.id].status is SessionStatus.OPENED
    reopened = [(one.session_id, one.data["reason"]) for one in changes.events if one.type == "session.reopened"]
    assert reopened == [(ADA.id, "reassigned"), (MENDING.id, "reassigned")]
    (reassigned,) = [one for one in changes.events if one.type == "connection.reassigned"]
    assert (reassigned.session_id, reassigned.also_of) == (CAROL.id, (ADA.id, MENDING.id))


def test_it_loses_it_too_where_no_other_owner_follows() -> None:
    company = mended()
    changes = company.take(seen(), invitation("inv_of_an_operator", CONNECTION))
    assert company.attached == {}
    reopened = [(one.session_id, one.data["reason"]) for one in changes.events if one.type == "session.reopened"]
    assert reopened == [(ADA.id, "unattributed"), (MENDING.id, "unattributed")]


def test_it_keeps_what_moves_to_another_session_of_the_same_user() -> None:
    again = with_link(session("ada", "ses_ada_again"))
    company = mended(again)
    changes = company.claim(again)
    assert set(company.attached) == {(again.id, CONNECTION), (MENDING.id, CONNECTION)}
    assert [one.session_id for one in changes.events if one.type == "session.reopened"] == [ADA.id]


def test_a_user_of_the_same_name_in_another_tenant_is_another_user() -> None:
    company = mended(CAROL)
    company.sessions[MENDING.id] = replace(company.sessions[MENDING.id], tenant=Tenant("other"))
    company.sessions[CAROL.id] = replace(CAROL, user=ADA.user)
    changes = company.claim(CAROL)
    assert (MENDING.id, CONNECTION) not in company.attached
    (reassigned,) = [one for one in changes.events if one.type == "connection.reassigned"]
    assert reassigned.also_of == (ADA.id,)


# sessions without a link, or with a further account asked for


def undone(owner: Session) -> tuple[Session, list[Job]]:
    """The claim by which the session has its only connection is undone; return the session and its jobs."""
    company = RecordedCompany(owner, CAROL, with_link(session("bob")))
    company.reveal(CAROL, -60)
    company.reveal(company.sessions[SessionId("ses_bob")], -60)
    company.take(seen())
    company.claim(owner)
    changes = company.claim(owner, undo=True)
    return company.sessions[owner.id], [job for job in changes.jobs if job.ref == owner.id]


@pytest.mark.parametrize("link_status", [LinkStatus.READY, LinkStatus.FAILED])
def test_a_session_that_lost_its_link_while_it_was_connected_gets_another(link_status: LinkStatus) -> None:
    lost = replace(session("ada", revealed_at=NOW, finished_at=NOW, link_used_at=NOW), link_status=link_status)
    after, jobs = undone(lost)
    assert (after.status, after.link_status) == (SessionStatus.OPENED, LinkStatus.PENDING)
    assert (after.revealed_at, after.finished_at, after.link_used_at) == (None, None, None)
    assert jobs == [Job(JobKind.PREPARE, after.id, waited_for=True)]


@pytest.mark.parametrize(
    "owner",
    [
        ADA,
        replace(session("ada"), link_status=LinkStatus.PENDING),
        session("ada", over_at=NOW),
        replace(session("ada"), failure="provider_error", link_status=LinkStatus.FAILED),
        session("ada", mode=Mode.RECONNECT),
    ],
)
def test_one_that_has_a_link_or_gets_none_stays_as_it_was(owner: Session) -> None:
    after, jobs = undone(owner)
    assert (after.link, after.link_status) == (owner.link, owner.link_status)
    assert jobs == []


def test_a_session_waits_for_no_further_account_once_the_further_one_is_all_that_it_has() -> None:
    owner = with_link(session("ada", max_connections=2, more_asked=1, link_used_at=NOW), link(invitation_id="inv_2"))
    company = RecordedCompany(owner, CAROL)
    company.reveal(CAROL, -60)
    company.take(seen())
    company.claim(owner)
    company.take(seen("n2"), invitation("inv_2", "n2"))
    company.claim(owner, undo=True)
    after = company.sessions[owner.id]
    assert (after.status, after.more_asked) == (SessionStatus.CONNECTED, 0)
    assert another_of(after, 1, NOW) is AnotherAccount.POSSIBLE

"""Recorded connections that a snapshot lacks: what an invitation says of them, how long they wait, and their return."""

from dataclasses import replace

from service.domain.changes import Changes, Job, JobKind
from service.domain.model import EvidenceKind, ProviderSnapshot
from service.domain.statuses import ConnectionState
from service.domain.timing import ATTENTION_SECONDS, UNDECIDED_SECONDS
from tests.support.company_records import RecordedCompany, candidate_of, shown_to
from tests.support.domain_values import CONNECTION, CREATED_AT, NOW, invitation, link, seen, session, with_link

ADA = session("ada")
BOB = with_link(session("bob"), link(invitation_id="inv_bob"))
USED = invitation("inv_bob", uses=1)  # and what it made is not named yet
LONG_AFTER = UNDECIDED_SECONDS + 1


def waiting() -> RecordedCompany:
    company = shown_to(ADA, BOB)
    company.take(seen(), USED)
    assert company.verdict().waiting
    return company


def remove(company: RecordedCompany) -> None:
    gone = replace(company.connections[CONNECTION], missing_at=NOW, removed_at=NOW + 60)
    company.connections[CONNECTION] = gone


def test_an_invitation_that_names_one_overturns_who_was_presumed() -> None:
    company = shown_to(ADA, BOB)
    company.take(seen())
    assert company.verdict().presumed
    company.take(invitation("inv_bob", CONNECTION), after=30)
    assert (company.verdict().kind, company.verdict().owner) == (EvidenceKind.INVITATION, candidate_of(BOB))
    assert "connection.reassigned" in company.event_types()
    assert company.take(invitation("inv_bob", CONNECTION), after=60) == Changes()


def test_one_that_waits_is_ambiguous_after_a_day() -> None:
    company = waiting()
    assert company.take(USED, after=LONG_AFTER - 2) == Changes()
    company.take(USED, after=LONG_AFTER)
    assert (company.verdict().owner, company.verdict().waiting) == (None, False)
    assert company.event_types() == ["connection.ambiguous"]
    assert company.take(USED, after=LONG_AFTER + 60) == Changes()


def test_so_it_is_where_the_lists_cannot_be_read() -> None:
    company = waiting()
    company.read(ProviderSnapshot(CREATED_AT + LONG_AFTER, (), (), unread_invitations=True))
    assert company.event_types() == ["connection.ambiguous"]


def test_a_use_that_is_explained_later_still_decides() -> None:
    company = waiting()
    company.take(USED, after=LONG_AFTER)
    company.take(invitation("inv_bob", CONNECTION), after=LONG_AFTER + 60)
    assert company.verdict().owner == candidate_of(BOB)


def test_one_that_is_not_listed_now_is_neither_missing_nor_back() -> None:
    company = waiting()
    company.connections[CONNECTION] = replace(company.connections[CONNECTION], missing_at=NOW)
    company.take(USED, after=LONG_AFTER)
    assert company.connections[CONNECTION].missing_at == NOW


def test_one_that_is_removed_waits_for_nothing_after_its_claim_is_undone() -> None:
    company = waiting()
    company.claim(ADA)
    remove(company)
    company.claim(ADA, undo=True)
    assert (company.verdict().owner, company.verdict().waiting) == (None, False)
    assert company.event_types()[-2:] == ["connection.ambiguous", "session.reopened"]
    assert company.connections[CONNECTION].state is ConnectionState.INACTIVE


def test_one_that_was_left_waiting_when_it_was_removed_waits_no_more() -> None:
    company = waiting()
    remove(company)
    company.take(USED, after=130)
    assert not company.verdict().waiting
    assert company.take(USED, after=160) == Changes()


def test_a_status_that_was_not_read_again_confirms_nothing() -> None:
    owner = with_link(session("ada"), link())
    company = RecordedCompany(owner)
    ours = invitation("inv_1", CONNECTION)
    company.take(seen(status="PASSWORD_INCORRECT"), ours)
    company.now += ATTENTION_SECONDS
    assert company.take(ours, after=60) == Changes()
    company.take(seen(status="PASSWORD_INCORRECT"), ours, after=61)
    assert company.event_types().count("connection.needs_attention") == 1


# a return


def test_reminders_go_on_where_one_is_back_as_broken_as_it_was_and_its_host_is_not_asked_again() -> None:
    company = RecordedCompany(with_link(session("ada", seen_at=NOW), link()))
    ours = invitation("inv_1", CONNECTION)
    broken = seen(status="PASSWORD_INCORRECT")
    company.take(broken, ours)
    since = company.connections[CONNECTION].attention_at
    remove(company)
    changes = company.take(broken, ours, after=600)
    assert Job(JobKind.REMIND, CONNECTION) in changes.jobs
    assert company.event_types().count("connection.needs_attention") == 1
    assert company.connections[CONNECTION].attention_at == since
    assert company.take(broken, ours, after=660).jobs == ()


def test_one_that_is_back_and_works_has_no_reminders() -> None:
    company = RecordedCompany(with_link(session("ada", seen_at=NOW), link()))
    ours = invitation("inv_1", CONNECTION)
    company.take(seen(status="PASSWORD_INCORRECT"), ours)
    remove(company)
    changes = company.take(seen(provider_updated_at=CREATED_AT + 60), ours, after=600)
    assert JobKind.REMIND not in {job.kind for job in changes.jobs}

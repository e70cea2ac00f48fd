"""When the owner of a connection is asked to mend it: at once where a page is present, else by a second poll."""

from dataclasses import replace
from typing import Any

import pytest

from service.domain.attention import is_unconfirmed
from service.domain.changes import Changes, Job, JobKind
from service.domain.model import Mode, ReportedConnection, Session, Tenant
from service.domain.session_status import Progress
from service.domain.timing import ATTENTION_SECONDS, PRESENCE_SECONDS
from tests.support.company_records import RecordedCompany, shown_to
from tests.support.domain_values import (
    COMPANY,
    CONNECTION,
    MAGIC,
    NOW,
    connection,
    invitation,
    link,
    seen,
    session,
    with_link,
)

ADA = with_link(session("ada"), link())
OURS = invitation("inv_1", CONNECTION)
ASKED = "connection.needs_attention"


def of(status: str, number: int = 0) -> ReportedConnection:
    return seen(status=status, provider_updated_at=seen().provider_updated_at + 60 * number)


def read(company: RecordedCompany, status: str, number: int, seconds: float) -> Changes:
    """What the provider reports so many seconds after the first reading."""
    company.now = NOW + seconds
    return company.take(of(status, number), OURS)


def asked(company: RecordedCompany) -> int:
    return company.event_types().count(ASKED)


def test_without_a_page_the_first_reading_asks_nothing_and_enqueues_the_second() -> None:
    company = RecordedCompany(ADA)
    changes = read(company, "PASSWORD_INCORRECT", 0, 0)
    assert (asked(company), company.connections[CONNECTION].asks_at) == (0, NOW)
    assert Job(JobKind.RECONCILE, COMPANY.ref, ATTENTION_SECONDS) in changes.jobs
    assert is_unconfirmed(company.connections[CONNECTION])


@pytest.mark.parametrize("status", ["PASSWORD_INCORRECT", "NO_ACCOUNTS_FOUND"])
def test_a_second_reading_confirms_it_whether_the_status_is_the_same_or_another(status: str) -> None:
    company = RecordedCompany(ADA)
    read(company, "PASSWORD_INCORRECT", 0, 0)
    read(company, status, int(status != "PASSWORD_INCORRECT"), ATTENTION_SECONDS)
    assert (asked(company), company.connections[CONNECTION].attention_at) == (1, NOW + ATTENTION_SECONDS)
    assert read(company, status, 1, 3600).jobs == ()
    assert asked(company) == 1


def test_a_reading_that_comes_too_soon_confirms_nothing_and_changes_nothing() -> None:
    company = RecordedCompany(ADA)
    read(company, "PASSWORD_INCORRECT", 0, 0)
    changes = read(company, "PASSWORD_INCORRECT", 0, ATTENTION_SECONDS - 1)
    assert changes == Changes(jobs=(Job(JobKind.RECONCILE, COMPANY.ref, 1.0),))


@pytest.mark.parametrize("between", ["CONNECTED", "PENDING", "WEBSITE_DOWN"])
def test_a_status_that_was_wrong_for_a_moment_is_never_told(between: str) -> None:
    company = RecordedCompany(ADA)
    read(company, "CONNECTED", 0, 0)
    read(company, "PASSWORD_INCORRECT", 1, 100)
    read(company, between, 2, 100 + ATTENTION_SECONDS)
    read(company, "PASSWORD_INCORRECT", 3, 200)
    assert asked(company) == 0
    read(company, "PASSWORD_INCORRECT", 3, 200 + ATTENTION_SECONDS)
    assert asked(company) == 1


def with_page(**fields: Any) -> Session:
    return replace(ADA, seen_at=NOW, **fields)


def test_where_a_page_is_present_the_first_reading_asks() -> None:
    company = RecordedCompany(with_page())
    jobs = read(company, "PASSWORD_INCORRECT", 0, PRESENCE_SECONDS - 1).jobs
    assert [job.kind for job in jobs] == [JobKind.REMIND]
    assert asked(company) == 1


def test_a_page_that_was_gone_is_not_present() -> None:
    company = RecordedCompany(with_page())
    read(company, "PASSWORD_INCORRECT", 0, PRESENCE_SECONDS)
    assert asked(company) == 0


@pytest.mark.parametrize(("mends", "times"), [(CONNECTION, 1), ("another", 0)])
def test_the_page_of_a_session_that_reconnects_it_counts_and_no_other(mends: str, times: int) -> None:
    mending = session("ada", "ses_mending", mode=Mode.RECONNECT, connection_id=mends, seen_at=NOW)
    company = RecordedCompany(ADA, mending, session("bob", seen_at=NOW))
    read(company, "PASSWORD_INCORRECT", 0, 1)
    assert asked(company) == times


def test_who_becomes_the_owner_of_what_has_asked_for_long_is_asked_at_once() -> None:
    bob, ada = with_link(session("bob"), MAGIC), with_link(session("ada"), MAGIC)
    company = shown_to(bob, ada)
    company.reveal(ada, -60)
    company.take(seen(status="PASSWORD_INCORRECT"))
    assert (asked(company), is_unconfirmed(company.connections[CONNECTION])) == (0, False)
    company.now = NOW + ATTENTION_SECONDS
    company.claim(ada)
    assert asked(company) == 1


def test_a_connection_without_an_owner_waits_for_no_second_reading() -> None:
    assert not is_unconfirmed(connection(reported=of("PASSWORD_INCORRECT")))


@pytest.mark.parametrize("then", ["NO_ACCOUNTS_FOUND", "PENDING", "WEBSITE_DOWN"])
def test_an_episode_keeps_its_beginning_until_the_connection_works(then: str) -> None:
    company = RecordedCompany(with_page())
    read(company, "PASSWORD_INCORRECT", 0, 0)
    read(company, then, 1, 3600)
    assert company.connections[CONNECTION].attention_at == NOW
    read(company, "PASSWORD_INCORRECT", 2, 7200)
    assert (company.connections[CONNECTION].attention_at, asked(company)) == (NOW, 1)
    read(company, "CONNECTED", 3, 10_000)
    assert company.connections[CONNECTION].attention_at is None


def test_what_asks_nothing_any_more_is_counted_from_its_next_bad_status() -> None:
    company = RecordedCompany(ADA)
    read(company, "PASSWORD_INCORRECT", 0, 0)
    read(company, "PENDING", 1, 10)
    assert company.connections[CONNECTION].asks_at is None
    assert not is_unconfirmed(company.connections[CONNECTION])


def test_another_owner_has_an_episode_of_their_own() -> None:
    bob, ada = with_link(session("bob", seen_at=NOW), MAGIC), with_link(session("ada", seen_at=NOW), MAGIC)
    company = shown_to(ada, bob)
    company.take(seen(status="PASSWORD_INCORRECT"))
    assert (company.connections[CONNECTION].attention_at, asked(company)) == (NOW, 1)
    company.now = NOW + 30
    company.claim(bob)
    assert (company.connections[CONNECTION].attention_at, asked(company)) == (NOW + 30, 2)
    company.now = NOW + 60
    company.claim(bob, undo=True)
    company.now = NOW + 90
    company.claim(bob, "clm_2")
    assert (company.connections[CONNECTION].attention_at, asked(company)) == (NOW + 90, 4)


@pytest.mark.parametrize(("tenant", "times"), [("default", 1), ("other", 2)])
def test_an_episode_goes_on_when_the_connection_moves_to_another_session_of_its_user(tenant: str, times: int) -> None:
    first = with_link(session("ada", "ses_1", seen_at=NOW), MAGIC)
    second = replace(with_link(session("ada", "ses_2", seen_at=NOW), MAGIC), tenant=Tenant(tenant))
    company = shown_to(first, second)
    company.take(seen(status="PASSWORD_INCORRECT"))
    company.now = NOW + 30
    company.claim(second)
    assert company.connections[CONNECTION].attention_at == (NOW if times == 1 else NOW + 30)
    assert asked(company) == times


def test_what_belongs_to_no_user_has_no_episode_and_no_second_reading() -> None:
    bob, ada = with_link(session("bob", seen_at=NOW), MAGIC), with_link(session("ada", seen_at=NOW), MAGIC)
    company = shown_to(ada, bob)
    company.reveal(bob, -60)
    changes = company.take(seen(status="PASSWORD_INCORRECT"))
    assert company.verdict().owner is None
    assert company.connections[CONNECTION].attention_at is None
    assert JobKind.RECONCILE not in {job.kind for job in changes.jobs}


def test_the_page_of_another_session_that_the_connection_is_attached_to_counts() -> None:
    other = session("ada", "ses_other", seen_at=NOW)
    company = RecordedCompany(ADA, other)
    company.attached[other.id, CONNECTION] = Progress.ATTACHED
    read(company, "PASSWORD_INCORRECT", 0, 1)
    assert asked(company) == 1


def test_a_connection_that_works_waits_for_no_second_reading() -> None:
    company = RecordedCompany(ADA)
    read(company, "CONNECTED", 0, 0)
    assert not is_unconfirmed(company.connections[CONNECTION])

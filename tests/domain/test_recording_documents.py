"""When a connection's documents are read: each time it begins to work, and where it works for another owner."""

from dataclasses import replace

import pytest

from service.domain.changes import Changes, Job, JobKind
from tests.support.company_records import RecordedCompany, shown_to
from tests.support.domain_values import CONNECTION, MAGIC, NOW, invitation, link, seen, session, with_link

ADA, BOB = with_link(session("ada"), link()), with_link(session("bob"), MAGIC)
OURS = invitation("inv_1", CONNECTION)
READ = Job(JobKind.DOCUMENTS, CONNECTION, 5.0)


def take(company: RecordedCompany, status: str, number: int) -> Changes:
    return company.take(seen(status=status, provider_updated_at=seen().provider_updated_at + 60 * number), OURS)


@pytest.mark.parametrize("status", ["PENDING", "PASSWORD_INCORRECT", "WEBSITE_DOWN", "NO_ACCOUNTS_FOUND"])
def test_while_it_does_not_work_nothing_is_read(status: str) -> None:
    company = RecordedCompany(ADA)
    assert READ not in take(company, status, 0).jobs
    assert READ not in take(company, "UNDER_INVESTIGATION", 1).jobs


def test_without_an_owner_nothing_is_read() -> None:
    assert RecordedCompany(ADA).take(seen()).jobs == ()


def test_what_goes_on_working_is_read_once() -> None:
    company = RecordedCompany(ADA)
    assert take(company, "CONNECTED", 0).jobs == (READ,)
    assert take(company, "CONNECTED", 1).jobs == ()


@pytest.mark.parametrize("before", ["PENDING", "PASSWORD_INCORRECT", "WEBSITE_DOWN", "NO_ACCOUNTS_FOUND"])
def test_each_time_it_begins_to_work_it_is_read(before: str) -> None:
    company = RecordedCompany(ADA)
    take(company, before, 0)
    assert take(company, "CONNECTED", 1).jobs == (READ,)
    take(company, before, 2)
    assert take(company, "CONNECTED", 3).jobs == (READ,)


def test_one_that_was_removed_and_is_back_is_read() -> None:
    company = RecordedCompany(ADA)
    take(company, "CONNECTED", 0)
    company.connections[CONNECTION] = replace(company.connections[CONNECTION], missing_at=NOW, removed_at=NOW)
    assert take(company, "CONNECTED", 0).jobs == (READ,)


def test_where_it_works_for_another_owner_it_is_read_again() -> None:
    company = shown_to(with_link(session("ada"), MAGIC), BOB)
    assert company.take(seen()).jobs == (READ,)
    assert company.claim(BOB).jobs == (READ,)

"""Lists of sessions: newest first, filtered, and never another tenant's."""

import threading
from dataclasses import replace

import pytest

from service.domain.changes import Changes, CompanyBaseline
from service.domain.model import ProviderCompanyId, Tenant
from service.store import Store
from service.store.engine import Transaction
from service.store.session_summaries import read_page
from tests.support.clock import Clock
from tests.support.domain_values import TENANT, connection
from tests.support.store_cases import UNNAMED, connections_of, create, fresh

ELSEWHERE = Tenant("elsewhere")
LARGEST_PAGE = 100


async def many(store: Store, clock: Clock, number: int = 5) -> list[str]:
    """Newest first; the last two were made at one moment."""
    for each in range(number):
        user = "ada" if each % 2 else "bob"
        await create(store, fresh(user, f"ses_{each}", created_at=clock.now()))
        clock.advance(1 if each < number - 2 else 0)
    return [f"ses_{each}" for each in reversed(range(number))]


async def test_pages_are_newest_first_and_follow_each_other_without_gap_or_overlap(store: Store, clock: Clock) -> None:
    expected = await many(store, clock)
    found: list[str] = []
    after: tuple[float, str] | None = None
    while page := await store.sessions.list_page(TENANT, {}, after, 2):
        found += [one.id for one, _ in page]
        after = page[-1][0].created_at, page[-1][0].id
    assert found == expected


@pytest.mark.parametrize(
    ("filters", "number"),
    [
        ({"user_id": "ada"}, 2),
        ({"status": "created"}, 5),
        ({"status": "opened"}, 0),
        ({"company": "acme"}, 5),
        ({"company": "company-1"}, 5),
        ({"company": "another"}, 0),
        ({"user_id": "bob", "company": "acme", "status": "created"}, 3),
    ],
)
async def test_lists_are_filtered(store: Store, clock: Clock, filters: dict[str, str], number: int) -> None:
    await many(store, clock)
    await store.companies.set_provider_id(UNNAMED.ref, CompanyBaseline(ProviderCompanyId("company-1"), 0.0))
    assert len(await store.sessions.list_page(TENANT, filters, None, 10)) == number


async def test_another_tenants_sessions_are_not_listed(store: Store, clock: Clock) -> None:
    await many(store, clock)
    assert await store.sessions.list_page(ELSEWHERE, {}, None, 10) == []


async def test_sessions_without_connections_have_empty_lists(store: Store) -> None:
    made = await create(store, fresh())
    assert await connections_of(store, made.id) == []
    assert [list(found) for _, found in await store.sessions.list_page(TENANT, {}, None, 10)] == [[]]


@pytest.mark.parametrize("new_engine", ["sqlite"], indirect=True)
async def test_the_largest_list_page_is_read_in_the_event_loop(store: Store, clock: Clock) -> None:
    recorded, threads = replace(connection(), company=UNNAMED.ref), list[str]()
    await many(store, clock, LARGEST_PAGE + 1)
    await store.connections.change(UNNAMED.ref, [], [], lambda _: Changes(connections=(recorded,)))
    attached = f"SELECT id, '{recorded.id}', 'invitation', 1, 3 FROM sessions"  # noqa: S608 - the test's own words
    sql = f"INSERT INTO session_connections (session_id, connection_id, kind, at, progress) {attached}"
    await store.engine.write(lambda tx: tx.run(sql))

    def unit(tx: Transaction) -> int:
        threads.append(threading.current_thread().name)
        return sum(len(each) for _, each in read_page(tx, TENANT, {}, None, LARGEST_PAGE + 1))

    assert await store.engine.read(unit) == LARGEST_PAGE + 1
    assert threads == [threading.current_thread().name]

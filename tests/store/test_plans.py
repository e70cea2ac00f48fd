"""Queries that are repeated read no more than they return, however large the tables are, on both databases.

The statements are recorded while the store runs them, so what is measured is the real query.
"""

import json
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from functools import partial
from typing import Any

import pytest

from service.domain.changes import Changes, Fact, FactKind, Job, JobKind
from service.domain.deliveries import Delivery, DeliveryKind, DeliveryResult, DeliveryStatus, Meaning
from service.domain.endpoints import EndpointHealth
from service.domain.events import document_available
from service.domain.model import ConnectionId, EventId, InvitationId, SessionId, UserId, UserRef
from service.domain.requests import IdempotentRequest, KeyLease
from service.domain.session_status import SessionStatus
from service.errors import IdempotencyInProgress
from service.store import Store
from service.store.deliveries import EndpointLease
from service.store.due_endpoints import TenantShare
from service.store.engine import Transaction
from service.store.postgres import PostgresEngine
from service.store.presence import Heartbeat
from tests.support.clock import Clock
from tests.support.domain_values import COMPANY, CONNECTION, TENANT, connection, link
from tests.support.postgres import vacuum
from tests.support.store_cases import UNNAMED, change, create, fresh, numbered

ROWS = 10_000
# What a query may read beside what it returns: a page's worth of rows. Reading a table costs more than a hundred times.
BESIDE_ROWS = 60
# SQLite counts instructions: some for each row, and a hundred for a row with all of its columns.
BESIDE_STEPS, STEPS_OF_A_ROW = 15_000, 200
REF, RECORDED = UNNAMED.ref, replace(connection(), company=UNNAMED.ref)
NAMED = partial(document_available, RECORDED)
KEY = KeyLease(TENANT, IdempotentRequest("/v1/sessions", "k", "d"), "token")
ANSWERED = DeliveryResult(
    Delivery(
        id="whd_due5",
        tenant=TENANT,
        endpoint_id="whe_1",
        event_id=EventId("evt_due"),
        kind=DeliveryKind.EVENT,
        url=None,
        lane="due5",
        status=DeliveryStatus.DELIVERED,
        attempts=(),
        next_at=None,
        created_at=1.0,
    ),
    Meaning.DELIVERED,
    releases=True,
)
_NUMBERS = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < :rows)"
Statement = tuple[str, dict[str, Any]]
Call = Callable[[Store], Awaitable[object]]


async def copy(store: Store, table: str, where: str, **new: str) -> None:
    """Insert 10,000 copies of one row; `new` are columns with SQL expressions in which `i` counts the copies."""

    def unit(tx: Transaction) -> None:
        (row,) = tx.all(f"SELECT * FROM {table} WHERE {where}")  # noqa: S608 - the test's own words
        names = list(dict(row))
        values = ", ".join(new.get(name, name) for name in names)
        sql = f"INSERT INTO {table} ({', '.join(names)}) {_NUMBERS} SELECT {values} FROM n, {table} WHERE {where}"  # noqa: S608
        tx.run(sql, rows=ROWS)

    await store.engine.write(unit)


async def run(store: Store, *statements: str) -> None:
    await store.engine.write(lambda tx: [tx.run(sql) for sql in statements])


@pytest.fixture
async def large(store: Store, clock: Clock, request: pytest.FixtureRequest) -> Store:
    """A tenant whose one company has 10,000 sessions that are over, and as many connections, events and jobs."""
    now = clock.now()
    old = await create(store, fresh(name="ses_old"), link(invitation_id="inv_old"))
    over = {"expires_at": now - 86400, "revealed_at": now - 90000, "seen_at": now - 86400, "link": link()}
    await change(store, old, status=SessionStatus.CONNECTED, **over)
    named = Fact(FactKind.NAMED, CONNECTION, SessionId("ses_old"), InvitationId("inv_old"))
    await store.connections.change(REF, [], [], lambda _: Changes(connections=(RECORDED,), facts=(named,)))
    await store.inbox.put("default", "message", "body")
    await store.idempotency.begin(KEY)
    await store.queue.enqueue(Job(JobKind.EXPIRE, "ses_due", 1e6))
    await numbered(store)
    await run(store, "UPDATE connections SET session_id = 'ses_old', user_ref = 'usr_ada', site_ids = '[\"s\"]'")
    await run(store, "UPDATE inbox SET done_at = 1")
    await copy(store, "sites", "ref <> ''", ref="ref || i", external_id="'x' || i", provider_id="'provider-' || i")
    await copy(store, "sessions", "id = 'ses_old'", id="'ses_' || i", created_at="created_at - i")
    await copy(store, "invitations", "id = 'inv_old'", id="'inv_' || i", session_id="'ses_' || i")
    await copy(store, "connections", "id = 'connection-1'", id="'con_' || i", recorded_at="recorded_at - i")
    await run(
        store,
        "INSERT INTO session_connections (session_id, connection_id, kind, at, progress) "
        "VALUES ('ses_old', 'connection-1', 'invitation', 1, 3)",
        "INSERT INTO connection_candidates (connection_id, session_id, tenant, user_ref) "
        "VALUES ('connection-1', 'ses_old', 'default', 'usr_bob')",
        "UPDATE sessions SET connection_id = 'connection-1' WHERE id = 'ses_old'",
        "INSERT INTO refused_results (session_id, user_ref, at) VALUES ('ses_old', 'mallory', 1)",
    )
    await copy(store, "refused_results", "user_ref = 'mallory'", session_id="'ses_' || i")
    await copy(store, "facts", "kind = 'named'", id="'fact_' || i", connection_id="'con_' || i")
    await copy(store, "events", "seq = 1", id="'evt_' || i", seq="1000 + i", session_id="'ses_' || i")
    await store.documents.name_new(RECORDED, ["doc_0"], NAMED)
    await copy(store, "documents", "id = 'doc_0'", id="'doc_' || i", connection_id="'con_' || (i / 100)")
    await copy(store, "work", "ref = 'ses_due'", ref="'ses_' || i", due_at="due_at + i")
    await copy(store, "inbox", "message_id = 'message'", id="'msg_' || i", message_id="'msg_' || i")
    await large_deliveries(store)
    await copy(store, "idempotency", "key = 'k'", key="'k' || i", lease="NULL", lease_until="NULL", answer="'{}'")
    if isinstance(store.engine, PostgresEngine):
        vacuum(request.getfixturevalue("migrated_postgres_url"))
    return store


async def large_deliveries(store: Store) -> None:
    """An endpoint that is dead, with 10,000 due deliveries and as many that wait; and 10,000 endpoints of others."""
    for number, tenant in ((1, "default"), (2, "other")):
        values = f"'whe_{number}', '{tenant}', 'https://x', '', '', NULL, 'enabled', NULL, 1, 'k', 1, 'k'"
        await run(
            store,
            "INSERT INTO endpoints (id, tenant, url, description, types, company_id, status, disabled_reason, "  # noqa: S608
            f"created_at, created_by, changed_at, changed_by) VALUES ({values})",
            "INSERT INTO endpoint_secrets (id, endpoint_id, sealed, created_at) "  # noqa: S608
            f"VALUES ('whs_{number}', 'whe_{number}', 'x', 1)",
        )
    names = "id, tenant, endpoint_id, event_id, kind, lane, aside, status, waiting, next_at, drawn, created_at"
    for name, waiting, status in (("due", 0, "pending"), ("held", 1, "pending"), ("past", 0, "delivered")):
        row = f"'whd_{name}', 'default', 'whe_1', 'evt_{name}', 'event', '{name}', 0, '{status}', {waiting}, 0, 0, 1"
        await run(store, f"INSERT INTO deliveries ({names}) VALUES ({row})")  # noqa: S608
        await copy(store, "deliveries", f"id = 'whd_{name}'", id=f"'whd_{name}' || i", lane="lane || i", drawn="i")
    await copy(store, "endpoints", "id = 'whe_2'", id="'whe_2' || i")
    await run(store, "UPDATE endpoints SET lease = 'token', lease_until = 1e12 WHERE id = 'whe_1'")
    await run(store, "INSERT INTO replays VALUES ('rpl_1', 'default', 'whe_1', 0, 5000, 5001)")


@contextmanager
def recording(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[Statement]]:
    """Collect the statements that the store runs in the block."""
    found: list[Statement] = []
    every, write = Transaction.all, Transaction.run

    def recorded_all(tx: Transaction, sql: str, **values: Any) -> Any:
        found.append((sql, values))
        return every(tx, sql, **values)

    def recorded_run(tx: Transaction, sql: str, **values: Any) -> int:
        found.append((sql, values))
        return write(tx, sql, **values)

    with monkeypatch.context() as patch:
        patch.setattr(Transaction, "all", recorded_all)
        patch.setattr(Transaction, "run", recorded_run)
        yield found


async def reads_too_much(store: Store, statement: Statement) -> str:
    """Return the statement with its figures where it reads more than it returns; otherwise nothing."""
    sql, values = statement
    if "INSERT INTO deliveries" in sql:  # what it inserts is a query
        sql = sql[sql.index("SELECT", sql.index("INSERT INTO deliveries")) :]
    if sql.startswith("INSERT") or not sql.split(maxsplit=1)[0].isalpha() or "pg_advisory" in sql or "NOTIFY" in sql:
        return ""
    measure = _rows_of_postgres if isinstance(store.engine, PostgresEngine) else _steps_of_sqlite
    read, allowed = await store.engine.write(lambda tx: measure(tx, sql, values))
    return f"{read} > {allowed}: {sql}" if read > allowed else ""


def _rows_of_postgres(tx: Transaction, sql: str, values: dict[str, Any]) -> tuple[float, float]:
    (row,) = tx.all(f"EXPLAIN (ANALYZE, FORMAT JSON) {sql}", **values)
    plan = next(iter(row.values()))
    top = (json.loads(plan) if isinstance(plan, str) else plan)[0]["Plan"]
    return _rows_read(top), 3 * top["Actual Rows"] + BESIDE_ROWS


def _rows_read(node: dict[str, Any]) -> float:
    children = node.get("Plans", [])
    own = 0.0
    if "Scan" in node["Node Type"] and not children:
        removed = node.get("Rows Removed by Filter", 0) + node.get("Rows Removed by Index Recheck", 0)
        own = (node["Actual Rows"] + removed) * node["Actual Loops"]
    return own + sum(_rows_read(child) for child in children)


def _steps_of_sqlite(tx: Transaction, sql: str, values: dict[str, Any]) -> tuple[int, int]:
    steps = 0

    def count() -> int:
        nonlocal steps
        steps += 100
        return 0

    connection = tx._cursor.connection  # type: ignore[attr-defined]  # noqa: SLF001 - no other way to count
    connection.set_progress_handler(count, 100)
    returned = len(tx.all(sql, **values))
    connection.set_progress_handler(None, 0)
    return steps, STEPS_OF_A_ROW * returned + BESIDE_STEPS


async def listed(store: Store) -> object:
    """What the provider lists for a company with 10,000 connections."""
    ids = [CONNECTION, *(ConnectionId(f"con_{number}") for number in range(1, ROWS + 1))]
    return await store.connections.after_poll(REF, ids)


async def erase_nothing(store: Store) -> object:
    await store.users.complete_erasure(UserRef("usr_bob"))
    return await store.users.is_erased(UserRef("usr_bob"))


async def number(store: Store) -> None:
    if isinstance(store.engine, PostgresEngine):
        await store.engine.number()


LEASE, LATER = EndpointLease("whe_1", "token", TENANT), (connection().recorded_at - 5000, "x")
OF_CANDIDATE, EVE = {"user_id": "bob", "attributed": False}, (UserId("eve"), UserRef("usr_eve"))
CALLS: dict[str, Call] = {
    "endpoints with something due": lambda store: store.deliveries.lease(8),
    "those of other tenants": lambda store: store.deliveries.lease(8, TenantShare(1, {TENANT: 1})),
    "due deliveries": lambda store: store.deliveries.due(LEASE, 25, aside=False),
    "due deliveries beside": lambda store: store.deliveries.due(LEASE, 25, aside=True),
    "endpoint lease renewal": lambda store: store.deliveries.renew(["token"]),
    "a recorded answer": lambda store: store.deliveries.record(LEASE, [ANSWERED], EndpointHealth(), ["whd_due7"]),
    "deliveries of an endpoint": lambda store: store.deliveries.list_page("whe_1", None, None, 25),
    "delivered ones, a later page": lambda store: store.deliveries.list_page("whe_1", "failed", (0.5, "x"), 25),
    "endpoints": lambda store: store.endpoints.list_page(TENANT, None, 25),
    "endpoints to review": lambda store: store.endpoints.to_review(10),
    "secrets to purge": lambda store: store.endpoints.purge_secrets(),
    "changes of endpoints to delete": lambda store: store.retention.delete_endpoint_changes(0.0),
    "enabled endpoints": lambda store: store.endpoints.enabled(TENANT),
    "replay": lambda store: store.replays.advance("rpl_1"),
    "event with deliveries": lambda store: store.documents.name_new(RECORDED, ["d"], NAMED),
    "sessions": lambda store: store.sessions.list_page(TENANT, {}, None, 25),
    "sessions, a later page": lambda store: store.sessions.list_page(TENANT, {}, (fresh().created_at - 5000, "x"), 25),
    "sessions by status": lambda store: store.sessions.list_page(TENANT, {"status": "failed"}, None, 25),
    "sessions by user": lambda store: store.sessions.list_page(TENANT, {"user_id": "bob"}, None, 25),
    "sessions by company": lambda store: store.sessions.list_page(TENANT, {"company": "rare"}, None, 25),
    "sessions of a large company": lambda store: store.sessions.list_page(TENANT, {"company": "acme"}, None, 25),
    "connections": lambda store: store.connections.list_page(TENANT, {}, None, 25),
    "connections, a later page": lambda store: store.connections.list_page(TENANT, {}, LATER, 25),
    "connections by status": lambda store: store.connections.list_page(TENANT, {"status": "PENDING"}, None, 25),
    "removed connections": lambda store: store.connections.list_page(TENANT, {"status": "REMOVED"}, None, 25),
    "connections by state": lambda store: store.connections.list_page(TENANT, {"state": "delayed"}, None, 25),
    "connections of a candidate": lambda store: store.connections.list_page(TENANT, OF_CANDIDATE, None, 25),
    "connections by user": lambda store: store.connections.list_page(TENANT, {"user_id": "bob"}, None, 25),
    "connections by company": lambda store: store.connections.list_page(TENANT, {"company": "rare"}, None, 25),
    "connections of a large company": lambda store: store.connections.list_page(TENANT, {"company": "acme"}, None, 25),
    "connections without owner": lambda store: store.connections.list_page(TENANT, {"attributed": False}, None, 25),
    "purge of webhooks": lambda store: store.inbox.purge(),
    "purge of keys": lambda store: store.idempotency.purge(),
    "key": lambda store: store.idempotency.begin(replace(KEY, token="another")),
    "key of a create": lambda store: store.sessions.earlier(replace(KEY, token="another")),
    "key renewal": lambda store: store.idempotency.renew(["token"]),
    "numbering": number,
    "events of a tenant": lambda store: store.events.after(5000, 25, TENANT),
    "events of a session": lambda store: store.events.after(0, 25, TENANT, SessionId("ses_old")),
    "events of a page": lambda store: store.events.on_pages_after(0, 25, SessionId("ses_old")),
    "refused result": lambda store: store.sessions.refuse_result(SessionId("ses_old"), TENANT, EVE, lambda *_: None),
    "position": lambda store: store.events.position("evt_5", SessionId("ses_5")),
    "page": lambda store: store.sessions.page_snapshot(SessionId("ses_old")),
    "presence of pages": lambda store: store.sessions.keep_alive([Heartbeat(SessionId("ses_old"), None)], 1.0),
    "session with its connections": lambda store: store.sessions.summary(SessionId("ses_old"), TENANT),
    "poll budget": lambda store: store.companies.take_poll(REF),
    "failed poll": lambda store: store.companies.note_failed_poll(REF, 1.0),
    "budget of logs": lambda store: store.companies.take_logs(REF, 5),
    "uploaded documents": lambda store: store.documents.name_uploaded(replace(COMPANY, ref=REF), ["u"], NAMED),
    "last webhook": lambda store: store.provider_state.last_webhook_at(),
    "poll records": lambda store: store.connections.change(REF, [CONNECTION], [], lambda _: Changes()),
    "after a poll": listed,
    "next job": lambda store: store.queue.next_in_seconds(),
    "leasing": lambda store: store.queue.lease(16, 10.0),
    "status of a user": lambda store: store.users.status(TENANT, UserId("ada")),
    "user ids": lambda store: store.users.ids([UserRef("usr_ada")]),
    "sessions of a user": lambda store: store.users.sessions(UserRef("usr_bob")),
    "erasure": erase_nothing,
    "purge of events": lambda store: store.retention.delete_events(0.0),
    "purge of connections": lambda store: store.retention.delete_connections(0.0),
    "purge of sessions": lambda store: store.retention.delete_sessions(fresh().created_at - 10**6),
    "lease renewal": lambda store: store.queue.renew(["lease"], 10.0),
}


async def test_repeated_queries_read_no_more_than_they_return(large: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    slow: dict[str, list[str]] = {}
    for name, call in CALLS.items():
        with recording(monkeypatch) as statements, suppress(IdempotencyInProgress):
            await call(large)
        assert statements or name == "numbering", name
        slow[name] = [found for each in statements if (found := await reads_too_much(large, each))]
    assert {name: found for name, found in slow.items() if found} == {}
    for sql in ("SELECT ref FROM work ORDER BY attempts LIMIT 1", "SELECT id FROM sessions WHERE locale = 'xx'"):
        assert await reads_too_much(large, (sql, {})), "a query without an index must be noticed"

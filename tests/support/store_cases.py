"""Ways into a store that several of its tests share."""

import asyncio
from dataclasses import replace
from typing import Any

import pytest

from service.domain import session_rules
from service.domain.changes import Changes, CompletedIntent
from service.domain.model import Company, CompanyRef, Connection, Link, LinkStatus, Session, SessionId, Site
from service.domain.session_status import SessionStatus
from service.store import Store
from service.store.engine import Transaction, Unit
from service.store.rows import site_of
from tests.support.domain_values import SITE, TENANT, session, with_status
from tests.support.patience import PATIENCE_SECONDS

UNNAMED = Company(CompanyRef("cmp_new"), TENANT, "acme", "Acme Ltd", None, None)
KEYS = ("k" * 32,)


def fresh(user: str = "ada", name: str | None = None, **fields: Any) -> Session:
    """A session as a host asks for it: of a company and a site that the provider has not named yet."""
    new = {"status": SessionStatus.CREATED, "link_status": LinkStatus.PENDING, "company": UNNAMED}
    plain = {**new, "sites": (replace(SITE, provider_id=None),)}
    return session(user, name, **(plain | fields))


def created(session: Session) -> Changes:
    """The decision on a new session whose link is made at once."""
    return session_rules.create(session, 0.0)


async def connections_of(store: Store, session_id: str) -> list[Connection]:
    return list((await store.sessions.page_snapshot(SessionId(session_id))).connections)


async def create(store: Store, one: Session, link: Link | None = None) -> Session:
    """Write the session; with a link, also what making it writes."""
    made = await store.sessions.create(one, created)
    assert isinstance(made, Session)
    return made if link is None else await give(store, made, link)


async def give(store: Store, one: Session, link: Link) -> Session:
    """Write the link that the provider has given, an invitation by a call with an intent."""
    ready = replace(one, link=link, link_kind=link.kind, link_status=LinkStatus.READY)
    completed = None
    if link.invitation_id is not None:
        completed = CompletedIntent(await store.intents.begin_invitation(one.id, one.serial), one.id, link, 3600.0)
    return await store.sessions.change(one.id, lambda _: Changes(sessions=(ready,), completed_intent=completed))


async def change(store: Store, one: Session, **fields: Any) -> Session:
    status = fields.pop("status", None)

    def decide(now: Session) -> Changes:
        changed = with_status(now, status) if status is not None else now
        return Changes(sessions=(replace(changed, **fields),))

    return await store.sessions.change(one.id, decide)


async def count(store: Store, table: str, where: str = "1 = 1", **values: Any) -> int:
    def unit(tx: Transaction) -> int:
        row = tx.one(f"SELECT COUNT(*) AS n FROM {table} WHERE {where}", **values)  # noqa: S608 - the test's own words
        return int(row["n"]) if row else 0

    return await store.engine.read(unit)


async def sites_of(store: Store, company: CompanyRef) -> list[Site]:
    sql = "SELECT * FROM sites WHERE company_ref = :ref ORDER BY ref"
    return await store.engine.read(lambda tx: [site_of(row) for row in tx.all(sql, ref=company)])


async def numbered(store: Store) -> None:
    """Wait until every event has its position, which PostgreSQL gives after the commit."""
    signal = asyncio.Event()
    store.engine.on_events(lambda _: signal.set())
    async with asyncio.timeout(PATIENCE_SECONDS):
        while await count(store, "events", "seq IS NULL"):
            await asyncio.wait([asyncio.ensure_future(signal.wait())], timeout=0.05)
            signal.clear()


def count_reads(store: Store, monkeypatch: pytest.MonkeyPatch) -> list[Unit[Any]]:
    """Return the units that the store's engine reads from now on."""
    units: list[Unit[Any]] = []
    read = store.engine.read

    async def counted(unit: Unit[Any], *, snapshot: bool = True) -> Any:
        units.append(unit)
        return await read(unit, snapshot=snapshot)

    monkeypatch.setattr(store.engine, "read", counted)
    return units


def count_writes(store: Store, monkeypatch: pytest.MonkeyPatch) -> list[Unit[Any]]:
    """Return the units that the store's engine runs from now on, one for each transaction."""
    units: list[Unit[Any]] = []
    write = store.engine.write

    async def counted(unit: Unit[Any]) -> Any:
        units.append(unit)
        return await write(unit)

    monkeypatch.setattr(store.engine, "write", counted)
    return units

"""Ways into a store that several of its tests share."""

import asyncio
from dataclasses import replace
from typing import Any

from service.ledger import Answered, Changes, Wanted
from service.model import Company, CompanyRef, Link, LinkStatus, Session, SessionStatus
from service.store import Store
from service.store.tx import Tx
from tests.unit.given import SITE, TENANT, session

UNNAMED = Company(CompanyRef("cmp_new"), TENANT, "acme", "Acme Ltd", None, None)
PATIENCE_SECONDS = 5.0


def fresh(user: str = "ada", name: str | None = None, **fields: Any) -> Session:
    """A session as a host asks for it: of a company and a site that the provider has not named yet."""
    new = {"status": SessionStatus.CREATED, "link_status": LinkStatus.PENDING, "company": UNNAMED}
    plain = {**new, "sites": (replace(SITE, provider_id=None),)}
    return session(user, name, **(plain | fields))


async def create(store: Store, one: Session, link: Link | None = None) -> Session:
    """Write the session; with a link, also what making it writes."""
    made = await store.sessions.create(one, Wanted())
    assert isinstance(made, Session)
    return made if link is None else await give(store, made, link)


async def give(store: Store, one: Session, link: Link) -> Session:
    """Write the link that the provider has given, an invitation by a call that was noted."""
    ready = replace(one, link=link, link_kind=link.kind, link_status=LinkStatus.READY)
    answered = None
    if link.invitation_id is not None:
        answered = Answered(await store.intents.note(one.id, one.serial), one.id, link, 3600.0)
    return await store.sessions.change(one.id, lambda _: Changes(sessions=(ready,), answered=answered))


async def change(store: Store, one: Session, **fields: Any) -> Session:
    return await store.sessions.change(one.id, lambda now: Changes(sessions=(replace(now, **fields),)))


async def count(store: Store, table: str, where: str = "1 = 1", **values: Any) -> int:
    def unit(tx: Tx) -> int:
        row = tx.one(f"SELECT COUNT(*) AS n FROM {table} WHERE {where}", **values)  # noqa: S608 - the test's own words
        return int(row["n"]) if row else 0

    return await store.engine.read(unit)


async def numbered(store: Store) -> None:
    """Wait until every event has its position, which PostgreSQL gives after the commit."""
    bell = asyncio.Event()
    store.engine.on_news(lambda _: bell.set())
    async with asyncio.timeout(PATIENCE_SECONDS):
        while await count(store, "events", "seq IS NULL"):
            await asyncio.wait([asyncio.ensure_future(bell.wait())], timeout=0.05)
            bell.clear()

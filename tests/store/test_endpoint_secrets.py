"""Secrets of endpoints, as they are stored: encrypted again with the newest secret key, so that an older one can go."""

import pytest

from service.domain.endpoints import Endpoint, EndpointChange, EndpointSecret
from service.store import Store
from service.store.endpoint_secrets import sealed_secret
from service.store.engine import Engine
from tests.support.clock import Clock
from tests.support.domain_values import TENANT

OLD, NEW = "the-first-key-0123456789-0123456789", "the-second-key-0123456789-012345678"
NUMBER = 501  # more than one batch


def store_with(engine: Engine, clock: Clock, *keys: str) -> Store:
    return Store(engine, clock=clock.now, new_id=lambda prefix: f"{prefix}_1", keys=keys)


def secret(number: int) -> EndpointSecret:
    return EndpointSecret(f"whs_{number:04}", f"whsec_{number}", "whsk_private", 1.0)


def endpoint() -> Endpoint:
    return Endpoint("whe_1", TENANT, "https://x.example.com", "", (), None, 1.0, "k", 1.0, "k")


async def encrypt_all(store: Store) -> int:
    """How many batches it took."""
    last, batches = await store.endpoints.encrypt_secrets(""), 1
    while last is not None:
        last, batches = await store.endpoints.encrypt_secrets(last), batches + 1
    return batches


async def sealed(store: Store) -> list[str]:
    rows = await store.engine.read(lambda tx: tx.all("SELECT sealed FROM endpoint_secrets ORDER BY id"))
    return [row["sealed"] for row in rows]


@pytest.fixture
async def old(store: Store, engine: Engine, clock: Clock) -> Store:
    """One endpoint with many secrets, all of them of the old key."""
    assert store.engine is engine
    found = store_with(engine, clock, OLD)
    await found.endpoints.create(EndpointChange(endpoint(), "created", "k", secret(0)))
    context = found.endpoints._context  # noqa: SLF001 - to seal many at once
    rows = [{"id": one.id, "sealed": sealed_secret(one, context)} for one in map(secret, range(1, NUMBER))]
    insert = "INSERT INTO endpoint_secrets (id, endpoint_id, sealed, created_at) VALUES (:id, 'whe_1', :sealed, 1.0)"
    await found.engine.write(lambda tx: tx.many(insert, rows))
    return found


async def test_what_no_key_can_read_stays_as_it_is(old: Store, engine: Engine, clock: Clock) -> None:
    before = await sealed(old)
    assert await encrypt_all(store_with(engine, clock, NEW)) == 3
    assert await sealed(old) == before


async def test_each_secret_is_encrypted_with_the_newest_key_once(old: Store, engine: Engine, clock: Clock) -> None:
    both, new = store_with(engine, clock, NEW, OLD), store_with(engine, clock, NEW)
    assert await encrypt_all(both) == 3
    after = await sealed(both)
    assert await encrypt_all(both) == 3
    assert await sealed(both) == after
    for number in (0, 1, NUMBER - 1):
        assert await new.endpoints.secret(secret(number).id) == secret(number)
        assert (await old.endpoints.secret(secret(number).id)).key == ""

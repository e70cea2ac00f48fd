"""Endpoints: secrets encrypted and bound to their rows, changes audited, reviews found by their time."""

import pytest

from service.domain.endpoints import Endpoint, EndpointChange, EndpointHealth, EndpointSecret, with_health
from service.domain.model import Tenant
from service.errors import NotFound
from service.store import Store
from service.store.encryption import Cipher
from tests.support.clock import Clock
from tests.support.domain_values import TENANT
from tests.support.store_cases import KEYS

ENDPOINT = Endpoint("whe_1", TENANT, "https://x.example.com", "mine", ("a.b", "c.d"), "company", 1.0, "k", 1.0, "k")
SECRET = EndpointSecret("whs_1", "whsec_secret", "whsk_private", 1.0)


@pytest.fixture
async def made(store: Store) -> Endpoint:
    await store.endpoints.create(EndpointChange(ENDPOINT, "created", "k", SECRET))
    return ENDPOINT


async def test_an_endpoint_is_the_same_after_it_was_stored(store: Store, made: Endpoint) -> None:
    assert await store.endpoints.get(made.id, TENANT) == made
    assert await store.endpoints.secret(SECRET.id) == SECRET
    with pytest.raises(NotFound):
        await store.endpoints.get(made.id, Tenant("other"))
    with pytest.raises(NotFound):
        await store.endpoints.secret("whs_unknown")


async def test_a_secret_is_encrypted_and_opens_in_its_own_row_only(store: Store, made: Endpoint) -> None:
    assert made.id
    (row,) = await store.engine.read(lambda tx: tx.all("SELECT * FROM endpoint_secrets"))
    assert "secret" not in row["sealed"]
    assert Cipher(KEYS).decrypt(row["sealed"], "whs_1") == '["whsec_secret", "whsk_private"]'
    await store.engine.write(lambda tx: tx.run("UPDATE endpoint_secrets SET id = 'whs_2'"))
    assert (await store.endpoints.view(made.id, TENANT)).secret is None


async def test_a_replaced_secret_signs_until_its_end_and_is_purged_later(
    store: Store, made: Endpoint, clock: Clock
) -> None:
    now = clock.now()
    new = EndpointSecret("whs_2", "whsec_new", "whsk_new", now)
    change = EndpointChange(made, "secret rotated", "k", new, now + 10)
    await store.endpoints.change(made.id, lambda _: change, TENANT)
    assert (await store.endpoints.view(made.id, TENANT)).secret == new
    clock.advance(2 * 86400 + 9)
    assert await store.endpoints.purge_secrets() == 0
    clock.advance(2)
    assert await store.endpoints.purge_secrets() == 1


async def test_reviews_are_found_by_their_time(store: Store, made: Endpoint, clock: Clock) -> None:
    health = EndpointHealth(failing_since=1.0, failures=1, review_at=clock.now() + 5)
    await store.endpoints.change(made.id, lambda one: EndpointChange(with_health(one, health), "failing", "k"))
    assert await store.endpoints.to_review(9) == []
    clock.advance(5)
    assert await store.endpoints.to_review(9) == [made.id]
    assert await store.endpoints.change(made.id, lambda _: None) == with_health(made, health)

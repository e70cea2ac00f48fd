"""The loop that sends webhooks: it survives a database that is away, renews its leases, and gives them back."""

import asyncio
import logging
from collections.abc import AsyncIterator, Collection

import pytest

from service.background.deliveries import DeliveryWorker
from service.errors import Unavailable
from service.store import Store
from service.store.deliveries import EndpointLease
from service.store.due_endpoints import TenantShare
from service.usecases.deliveries import Deliveries
from tests.support.domain_values import TENANT
from tests.support.patience import PATIENCE_SECONDS


class Turns(Deliveries):
    """Turns that the test ends; each sends nothing."""

    def __init__(self) -> None:
        self.began: list[str] = []
        self.gate = asyncio.Event()
        self.error: Exception | None = None

    async def run(self, lease: EndpointLease) -> bool:
        self.began.append(lease.endpoint_id)
        if self.error is not None:
            raise self.error
        await self.gate.wait()
        return False

    async def review_failing(self) -> bool:
        return False


class Leases:
    """What the loop uses of the store: leases that are given out, renewed and released."""

    def __init__(self) -> None:
        self.due: list[EndpointLease] = []
        self.released: list[str] = []
        self.releases = 0
        self.share: TenantShare | None = None
        self.lost: set[str] = set()
        self.is_away = False
        self.deliveries = self

    async def lease(self, _limit: int, share: TenantShare) -> list[EndpointLease]:
        self.share = share
        if self.is_away:
            raise Unavailable
        due, self.due = self.due, []
        return due

    async def renew(self, tokens: frozenset[str]) -> frozenset[str]:
        if self.is_away:
            raise Unavailable
        return frozenset(tokens) - self.lost

    async def release(self, tokens: Collection[str]) -> None:
        self.releases += 1
        if self.is_away:
            raise Unavailable
        self.released += tokens


LEASE = EndpointLease("whe_1", "token", TENANT)


@pytest.fixture
def leases() -> Leases:
    return Leases()


@pytest.fixture
async def turns() -> Turns:
    return Turns()


@pytest.fixture
async def worker(leases: Leases, turns: Turns) -> AsyncIterator[DeliveryWorker]:
    store: Store = leases  # type: ignore[assignment]
    made = DeliveryWorker(store, turns)
    yield made
    leases.is_away = False
    await made.stop(0)


async def soon() -> None:
    for _ in range(20):
        await asyncio.sleep(0)


async def test_a_turn_that_lost_its_lease_is_ended(worker: DeliveryWorker, leases: Leases, turns: Turns) -> None:
    leases.due = [LEASE]
    assert await worker.lease_due()
    await soon()
    leases.lost = {"token"}
    await worker.renew_leases()
    await soon()
    assert (turns.began, leases.released) == (["whe_1"], [])
    assert not await worker.lease_due()


async def test_what_runs_when_the_process_stops_is_cut_and_its_lease_given_back(
    worker: DeliveryWorker, leases: Leases
) -> None:
    leases.due = [LEASE]
    await worker.lease_due()
    await worker.stop(0.01)
    assert leases.released == ["token"]
    leases.due = [LEASE]
    assert not await worker.lease_due()


async def test_the_time_to_finish_runs_from_the_moment_when_no_more_is_leased(
    worker: DeliveryWorker, leases: Leases, monkeypatch: pytest.MonkeyPatch
) -> None:
    loop = asyncio.get_running_loop()
    leases.due = [LEASE]
    await worker.lease_due()
    worker.stop_leasing()
    now = loop.time
    monkeypatch.setattr(loop, "time", lambda: now() + 60)  # requests are being answered
    async with asyncio.timeout(PATIENCE_SECONDS):
        await worker.stop(60)
    assert leases.released == ["token"]


async def test_a_stop_without_turns_releases_nothing(
    worker: DeliveryWorker, leases: Leases, caplog: pytest.LogCaptureFixture
) -> None:
    leases.is_away = True
    await worker.stop(1)
    assert (leases.releases, caplog.messages) == (0, [])


async def test_a_stop_releases_only_the_leases_of_turns_that_were_cut(
    worker: DeliveryWorker, leases: Leases, turns: Turns
) -> None:
    leases.due = [LEASE]
    await worker.lease_due()
    turns.gate.set()
    await worker.stop(5)
    assert (leases.releases, leases.released) == (1, ["token"])


async def test_a_stop_while_the_database_is_away_says_how_many_endpoints_wait(
    worker: DeliveryWorker, leases: Leases, caplog: pytest.LogCaptureFixture
) -> None:
    leases.due = [LEASE, EndpointLease("whe_2", "other", TENANT)]
    await worker.lease_due()
    leases.is_away = True
    with caplog.at_level(logging.WARNING):
        await worker.stop(0)
    assert caplog.messages == ["the database is unavailable; 2 endpoints wait for their leases to end"]


async def test_a_tenant_has_half_of_the_turns_at_most_and_each_counts_until_it_ends(
    worker: DeliveryWorker, leases: Leases, turns: Turns
) -> None:
    leases.due = [LEASE, EndpointLease("whe_2", "other", TENANT)]
    await worker.lease_due()
    await worker.lease_due()
    assert leases.share == TenantShare(128, {TENANT: 2})
    turns.gate.set()
    await soon()
    await worker.lease_due()
    assert leases.share == TenantShare(128, {})


@pytest.mark.parametrize("error", [Unavailable(), ValueError("a fault of ours")])
async def test_an_error_at_one_endpoint_ends_its_turn_alone(
    worker: DeliveryWorker, leases: Leases, turns: Turns, error: Exception
) -> None:
    leases.due, turns.error = [LEASE], error
    await worker.lease_due()
    await soon()
    turns.error = None
    leases.due = [EndpointLease("whe_2", "other", TENANT)]
    assert await worker.lease_due()
    await soon()
    assert turns.began == ["whe_1", "whe_2"]


async def test_the_loop_goes_on_when_the_database_is_back(worker: DeliveryWorker, leases: Leases, turns: Turns) -> None:
    leases.is_away = True
    running = asyncio.create_task(worker.run())
    await soon()
    leases.is_away, leases.due = False, [LEASE]
    worker.wake()
    async with asyncio.timeout(PATIENCE_SECONDS):
        while not turns.began:  # noqa: ASYNC110 - the loop's own pause is real time
            await asyncio.sleep(0.01)
    turns.gate.set()
    await worker.stop(1)
    await running
    assert set(leases.released) == {"token"}

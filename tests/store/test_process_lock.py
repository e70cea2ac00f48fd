"""Whether a process is alone on its SQLite file, and what it may do if it is: end the leases of the dead."""

from dataclasses import replace
from pathlib import Path

import pytest

from service.domain.changes import Job, JobKind
from service.domain.endpoints import Endpoint, EndpointChange, EndpointSecret
from service.domain.requests import IdempotentRequest, KeyLease
from service.domain.timing import LEASE_SECONDS
from service.errors import IdempotencyInProgress
from service.store import Store
from service.store.process_lock import ProcessLock
from service.store.sqlite import SqliteEngine
from tests.support.clock import Clock
from tests.support.domain_values import TENANT
from tests.support.store_cases import count

LEASE = 90.0


@pytest.fixture
def path(tmp_path: Path) -> str:
    return str(tmp_path / "magiclink.db")


def opened(path: str, clock: Clock) -> Store:
    return Store(SqliteEngine(path, clock.now), clock=clock.now, new_id=lambda kind: kind, keys=("k" * 32,))


def test_the_second_process_is_not_alone_and_the_next_one_after_both_is(path: str) -> None:
    first, second, third = ProcessLock(path), ProcessLock(path), ProcessLock(path)
    first.take()
    second.take()
    assert (first.is_alone, second.is_alone) == (True, False)
    first.release()
    second.release()
    third.take()
    assert third.is_alone
    third.release()


def test_a_lock_file_that_cannot_be_made_leaves_nobody_alone(tmp_path: Path) -> None:
    lock = ProcessLock(str(tmp_path / "missing" / "magiclink.db"))
    lock.take()
    assert not lock.is_alone
    lock.release()


def test_the_lock_file_is_for_its_owner_only(path: str) -> None:
    lock = ProcessLock(path)
    lock.take()
    assert Path(f"{path}.lock").stat().st_mode & 0o777 == 0o600
    lock.release()


@pytest.mark.parametrize("name", [":memory:", "file:shared?mode=memory&cache=shared"])
def test_a_database_in_memory_has_no_lock_file(name: str) -> None:
    lock = ProcessLock(name)
    lock.take()
    assert not lock.is_alone
    lock.release()


async def test_a_restart_after_a_crash_runs_what_the_dead_process_had_leased(path: str, clock: Clock) -> None:
    dead = opened(path, clock)
    await dead.open()
    await dead.queue.enqueue(Job(JobKind.RECONCILE, "cmp_1"))
    assert await dead.queue.lease(1, LEASE)
    await dead.close()  # its leases stay, as after a kill
    heir = opened(path, clock)
    await heir.open()
    assert [job.ref for job in await heir.queue.lease(1, LEASE)] == ["cmp_1"]
    await heir.close()


async def test_a_restart_after_a_crash_and_a_clock_set_back_waits_for_a_key_no_longer(path: str, clock: Clock) -> None:
    key = KeyLease(TENANT, IdempotentRequest("/v1/sessions", "key-1", "digest-1"), "token-1")
    clock.advance(10_000)
    dead = opened(path, clock)
    await dead.open()
    await dead.idempotency.begin(key)
    await dead.close()  # its leases stay, as after a kill
    clock.advance(-10_000)
    heir = opened(path, clock)
    await heir.open()
    with pytest.raises(IdempotencyInProgress):
        await heir.idempotency.begin(replace(key, token="token-2"))
    clock.advance(LEASE_SECONDS)
    assert await heir.idempotency.begin(replace(key, token="token-2")) is None
    await heir.close()


async def test_a_restart_after_a_crash_ends_the_leases_of_endpoints(path: str, clock: Clock) -> None:
    dead = opened(path, clock)
    await dead.open()
    endpoint = Endpoint("whe_1", TENANT, "https://x.example.com", "", (), None, 1.0, "k", 1.0, "k")
    secret = EndpointSecret("whs_1", "whsec_secret", "whsk_private", 1.0)
    await dead.endpoints.create(EndpointChange(endpoint, "created", "k", secret))
    await dead.engine.write(lambda tx: tx.run("UPDATE endpoints SET lease = 'dead', lease_until = 1e12"))
    await dead.close()
    heir = opened(path, clock)
    await heir.open()
    assert await count(heir, "endpoints", "lease IS NULL") == 1
    await heir.close()


async def test_a_process_beside_another_leaves_its_leases(path: str, clock: Clock) -> None:
    living, newcomer = opened(path, clock), opened(path, clock)
    await living.open()
    await living.queue.enqueue(Job(JobKind.RECONCILE, "cmp_1"))
    assert await living.queue.lease(1, LEASE)
    await newcomer.open()
    assert await newcomer.queue.lease(1, LEASE) == []
    await newcomer.close()
    await living.close()

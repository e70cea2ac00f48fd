"""Presence of many pages in one transaction, and the marks by which streams notice that something changed."""

import asyncio
import threading
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from typing import Any

import pytest

from service.domain import events
from service.domain.changes import Changes, Job, JobKind
from service.domain.model import Candidate, LinkStatus, Session, SessionId, Verdict
from service.domain.timing import GRACE_SECONDS, PRESENCE_SECONDS, SETTLE_SECONDS
from service.pubsub import PubSub
from service.store import Store
from service.store.engine import Transaction
from service.store.postgres import PostgresEngine
from service.store.presence import Heartbeat, KeptAlive
from tests.support.clock import Clock
from tests.support.domain_values import connection, link
from tests.support.patience import PATIENCE_SECONDS
from tests.support.store_cases import KEYS, change, create, fresh, numbered

BEAT_SECONDS = PubSub().keep_alive_seconds


async def opened(store: Store, name: str = "ses_1", page: str | None = None, **fields: Any) -> Session:
    """A started page's session, last seen a minute ago; `page` is the digest of its key."""
    made = await create(store, fresh(name=name), link(invitation_id=f"inv_{name}"))
    at = made.created_at
    started = {"page_hash": page or f"page of {name}", "opened_at": at, "seen_at": at - 60, "revealed_at": at}
    return await change(store, made, **started | fields)


def beat(session: Session) -> Heartbeat:
    return Heartbeat(session.id, session.page_hash)


async def alive(store: Store, clock: Clock, heartbeats: Sequence[Heartbeat]) -> KeptAlive:
    return await store.sessions.keep_alive(heartbeats, clock.now())


async def seen_at(store: Store, session: Session) -> float | None:
    return (await store.sessions.get(session.id)).seen_at


async def checks(store: Store, clock: Clock, seconds: float) -> list[str]:
    """Which sessions' presence is checked so many seconds from now, without leasing it."""
    at = clock.now() + seconds
    sql = "SELECT ref FROM work WHERE kind = 'presence' AND COALESCE(again_at, due_at) <= :at ORDER BY ref"
    return [row["ref"] for row in await store.engine.read(lambda tx: tx.all(sql, at=at))]


@pytest.mark.parametrize(
    "fields", [{"revoked_at": 2.0}, {"over_at": 2.0}, {"left_at": 2.0}], ids=["revoked", "over", "left"]
)
async def test_a_session_that_is_not_simply_open_needs_a_decision(
    store: Store, clock: Clock, fields: dict[str, Any]
) -> None:
    session, other = await opened(store, **fields), await opened(store, "ses_2")
    kept = await alive(store, clock, [beat(session), beat(other)])
    assert kept.undecided == {beat(session)}
    assert set(kept.marks) == {session.id, other.id}
    assert await seen_at(store, session) == session.seen_at


async def test_the_key_of_another_page_records_no_presence(store: Store, clock: Clock) -> None:
    session = await opened(store)
    kept = await alive(store, clock, [Heartbeat(session.id, "page of Mallory")])
    assert (kept.undecided, set(kept.marks)) == (frozenset(), {session.id})
    assert await seen_at(store, session) == session.seen_at
    assert await checks(store, clock, 1e6) == []


async def test_a_stream_whose_page_is_done_only_gets_the_mark(store: Store, clock: Clock) -> None:
    session = await opened(store)
    kept = await alive(store, clock, [Heartbeat(session.id, None)])
    assert (kept.undecided, set(kept.marks)) == (frozenset(), {session.id})
    assert await seen_at(store, session) == session.seen_at


async def test_an_unknown_session_has_no_mark_and_hinders_no_other(store: Store, clock: Clock) -> None:
    session, unknown = await opened(store), Heartbeat(SessionId("ses_unknown"), "page")
    kept = await alive(store, clock, [unknown, beat(session)])
    assert (kept.undecided, set(kept.marks)) == (frozenset({unknown}), {session.id})
    assert await seen_at(store, session) == clock.now()


async def test_many_pages_are_present_after_one_transaction(store: Store, clock: Clock) -> None:
    sessions = [await opened(store, f"ses_{number}") for number in range(20)]
    kept = await alive(store, clock, [beat(session) for session in sessions])
    assert kept.undecided == frozenset()
    assert {await seen_at(store, session) for session in sessions} == {clock.now()}
    assert len(await checks(store, clock, PRESENCE_SECONDS)) == 20


async def test_the_check_of_a_present_page_never_runs_and_is_due_a_minute_after_the_last_heartbeat_at_the_latest(
    store: Store, clock: Clock
) -> None:
    session = await opened(store)
    for _ in range(9):
        await alive(store, clock, [beat(session)])
        assert await checks(store, clock, BEAT_SECONDS) == []
        assert await checks(store, clock, PRESENCE_SECONDS) == [session.id]
        clock.advance(BEAT_SECONDS)


async def test_a_heartbeat_during_the_check_has_the_check_run_again(store: Store, clock: Clock) -> None:
    session = await opened(store)
    await store.queue.enqueue(Job(JobKind.PRESENCE, session.id))
    (job,) = [each for each in await store.queue.lease(100, 9.0) if each.kind is JobKind.PRESENCE]
    await alive(store, clock, [beat(session)])
    await store.queue.complete(job)  # it found the session in a state that needs no check
    assert await checks(store, clock, PRESENCE_SECONDS) == [session.id]


async def test_a_session_that_another_transaction_holds_is_undecided_and_delays_no_other(
    migrated_postgres_url: str, clock: Clock, new_id: Callable[[str], str]
) -> None:
    # On PostgreSQL only: SQLite has one writer at a time.
    other = PostgresEngine(migrated_postgres_url, clock.now)
    store = Store(PostgresEngine(migrated_postgres_url, clock.now), clock=clock.now, new_id=new_id, keys=KEYS)
    await store.open()
    await other.open()
    held, free = await opened(store), await opened(store, "ses_2")
    locked, done = threading.Event(), threading.Event()

    def hold(tx: Transaction) -> None:
        tx.one("SELECT id FROM sessions WHERE id = :id FOR UPDATE", id=held.id)
        locked.set()
        done.wait(PATIENCE_SECONDS)

    holding = asyncio.create_task(other.write(hold))
    await asyncio.to_thread(locked.wait, PATIENCE_SECONDS)
    async with asyncio.timeout(PATIENCE_SECONDS / 2):
        kept = await alive(store, clock, [beat(held), beat(free)])
    done.set()
    await holding
    await other.close()
    await store.close()
    assert (kept.undecided, set(kept.marks)) == (frozenset({beat(held)}), {held.id, free.id})


# marks


async def mark(store: Store, clock: Clock, session: Session) -> int:
    """The mark of now, which a group of heartbeats and the view of one page have in common."""
    await numbered(store)
    kept = await alive(store, clock, [beat(session)])
    snapshot = await store.sessions.page_snapshot(session.id, marked=True)
    assert snapshot.mark == kept.marks[session.id]
    return kept.marks[session.id]


async def polled(store: Store, session: Session, at: float) -> None:
    await store.connections.change(session.company.ref, [], [], lambda _: Changes(polled_at=at))


async def undecided(store: Store, session: Session, recorded_at: float) -> None:
    """Record a connection whose owner may be this session."""
    verdict = Verdict(candidates=frozenset({Candidate(session.id, session.tenant, session.user)}), waiting=True)
    found = replace(connection(), company=session.company.ref, verdict=verdict, recorded_at=recorded_at)
    await store.connections.change(session.company.ref, [], [], lambda _: Changes(connections=(found,)))


Step = Callable[[Store, Session, Clock], Awaitable[object]]
CHANGES: dict[str, Step] = {
    "an event": lambda store, session, _: store.sessions.change(
        session.id, lambda now: Changes(events=(events.session_finished(now),))
    ),
    "another page": lambda store, session, _: change(store, session, page_hash="page of the phone"),
    "a poll that fails": lambda store, session, clock: store.companies.note_failed_poll(
        session.company.ref, clock.now()
    ),
    "a first answer": lambda store, session, clock: polled(store, session, clock.now()),
    "a spent offer": lambda store, session, _: change(store, session, handoff_hash="offer", handoff_tries=5),
    "a connection that may be the user's": lambda store, session, clock: undecided(store, session, clock.now()),
    "a link that was withdrawn": lambda store, session, _: change(store, session, link_status=LinkStatus.PENDING),
}


@pytest.mark.parametrize("name", CHANGES)
async def test_the_mark_changes_with_what_the_page_may_see(store: Store, clock: Clock, name: str) -> None:
    session = await opened(store)
    before = await mark(store, clock, session)
    await CHANGES[name](store, session, clock)
    assert await mark(store, clock, session) != before


async def test_the_mark_changes_when_the_link_s_time_is_over(store: Store, clock: Clock) -> None:
    session = await opened(store)
    clock.advance(session.expires_at + GRACE_SECONDS - clock.now() - 1)
    before = await mark(store, clock, session)
    clock.advance(1)
    assert await mark(store, clock, session) != before


async def test_the_mark_changes_when_a_verdict_is_late(store: Store, clock: Clock) -> None:
    session = await opened(store)
    await undecided(store, session, clock.now())
    clock.advance(SETTLE_SECONDS - 1)
    before = await mark(store, clock, session)
    clock.advance(1)
    assert await mark(store, clock, session) != before


async def test_a_heartbeat_and_a_further_equal_answer_leave_the_mark(store: Store, clock: Clock) -> None:
    session = await opened(store)
    await polled(store, session, clock.now())
    before = await mark(store, clock, session)
    clock.advance(20)
    await polled(store, session, clock.now())
    assert await mark(store, clock, session) == before


async def test_another_session_leaves_the_mark(store: Store, clock: Clock) -> None:
    session = await opened(store)
    before = await mark(store, clock, session)
    await change(store, await opened(store, "ses_2"), finished_at=1.0)
    assert await mark(store, clock, session) == before

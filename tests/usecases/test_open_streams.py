"""Presence of pages with open streams: in groups, each stream with its own answer, whatever happens to a group."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from service.domain.model import Session, SessionId
from service.domain.session_status import SessionStatus
from service.domain.tokens import digest
from service.store import Store
from service.store.presence import Heartbeat, KeptAlive
from service.usecases.open_streams import OpenStreams
from tests.support.clock import Clock
from tests.support.store_cases import change, create, fresh
from tests.support.worker_desk import opened_store

STREAMS = 250
MOST = 100


@pytest.fixture
async def store(tmp_path: Path, clock: Clock) -> AsyncIterator[Store]:
    async with opened_store(tmp_path, clock) as opened:
        yield opened


@pytest.fixture
def groups(store: Store, monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many heartbeats each transaction had."""
    sizes: list[int] = []
    inner = store.sessions.keep_alive

    async def counted(heartbeats: Sequence[Heartbeat], now: float) -> KeptAlive:
        sizes.append(len(heartbeats))
        return await inner(heartbeats, now)

    monkeypatch.setattr(store.sessions, "keep_alive", counted)
    return sizes


@pytest.fixture
def streams(store: Store, clock: Clock) -> OpenStreams:
    return OpenStreams(store, clock.now, lambda _: asyncio.sleep(0))


async def opened(store: Store, number: int = 1) -> Session:
    """A session whose page has the key "key" and was last seen a minute ago."""
    made = await create(store, fresh(name=f"ses_{number}"))
    at = made.created_at
    return await change(store, made, page_hash=digest("key"), opened_at=at, seen_at=at - 60)


async def seen_at(store: Store, session: Session) -> float | None:
    return (await store.sessions.get(session.id)).seen_at


async def test_without_the_page_s_key_no_presence_is_recorded(store: Store, streams: OpenStreams) -> None:
    session = await opened(store)
    for key in (None, "", "Mallory's"):
        assert await streams.keep_alive(session.id, key, is_present=True) is not None
    assert await seen_at(store, session) == session.seen_at


async def test_an_unknown_session_has_no_mark(streams: OpenStreams) -> None:
    assert await streams.keep_alive(SessionId("ses_unknown"), "key", is_present=True) is None


async def test_many_streams_share_a_transaction_and_no_transaction_has_too_many(
    store: Store, streams: OpenStreams, groups: list[int], clock: Clock
) -> None:
    sessions = [await opened(store, number) for number in range(STREAMS)]
    marks = await asyncio.gather(*(streams.keep_alive(one.id, "key", is_present=True) for one in sessions))
    assert groups == [MOST, MOST, STREAMS - 2 * MOST]
    assert len(set(marks)) == STREAMS
    assert {await seen_at(store, one) for one in sessions} == {clock.now()}


async def test_of_two_pages_of_one_session_only_the_bound_one_counts(
    store: Store, streams: OpenStreams, clock: Clock
) -> None:
    session = await opened(store)
    asked = [streams.keep_alive(session.id, key, is_present=True) for key in ("an older page's", "key")]
    marks = await asyncio.gather(*asked)
    assert len(set(marks)) == 1
    assert await seen_at(store, session) == clock.now()


async def test_a_page_whose_user_is_done_records_no_presence(store: Store, streams: OpenStreams) -> None:
    session = await opened(store)
    assert await streams.keep_alive(session.id, "key", is_present=False) is not None
    assert await seen_at(store, session) == session.seen_at


async def test_a_page_that_was_thought_gone_opens_its_session_again(
    store: Store, streams: OpenStreams, clock: Clock
) -> None:
    session = await opened(store)
    await change(store, session, left_at=clock.now())
    other = await opened(store, 2)
    await asyncio.gather(*(streams.keep_alive(one.id, "key", is_present=True) for one in (session, other)))
    again = await store.sessions.get(session.id)
    assert (again.status, again.seen_at) == (SessionStatus.OPENED, clock.now())
    assert [event.type for event in await store.events.after(0, 10, session_id=session.id)][-1] == "session.opened"


async def test_a_revoked_session_records_nothing_and_its_stream_gets_another_mark(
    store: Store, streams: OpenStreams, clock: Clock
) -> None:
    session = await opened(store)
    before = await streams.keep_alive(session.id, "key", is_present=True)
    clock.advance(15)
    await change(store, session, revoked_at=clock.now())
    assert await streams.keep_alive(session.id, "key", is_present=True) not in {None, before}
    assert await seen_at(store, session) == clock.now() - 15


async def test_while_the_database_is_away_each_stream_learns_that_its_mark_is_unknown(
    store: Store, streams: OpenStreams
) -> None:
    sessions = [await opened(store, number) for number in range(3)]
    await store.close()
    asked = [streams.keep_alive(one.id, "key", is_present=True) for one in sessions]
    assert await asyncio.gather(*asked) == [None] * 3
    await store.open()
    assert await streams.keep_alive(sessions[0].id, "key", is_present=True) is not None


async def test_an_error_of_ours_in_one_group_ends_no_stream_and_no_later_group(
    store: Store, streams: OpenStreams, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    session = await opened(store)
    broken = replace(session, id=SessionId("ses_broken"))
    with monkeypatch.context() as patch:
        patch.setattr(store.sessions, "keep_alive", lambda *_: 1 / 0)
        assert await streams.keep_alive(broken.id, "key", is_present=True) is None
    assert "ZeroDivisionError" in caplog.text
    assert await streams.keep_alive(session.id, "key", is_present=True) is not None


async def test_a_stream_that_ends_while_it_waits_is_not_present_and_hinders_no_other(
    store: Store, clock: Clock
) -> None:
    gathered = asyncio.Event()
    streams = OpenStreams(store, clock.now, lambda _: until(gathered))
    one, other = await opened(store), await opened(store, 2)
    ended, waiting = (asyncio.create_task(streams.keep_alive(each.id, "key", is_present=True)) for each in (one, other))
    await asyncio.sleep(0)
    ended.cancel()
    await asyncio.wait([ended])
    gathered.set()
    assert await waiting is not None
    assert (await seen_at(store, one), await seen_at(store, other)) == (one.seen_at, clock.now())


async def until(event: asyncio.Event) -> None:
    await event.wait()

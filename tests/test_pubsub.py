"""Who is woken, who is not, and how waiting ends."""

import asyncio

import pytest

from service.pubsub import ALL_SESSIONS, PubSub


async def test_only_listeners_to_the_session_and_listeners_to_all_are_woken() -> None:
    live = PubSub()
    async with live.subscribe("ses_1") as one, live.subscribe("ses_2") as other, live.subscribe() as everybody:
        live.publish({"ses_1"})
        assert (one.is_set(), other.is_set(), everybody.is_set()) == (True, False, True)


async def test_all_pages_of_a_session_get_the_event() -> None:
    live = PubSub()
    async with live.subscribe("ses_1") as one, live.subscribe("ses_1") as same:
        live.publish({"ses_1"})
        assert one.is_set()
        assert same.is_set()


async def test_after_an_unknown_event_every_waiting_reader_is_woken() -> None:
    live = PubSub()
    async with live.subscribe("ses_1") as one, live.subscribe(ALL_SESSIONS) as everybody:
        live.publish_all()
        assert one.is_set()
        assert everybody.is_set()


async def _breaks_off(live: PubSub) -> None:
    async with live.subscribe("ses_1"), live.subscribe("ses_1"):
        assert live.count() == 2
        raise ConnectionResetError


async def test_a_reader_that_left_is_removed_even_after_an_error() -> None:
    live = PubSub()
    with pytest.raises(ConnectionResetError):
        await _breaks_off(live)
    assert live.count() == 0
    live.publish({"ses_1"})


async def test_a_signal_before_anybody_waited_wakes_once() -> None:
    live = PubSub()
    async with live.subscribe("ses_1") as signal:
        live.publish({"ses_1"})
        assert await signal.wait(5)
        assert not await signal.wait(0)


async def test_a_waiting_reader_is_woken_by_the_event() -> None:
    live = PubSub()
    async with live.subscribe("ses_1") as signal:
        waiting = asyncio.create_task(signal.wait(5))
        live.publish({"ses_1"})
        assert await waiting


async def test_closing_wakes_every_waiting_and_every_later_reader() -> None:
    live = PubSub()
    async with live.subscribe("ses_1") as signal:
        live.close()
        assert signal.is_set()
    async with live.subscribe("ses_2") as late:
        assert late.is_set()
    assert live.closing.is_set()

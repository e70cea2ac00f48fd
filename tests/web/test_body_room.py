"""Bodies share their room: a slow one gives way to another, and what was taken is given back once."""

import asyncio

import pytest

from service.errors import Unavailable
from service.web.body_room import GIVES_WAY_SECONDS, BodyRoom
from tests.support.clock import Clock


@pytest.fixture
def room(clock: Clock) -> BodyRoom:
    return BodyRoom(100, clock.now)


@pytest.fixture
def clock() -> Clock:
    return Clock()


class Reader:
    """Reads a body of which `count` bytes have arrived, and whose rest does not come before `go_on`."""

    def __init__(self, room: BodyRoom, count: int) -> None:
        self._room = room
        self._count = count
        self._has_begun, self.go_on = asyncio.Event(), asyncio.Event()
        self._task = asyncio.create_task(self._read())

    async def begun(self) -> "Reader":
        await self._has_begun.wait()
        return self

    async def _read(self) -> None:
        async with self._room.reading() as take:
            take(self._count)
            self._has_begun.set()
            await self.go_on.wait()

    async def ended(self) -> None:
        await self._task

    async def finished(self) -> None:
        self.go_on.set()
        await self._task


async def read(room: BodyRoom, *counts: int) -> None:
    async with room.reading() as take:
        for count in counts:
            take(count)


async def test_a_body_that_is_read_for_long_gives_way_to_another(room: BodyRoom, clock: Clock) -> None:
    slow, second = [await Reader(room, 50).begun() for _ in range(2)]
    clock.advance(GIVES_WAY_SECONDS)
    await read(room, 1, 49)
    with pytest.raises(Unavailable):
        await slow.ended()
    await second.finished()


async def test_as_many_give_way_as_the_next_body_needs(room: BodyRoom, clock: Clock) -> None:
    slow = [await Reader(room, 30).begun() for _ in range(3)]
    clock.advance(GIVES_WAY_SECONDS)
    await read(room, 65)
    for one in slow[:2]:
        with pytest.raises(Unavailable):
            await one.ended()
    await slow[2].finished()


async def test_a_body_that_began_a_moment_ago_goes_on_and_the_next_is_refused(room: BodyRoom, clock: Clock) -> None:
    first = await Reader(room, 100).begun()
    clock.advance(GIVES_WAY_SECONDS - 0.1)
    with pytest.raises(Unavailable):
        await read(room, 1)
    await first.finished()


async def test_a_slow_body_ends_no_other_that_is_not_slow(room: BodyRoom, clock: Clock) -> None:
    async with room.reading() as take:
        take(40)
        clock.advance(GIVES_WAY_SECONDS)
        other = await Reader(room, 60).begun()
        with pytest.raises(Unavailable):
            take(1)
    await other.finished()


async def test_a_body_that_gave_way_takes_no_more(room: BodyRoom, clock: Clock) -> None:
    async def gives_way() -> None:
        async with room.reading() as take:
            take(100)
            clock.advance(GIVES_WAY_SECONDS)
            take_of_other(100)
            take(0)

    async with room.reading() as take_of_other:
        with pytest.raises(Unavailable):
            await gives_way()


async def test_all_room_is_there_again_once_and_no_more(room: BodyRoom, clock: Clock) -> None:
    slow = await Reader(room, 100).begun()
    clock.advance(GIVES_WAY_SECONDS)
    await read(room, 100)
    with pytest.raises(Unavailable):
        await slow.ended()
    await read(room, 100)
    with pytest.raises(Unavailable):
        await read(room, 100, 1)
    await read(room, 100)

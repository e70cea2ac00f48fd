"""New connections are taken many in a turn of the event loop, and none is lost where the process is out of handles."""

import asyncio
import errno
import logging
import socket
from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from service.commands.acceptor import Acceptor
from service.domain.timing import PRESENCE_SECONDS
from tests.support.patience import PATIENCE_SECONDS

CLIENTS, FEW_TURNS = 100, 10


class OutOfHandles(socket.socket):
    """A listening socket of a process that has no handle left for so many connections."""

    refusals = 1
    error = OSError(errno.EMFILE, "Too many open files")

    def accept(self) -> "tuple[socket.socket, object]":
        if self.refusals:
            self.refusals -= 1
            raise self.error
        return super().accept()


class Unreachable(OutOfHandles):
    """A listening socket whose first connection was lost before it was taken."""

    error = OSError(errno.EHOSTUNREACH, "No route to host")


class Greeting(asyncio.Protocol):
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        transport.write(b"hello")
        transport.close()


@pytest.fixture
def opened() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


def nothing_to_close() -> bool:
    return False


def listening(opened: ExitStack, kind: type[socket.socket] = socket.socket) -> socket.socket:
    found = opened.enter_context(kind())
    found.bind(("127.0.0.1", 0))
    found.listen(CLIENTS)
    return found


def clients(opened: ExitStack, server: socket.socket, number: int) -> list[socket.socket]:
    """So many clients, whose connections wait in the queue of the system."""
    return [opened.enter_context(socket.create_connection(server.getsockname())) for _ in range(number)]


async def greeted(client: socket.socket) -> bytes:
    client.setblocking(False)
    async with asyncio.timeout(PATIENCE_SECONDS):
        return await asyncio.get_running_loop().sock_recv(client, 10)


async def test_clients_that_come_together_are_all_taken_in_a_few_turns_of_the_loop(opened: ExitStack) -> None:
    made, server = list[Greeting](), listening(opened)
    waiting = clients(opened, server, CLIENTS)

    def protocol() -> asyncio.Protocol:
        made.append(Greeting())
        return made[-1]

    acceptor = Acceptor(server, protocol, lambda: CLIENTS, nothing_to_close)
    for _ in range(FEW_TURNS):
        await asyncio.sleep(0)
    acceptor.close()
    await acceptor.wait_closed()
    assert len(made) == CLIENTS
    assert [await greeted(client) for client in waiting] == [b"hello"] * CLIENTS


@pytest.mark.skipif(not hasattr(socket, "TCP_USER_TIMEOUT"), reason="an option of Linux")
async def test_a_client_that_vanishes_is_given_up_soon(opened: ExitStack) -> None:
    seconds, server = list[float](), listening(opened)

    class Noted(Greeting):
        def connection_made(self, transport: asyncio.BaseTransport) -> None:
            option = transport.get_extra_info("socket").getsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT)
            seconds.append(option / 1000)
            super().connection_made(transport)

    (client,) = clients(opened, server, 1)
    acceptor = Acceptor(server, Noted, lambda: 1, nothing_to_close)
    assert await greeted(client) == b"hello"
    acceptor.close()
    assert len(seconds) == 1
    assert 0 < seconds[0] < PRESENCE_SECONDS


async def test_what_was_taken_is_open_once_the_acceptor_has_closed(opened: ExitStack) -> None:
    made, server = list[bool](), listening(opened)
    clients(opened, server, CLIENTS)

    class Noted(Greeting):
        def connection_made(self, transport: asyncio.BaseTransport) -> None:
            made.append(True)
            super().connection_made(transport)

    acceptor, taken = Acceptor(server, Noted, lambda: CLIENTS, nothing_to_close), 0
    while not (taken := len(acceptor._opening)):  # noqa: SLF001, ASYNC110 - the moment that matters
        await asyncio.sleep(0)
    acceptor.close()
    assert not made
    await acceptor.wait_closed()
    assert len(made) == taken == CLIENTS


async def test_no_more_are_taken_at_once_than_the_process_has_handles_for(opened: ExitStack) -> None:
    server = listening(opened)
    waiting = clients(opened, server, CLIENTS)
    taken, most = 0, 0

    class Counted(Greeting):
        def __init__(self) -> None:
            nonlocal taken, most
            taken += 1
            most = max(most, taken)

        def connection_lost(self, _exc: Exception | None) -> None:
            nonlocal taken
            taken -= 1

    acceptor = Acceptor(server, Counted, lambda: 3, nothing_to_close)
    assert [await greeted(client) for client in waiting] == [b"hello"] * CLIENTS
    acceptor.close()
    await acceptor.wait_closed()
    assert most < CLIENTS / 3


async def test_a_process_out_of_handles_says_so_and_takes_the_connection_later(
    opened: ExitStack, caplog: pytest.LogCaptureFixture
) -> None:
    server = listening(opened, OutOfHandles)
    (client,) = clients(opened, server, 1)
    with caplog.at_level(logging.ERROR):
        acceptor = Acceptor(server, Greeting, lambda: 1, nothing_to_close, pause_seconds=0.0)
        assert await greeted(client) == b"hello"
    acceptor.close()
    assert [record.message for record in caplog.records] == ["no connection can be taken for now: Too many open files"]


async def test_a_process_out_of_handles_closes_a_connection_that_waits_and_takes_the_next_soon(
    opened: ExitStack, caplog: pytest.LogCaptureFixture
) -> None:
    server = listening(opened, OutOfHandles)
    (client,) = clients(opened, server, 1)
    closed = list[bool]()

    def close_one() -> bool:
        closed.append(True)
        return True

    acceptor = Acceptor(server, Greeting, lambda: 1, close_one, pause_seconds=10 * PATIENCE_SECONDS)
    assert await greeted(client) == b"hello"
    acceptor.close()
    assert (closed, caplog.messages) == ([True], [])


async def test_a_connection_that_was_lost_before_it_was_taken_delays_no_other(
    opened: ExitStack, caplog: pytest.LogCaptureFixture
) -> None:
    server = listening(opened, Unreachable)
    (client,) = clients(opened, server, 1)
    acceptor = Acceptor(server, Greeting, lambda: CLIENTS, nothing_to_close, pause_seconds=10 * PATIENCE_SECONDS)
    assert await greeted(client) == b"hello"
    acceptor.close()
    assert caplog.messages == []


async def test_nothing_is_taken_after_the_close_whether_it_waits_for_handles_or_not(opened: ExitStack) -> None:
    for kind in (socket.socket, OutOfHandles):
        server = listening(opened, kind)
        acceptor = Acceptor(server, Greeting, lambda: 1, nothing_to_close, pause_seconds=0.0)
        if kind is OutOfHandles:
            clients(opened, server, 1)
            while server.refusals:  # type: ignore[attr-defined]  # noqa: ASYNC110 - the next turn of the loop
                await asyncio.sleep(0)
        acceptor.close()
        (client,) = clients(opened, server, 1)
        for _ in range(FEW_TURNS):
            await asyncio.sleep(0)
        client.setblocking(False)
        with pytest.raises(BlockingIOError):
            client.recv(1)
        await acceptor.wait_closed()


async def test_a_connection_that_cannot_be_opened_is_closed_and_the_next_is_taken(opened: ExitStack) -> None:
    refused = [True, False]

    def protocol() -> asyncio.Protocol:
        if refused.pop(0):
            raise ConnectionResetError
        return Greeting()

    server = listening(opened)
    first, second = clients(opened, server, 2)
    acceptor = Acceptor(server, protocol, lambda: CLIENTS, nothing_to_close)
    assert await greeted(first) == b""
    assert await greeted(second) == b"hello"
    acceptor.close()

"""How many connections a client may have, and what happens when the process has no file handles left."""

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route

from service.commands.clients import ClientLimits, Clients
from tests.support.memory_http import MemoryClient, MemoryServer

GET = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"
HEALTH = b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n"
STREAM = b"GET /stream HTTP/1.1\r\nHost: x\r\n\r\n"
FORWARDED = b"GET / HTTP/1.1\r\nHost: x\r\nX-Forwarded-For: 203.0.113.9\r\n\r\n"
PROXY, STRANGER = "10.0.0.7", "203.0.113.7"
CAP = 4
# 100 handles: 20 are in use when the first connection comes, 32 are spare, so 48 connections are the capacity.
SPARE = 32
HANDLES, FIRST, CAPACITY = 100, 20, 48


def app(health: Callable[[Request], Awaitable[Response]] | None = None) -> Starlette:
    end = asyncio.Event()

    async def parts() -> AsyncIterator[bytes]:
        yield b"begun"
        await end.wait()

    async def hello(_request: Request) -> Response:
        return PlainTextResponse("hello")

    async def stream(_request: Request) -> Response:
        return StreamingResponse(parts())

    return Starlette(routes=[Route("/", hello), Route("/healthz", health or hello), Route("/stream", stream)])


def capped(*trusted: str) -> MemoryServer:
    return MemoryServer(app(), Clients(ClientLimits(per_address=CAP, trusted_proxies=trusted)))


@pytest.fixture
def small() -> MemoryServer:
    """A process with few file handles."""
    return MemoryServer(app(), Clients(ClientLimits(), handles=HANDLES))


def held(server: MemoryServer, count: int, peer: str = STRANGER) -> list[MemoryClient]:
    return [server.connect(peer, FIRST) for _ in range(count)]


async def busy(server: MemoryServer, count: int, peer: str = STRANGER) -> list[MemoryClient]:
    """Connections with a stream, which nothing ends."""
    clients = held(server, count, peer)
    for client in clients:
        await client.send(STREAM)
    return clients


def said(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records if record.name == "service.clients"]


async def test_an_address_has_no_more_connections_than_the_setting_allows(caplog: pytest.LogCaptureFixture) -> None:
    server = capped()
    held(server, CAP)
    more = held(server, 3)
    assert [client.answers for client in more] == [[429]] * 3
    assert all(client.is_closed for client in more)
    assert len(said(caplog)) == 1
    (other,) = held(server, 1, "203.0.113.8")
    await other.send(GET)
    assert other.answers == [200]


async def test_a_connection_that_ends_makes_room_for_another(caplog: pytest.LogCaptureFixture) -> None:
    server = capped()
    first = held(server, CAP)[0]
    await first.wait(20)
    (more,) = held(server, 1)
    await more.send(GET)
    assert more.answers == [200]
    assert said(caplog) == []


async def test_an_unused_connection_of_the_same_address_is_closed_before_a_new_one_is_refused() -> None:
    server = capped()
    (unused,) = held(server, 1)
    await unused.send(GET)
    (elsewhere,) = held(server, 1, "203.0.113.8")
    await elsewhere.send(GET)
    held(server, CAP - 1)
    (more,) = held(server, 1)
    await more.send(GET)
    assert (more.answers, unused.is_closed, elsewhere.is_closed) == ([200], True, False)


async def test_an_unused_connection_that_makes_way_is_gone_though_its_client_has_not_read_its_answer() -> None:
    server = capped()
    unread = held(server, CAP)[0]
    unread.transport.keeps_unsent = True
    await unread.send(GET)
    held(server, 1)
    assert unread.transport.is_aborted


@pytest.mark.parametrize(
    ("peers", "are_one"),
    [
        (["2001:db8::1", "2001:db8::2", "2001:db8:0:0:ffff::", "2001:db8::3", "2001:db8::4"], True),
        (["2001:db8:0:1::1", "2001:db8:0:2::1", "2001:db8:0:3::1", "2001:db8:0:4::1", "2001:db8:0:5::1"], False),
        (["203.0.113.7", "::ffff:203.0.113.7", "203.0.113.7", "::ffff:203.0.113.7", "203.0.113.7"], True),
        ([f"203.0.113.{n}" for n in range(5)], False),
        (["fe80::1%eth0", "fe80::2%eth0", "fe80::3%eth0", "fe80::4%eth0", "fe80::5%eth0"], True),
    ],
)
async def test_addresses_of_ipv6_are_counted_by_their_network(peers: list[str], are_one: bool) -> None:  # noqa: FBT001
    server = capped()
    clients = [server.connect(peer) for peer in peers]
    assert [client.answers for client in clients[:CAP]] == [[]] * CAP
    assert clients[CAP].answers == ([429] if are_one else [])


async def test_where_an_address_may_have_one_connection_the_one_after_an_unused_one_counts() -> None:
    server = MemoryServer(app(), Clients(ClientLimits(per_address=1)))
    (unused,) = held(server, 1)
    await unused.send(GET)
    await busy(server, 1)
    (refused,) = held(server, 1)
    assert (unused.is_closed, refused.answers) == (True, [429])


async def test_a_trusted_proxy_has_as_many_connections_as_it_wants() -> None:
    server = capped("10.0.0.0/8", "2001:db8::/32")
    assert all(client.answers == [] for client in held(server, 20, PROXY) + held(server, 20, "2001:db8::1"))
    assert held(server, CAP + 1, STRANGER)[-1].answers == [429]


@pytest.mark.parametrize("peer", ["127.0.0.1", "10.0.0.7", "192.168.1.1", "::1", "fd00::1", "::ffff:10.0.0.7"])
async def test_a_forwarded_header_of_a_private_peer_lifts_its_limit_and_is_logged_once(
    peer: str, caplog: pytest.LogCaptureFixture
) -> None:
    server = capped("10.9.9.9/32")
    for client in held(server, 2, peer):
        await client.send(FORWARDED)
    assert all(client.answers == [] for client in held(server, 20, peer))
    (line,) = said(caplog)
    assert "MAGICLINK_TRUSTED_PROXIES" in line
    assert caplog.records[0].__dict__["client"] == peer
    assert held(server, CAP + 1, "192.168.9.9")[-1].answers == [429]


async def test_a_private_peer_without_forwarded_headers_is_limited() -> None:
    server = capped()
    for client in held(server, 2, PROXY):
        await client.send(GET)
    await busy(server, CAP, PROXY)
    assert held(server, 1, PROXY)[0].answers == [429]


async def test_a_forwarded_header_of_a_stranger_lifts_nothing(caplog: pytest.LogCaptureFixture) -> None:
    server = capped()
    (client,) = held(server, 1)
    await client.send(FORWARDED.replace(b"GET / ", b"GET /stream "))
    assert held(server, CAP)[-1].answers == [429]
    assert not any("PROXIES" in line for line in said(caplog))


async def test_at_the_edge_the_longest_unused_connection_is_closed_first(
    small: MemoryServer, caplog: pytest.LogCaptureFixture
) -> None:
    half_sent = held(small, 1)[0]
    await half_sent.send(GET[:-2])
    unused = held(small, 2)
    for client in unused:
        await client.send(GET)
    await busy(small, CAPACITY - 3)
    (first,) = held(small, 1)
    await first.send(GET)
    assert first.answers == [200]
    assert [unused[0].is_closed, unused[1].is_closed, half_sent.is_closed] == [True, False, False]
    assert len(said(caplog)) == 1


async def test_at_the_edge_half_sent_requests_make_way_for_whole_ones(small: MemoryServer) -> None:
    slow = held(small, CAPACITY)
    for client in slow:
        await client.send(
            b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\nhalf" if client is slow[1] else b"GET "
        )
    await slow[0].send(b"/")  # more bytes make it no younger
    for _ in range(200):
        (client,) = held(small, 1)
        await client.send(GET)
        assert client.answers == [200]
    assert slow[0].is_closed


async def test_at_the_edge_a_client_that_does_not_read_its_answer_makes_way(small: MemoryServer) -> None:
    clients = await busy(small, CAPACITY)
    clients[3].stop_reading()
    clients[5].stop_reading()
    await clients[3].send(GET[:-2])
    clients[5].read_on()
    (first,) = held(small, 1)
    await first.send(GET)
    assert first.answers == [200]
    assert [client for client in clients if client.is_closed] == [clients[3]]


async def test_where_every_connection_is_busy_a_request_is_answered_503_and_only_health_is_told(
    small: MemoryServer, caplog: pytest.LogCaptureFixture
) -> None:
    clients = await busy(small, CAPACITY)
    for _ in range(3):
        (refused,) = held(small, 1)
        await refused.send(GET)
        assert (refused.answers, refused.is_closed) == ([503], True)
        (asked,) = held(small, 1)
        await asked.send(HEALTH)
        await asked.send(GET)
        assert asked.answers == [200, 503]
    assert not any(client.is_closed for client in clients)
    assert len(said(caplog)) == 1
    caplog.clear()
    small.loop.advance(60)
    held(small, 1)
    assert len(said(caplog)) == 1


async def test_beyond_the_edge_a_connection_is_answered_503_before_it_says_anything() -> None:
    async def slow(_request: Request) -> Response:
        await asyncio.Event().wait()
        return Response()

    server = MemoryServer(app(slow), Clients(ClientLimits(), handles=HANDLES))
    await busy(server, CAPACITY)
    asking = []
    for _ in range(16):
        asking += held(server, 1)
        await asking[-1].send(HEALTH)
    assert [client.answers for client in asking] == [[]] * 16
    (beyond,) = held(server, 1)
    assert (beyond.answers, beyond.is_closed) == ([503], True)


async def test_when_streams_end_everything_is_answered_again(small: MemoryServer) -> None:
    clients = await busy(small, CAPACITY)
    clients[0].transport.close()
    await clients[0].wait(0)
    (more,) = held(small, 1)
    await more.send(GET)
    assert more.answers == [200]


async def test_handles_that_something_else_holds_count_too(
    small: MemoryServer, caplog: pytest.LogCaptureFixture
) -> None:
    held(small, 1)
    unused = small.connect(handle=30)
    await unused.send(GET)
    caplog.set_level(logging.WARNING)
    late = small.connect(handle=HANDLES - 1)
    await late.send(GET)
    assert (late.answers, unused.is_closed, len(said(caplog))) == ([200], True, 1)


@pytest.mark.parametrize(("handles", "first", "later"), [(100, 8, 28), (1024, 25, 128), (65_536, 128, 128)])
def test_connections_that_are_taken_together_leave_the_spare_handles(handles: int, first: int, later: int) -> None:
    clients = Clients(ClientLimits(), handles)
    assert clients.room() == first  # until the first connection says how many handles the process has in use
    clients.admit(Connection(10), 0.0)
    assert clients.room() == later


def test_at_the_edge_of_capacity_few_are_taken_together() -> None:
    clients = Clients(ClientLimits(), 100)
    for handle in range(10, 100 - SPARE):
        clients.admit(Connection(handle), 0.0)
    assert clients.room() == SPARE // 4


class Connection:
    """A client's connection with this file handle."""

    host: str | None = None

    def __init__(self, handle: int) -> None:
        self.handle = handle

    def close_idle(self) -> None:
        raise AssertionError("none of them is idle")

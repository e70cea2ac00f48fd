"""How long a client may take, for a head, a body, an answer and between requests; by a clock that the test moves."""

import asyncio
from collections.abc import AsyncIterator

import pytest
from starlette.applications import Starlette
from starlette.requests import ClientDisconnect, Request
from starlette.responses import PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route

from service.commands.clients import ClientLimits, Clients
from tests.support.memory_http import MemoryServer

LIMITS = ClientLimits(
    head_seconds=10,
    body_seconds=20,
    body_bytes_per_second=500,
    body_silence_seconds=60,
    write_seconds=60,
    keep_alive_seconds=75,
)
GET = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"
POST = b"POST /read HTTP/1.1\r\nHost: x\r\nContent-Length: 10000\r\n\r\n"


class App:
    """Reads bodies when `reads` is set, and streams until `ends` is."""

    def __init__(self) -> None:
        self.reads, self.ends = asyncio.Event(), asyncio.Event()
        self.reads.set()
        self.bodies: list[int | None] = []

    async def hello(self, _request: Request) -> Response:
        return PlainTextResponse("hello")

    async def read(self, request: Request) -> Response:
        await self.reads.wait()
        try:
            self.bodies.append(len(await request.body()))
        except ClientDisconnect:
            self.bodies.append(None)
        return PlainTextResponse("read")

    async def stream(self, _request: Request) -> Response:
        async def parts() -> AsyncIterator[bytes]:
            yield b"begun"
            await self.ends.wait()

        return StreamingResponse(parts())


@pytest.fixture
def app() -> App:
    return App()


@pytest.fixture
def server(app: App) -> MemoryServer:
    routes = [Route("/", app.hello), Route("/read", app.read, methods=["POST"]), Route("/stream", app.stream)]
    return MemoryServer(Starlette(routes=routes), Clients(LIMITS))


@pytest.mark.parametrize("sent", [b"GET / HT", GET[:-2], b"POST /read HTTP/1.1\r\nContent-Le"])
async def test_a_half_sent_head_is_refused_after_ten_seconds(server: MemoryServer, sent: bytes) -> None:
    client = server.connect()
    await client.send(sent)
    await client.wait(9)
    assert not client.is_closed
    await client.wait(2)
    assert (client.answers, client.is_closed) == ([408], True)


async def test_bytes_that_trickle_in_give_a_head_no_more_time(server: MemoryServer) -> None:
    client = server.connect()
    await client.send(b"GET / HTTP/1.1\r\nA: ")
    for _ in range(11):
        await client.wait(1)
        await client.send(b"x")
    assert (client.answers, client.is_closed) == ([408], True)


@pytest.mark.parametrize("sent", [b"", b"\r\n"])
async def test_a_connection_without_a_request_is_closed_without_an_answer(server: MemoryServer, sent: bytes) -> None:
    client = server.connect()
    if sent:
        await client.send(sent)
    await client.wait(11)
    assert (client.answers, client.is_closed) == ([], True)


async def test_the_second_head_of_a_connection_has_the_same_time(server: MemoryServer) -> None:
    client = server.connect()
    await client.send(GET)
    await client.wait(70)
    await client.send(GET[:-2])
    await client.wait(11)
    assert (client.answers, client.is_closed) == ([200, 408], True)


async def test_a_half_sent_body_is_refused_and_its_app_hears_that_the_client_is_gone(
    server: MemoryServer, app: App
) -> None:
    client = server.connect()
    await client.send(POST + b"half")
    await client.wait(19)
    assert not client.is_closed
    await client.wait(2)
    assert (client.answers, client.is_closed, app.bodies) == ([408], True, [None])


@pytest.mark.parametrize(
    "body",
    [b"Content-Length: 100\r\n\r\nhalf", b"Transfer-Encoding: chunked\r\n\r\nno number\r\n"],
    ids=["half", "unreadable"],
)
async def test_a_request_that_was_answered_before_its_end_gets_no_second_answer(
    server: MemoryServer, body: bytes
) -> None:
    client = server.connect()
    head, _, rest = body.partition(b"\r\n\r\n")
    await client.send(GET[:-2] + head + b"\r\n\r\n")
    assert client.answers == [200]
    await client.send(rest)
    await client.wait(21)
    assert (client.answers, client.is_closed) == ([200], True)


async def test_a_body_that_trickles_is_refused(server: MemoryServer, app: App) -> None:
    client = server.connect()
    await client.send(POST)
    for _ in range(25):
        await client.send(b"x")
        await client.wait(1)
    assert (client.answers, app.bodies) == ([408], [None])


async def test_a_body_that_came_at_once_buys_a_minute_of_silence_and_no_more(server: MemoryServer, app: App) -> None:
    client = server.connect()
    await client.send(POST.replace(b"10000", b"262144") + b"x" * 262_000)
    await client.wait(59)
    assert not client.is_closed
    await client.wait(2)
    assert (client.answers, app.bodies) == ([408], [None])


async def test_bytes_that_trickle_in_after_most_of_a_body_give_it_no_more_time(server: MemoryServer, app: App) -> None:
    client = server.connect()
    await client.send(POST.replace(b"10000", b"262144") + b"x" * 262_000)
    for _ in range(4):
        await client.wait(20)
        await client.send(b"x")
    assert (client.answers, app.bodies) == ([408], [None])


async def test_a_slow_body_that_goes_on_is_read_to_its_end(server: MemoryServer, app: App) -> None:
    client = server.connect()
    await client.send(POST)
    for _ in range(10):
        await client.send(b"x" * 1000)
        await client.wait(3.5)
    assert (client.answers, app.bodies) == ([200], [10_000])


async def test_a_client_is_not_refused_because_the_app_is_slow(server: MemoryServer, app: App) -> None:
    app.reads.clear()
    client = server.connect()
    await client.send(POST.replace(b"10000", b"100000") + b"x" * 70_000)
    await client.wait(1000)
    assert not client.is_closed
    app.reads.set()
    await client.wait(0)
    await client.send(b"x" * 30_000)
    assert (client.answers, app.bodies) == ([200], [100_000])


async def test_a_stream_goes_on_when_all_times_are_over(server: MemoryServer, app: App) -> None:
    client = server.connect()
    await client.send(b"GET /stream HTTP/1.1\r\nHost: x\r\n\r\n")
    await client.send(GET[:-2])  # a further request, half sent, must not end the answer before it
    await client.wait(1000)
    assert (client.answers, client.is_closed) == ([200], False)
    app.ends.set()
    await client.wait(0)
    assert bytes(client.transport.written).endswith(b"0\r\n\r\n")
    await client.wait(11)
    assert (client.answers, client.is_closed) == ([200, 408], True)


async def test_an_unused_connection_is_kept_for_the_keep_alive_time(server: MemoryServer) -> None:
    client = server.connect()
    for _ in range(3):
        await client.send(GET)
        await client.wait(74)
    assert not client.is_closed
    await client.wait(2)
    assert (client.answers, client.is_closed) == ([200] * 3, True)


async def test_an_answer_that_its_client_does_not_read_is_given_up(server: MemoryServer) -> None:
    client = server.connect()
    await client.send(b"GET /stream HTTP/1.1\r\nHost: x\r\n\r\n")
    client.stop_reading()
    await client.wait(59)
    client.read_on()
    client.stop_reading()
    await client.wait(59)
    assert not client.is_closed
    await client.wait(2)
    assert client.transport.is_aborted


@pytest.mark.parametrize("sent", [GET.replace(b"Host", b"Connection: close\r\nHost"), b"G\x00T / HTTP/1.1\r\n\r\n"])
async def test_a_client_that_reads_only_a_part_of_its_last_answer_is_given_up(
    server: MemoryServer, sent: bytes
) -> None:
    client = server.connect()
    client.transport.keeps_unsent = True
    await client.send(sent)
    client.read_on()
    await client.wait(59)
    assert not client.transport.is_aborted
    await client.wait(2)
    assert client.transport.is_aborted


async def test_an_ended_connection_leaves_no_timer_that_ends_it_again(server: MemoryServer) -> None:
    client = server.connect()
    await client.send(GET)
    await client.wait(76)
    await client.wait(1000)
    assert client.is_closed
    assert not client.transport.is_aborted

"""What a client may send: the server's limits on sizes, over real connections."""

import asyncio
from collections.abc import AsyncIterator

import pytest
from starlette.applications import Starlette
from starlette.requests import ClientDisconnect, Request
from starlette.responses import PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route

from service.commands.clients import ClientLimits, Clients
from service.commands.http_protocol import (
    MAX_HEAD_BYTES,
    MAX_HEADERS,
    MAX_PATH_BYTES,
    MAX_URL_BYTES,
    MAX_WAITING_REQUESTS,
)
from tests.support.memory_http import MemoryServer
from tests.support.raw_http import GET, RawServer, serving


class App:
    """An app that reads bodies, ignores them, and streams; `go_on` ends its streams."""

    def __init__(self) -> None:
        self.go_on = asyncio.Event()
        self.bodies: list[int] = []
        self.headers: list[str] = []

    def starlette(self) -> Starlette:
        routes = [
            Route("/", self.hello),
            Route("/read", self.read, methods=["POST"]),
            Route("/ignore", self.ignore, methods=["POST"]),
            Route("/stream", self.stream),
        ]
        app = Starlette(routes=routes)
        app.state.drain = self.go_on.set
        return app

    async def hello(self, _request: Request) -> Response:
        return PlainTextResponse("hello")

    async def read(self, request: Request) -> Response:
        try:
            self.bodies.append(len(await request.body()))
            self.headers += request.headers.keys()
        except ClientDisconnect:
            self.bodies.append(-1)
        return PlainTextResponse("read")

    async def ignore(self, _request: Request) -> Response:
        return PlainTextResponse("ignored")

    async def stream(self, _request: Request) -> Response:
        async def parts() -> AsyncIterator[bytes]:
            yield b"begun"
            await self.go_on.wait()
            yield b"ended"

        return StreamingResponse(parts())


@pytest.fixture
def app() -> App:
    return App()


@pytest.fixture
async def server(app: App) -> AsyncIterator[RawServer]:
    async with serving(app.starlette(), Clients(ClientLimits())) as running:
        yield running


def status_of(answer: bytes) -> int:
    assert answer.startswith(b"HTTP/1.1 "), answer[:100]
    return int(answer[9:12])


def head(headers: bytes = b"", path: bytes = b"/") -> bytes:
    return b"GET " + path + b" HTTP/1.1\r\nHost: x\r\nConnection: close\r\n" + headers + b"\r\n"


@pytest.mark.parametrize(
    ("request_bytes", "status"),
    [
        (head(b"A: " + b"x" * MAX_HEAD_BYTES + b"\r\n"), 431),
        (head(b"".join(b"A%d: %s\r\n" % (n, b"x" * 1000) for n in range(40))), 431),
        (head(b"A: b\r\n" * MAX_HEADERS), 431),
        (head(path=b"/" + b"x" * MAX_PATH_BYTES), 414),
        (head(path=b"/?" + b"&" * MAX_URL_BYTES), 414),
        (b"G\x00T / HTTP/1.1\r\n\r\n", 400),
        (head(b"A b\r\n"), 400),
    ],
    ids=["one long header", "many headers", "too many headers", "long path", "long query", "no method", "no header"],
)
async def test_a_head_over_a_limit_is_refused(server: RawServer, request_bytes: bytes, status: int) -> None:
    answer = await server.ask(request_bytes)
    assert status_of(answer) == status
    assert b"connection: close" in answer
    assert b"x-content-type-options: nosniff" in answer


async def test_a_head_just_below_every_limit_is_served(server: RawServer) -> None:
    headers = b"".join(b"A%02d: %s\r\n" % (n, b"x" * 100) for n in range(MAX_HEADERS - 2))
    headers = headers.replace(b"x\r\n", b"x" * (MAX_HEAD_BYTES - len(headers) - MAX_URL_BYTES - 50) + b"\r\n", 1)
    assert status_of(await server.ask(head(headers, b"/?" + b"x" * (MAX_URL_BYTES - 2)))) == 200


@pytest.mark.parametrize("piece", [b"x" * 4000, b"A: b\r\n" * 500], ids=["one header", "many"])
async def test_headers_without_end_are_refused_long_before_they_fill_the_memory(
    server: RawServer, piece: bytes
) -> None:
    client = await server.connect(b"GET / HTTP/1.1\r\nHost: x\r\nA: b")
    assert await client.send_until_refused(piece, 50_000_000) < 50_000_000


async def test_a_head_in_pieces_of_one_byte_is_refused(app: App) -> None:
    client = MemoryServer(app.starlette()).connect()
    for _ in range(1000):
        await client.send(b"x")
    assert client.answers == [400]


async def test_a_body_in_chunks_of_one_byte_is_refused(app: App) -> None:
    start = b"POST /read HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
    client = MemoryServer(app.starlette()).connect()
    await client.send(start + b"1\r\nx\r\n" * 10_000)
    assert client.answers == [400]
    assert app.bodies == [-1]


async def test_a_body_in_chunks_of_common_size_is_read(server: RawServer, app: App) -> None:
    start = b"POST /read HTTP/1.1\r\nHost: x\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n"
    chunks = (b"200\r\n" + b"x" * 512 + b"\r\n") * 500
    assert status_of(await server.ask(start + chunks + b"0\r\n\r\n")) == 200
    assert app.bodies == [256_000]


async def test_a_body_that_was_answered_already_is_not_taken_without_end(server: RawServer) -> None:
    client = await server.connect(b"POST /ignore HTTP/1.1\r\nHost: x\r\nContent-Length: 999999999\r\n\r\n")
    assert await client.answer() == b"200 ignored"
    assert await client.send_until_refused(b"x" * 50_000, 100_000_000) < 100_000_000


async def test_of_a_body_that_was_answered_before_it_was_read_nothing_is_kept(app: App) -> None:
    client = MemoryServer(app.starlette()).connect()
    await client.send(b"POST /ignore HTTP/1.1\r\nHost: x\r\nContent-Length: 262144\r\n\r\n" + b"x" * 200_000)
    assert (client.answers, client.kept_bytes) == ([200], 0)
    await client.send(b"x" * 60_000)
    assert client.kept_bytes == 0


async def test_requests_without_end_are_refused_while_the_first_is_answered(server: RawServer) -> None:
    client = await server.connect(b"GET /stream HTTP/1.1\r\nHost: x\r\n\r\n")
    assert await client.send_until_refused(GET * 1000, 10_000_000) < 10_000_000


async def test_more_requests_than_may_wait_start_no_app_and_are_refused(app: App) -> None:
    client = MemoryServer(app.starlette()).connect()
    await client.send(b"POST /read HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n" * (MAX_WAITING_REQUESTS + 2))
    assert (client.answers[0], client.is_closed) == (429, True)
    assert len(app.bodies) <= 1


async def test_as_many_requests_as_may_wait_are_answered_in_order(app: App) -> None:
    client = MemoryServer(app.starlette()).connect()
    await client.send(GET * MAX_WAITING_REQUESTS + b"GET /missing HTTP/1.1\r\nHost: x\r\n\r\n")
    for _ in range(MAX_WAITING_REQUESTS):
        await client.wait(0)
    assert client.answers == [200] * MAX_WAITING_REQUESTS + [404]


async def test_a_refusal_of_waiting_requests_does_not_break_into_the_answer_before_them(app: App) -> None:
    client = MemoryServer(app.starlette()).connect()
    await client.send(b"GET /stream HTTP/1.1\r\nHost: x\r\n\r\n")
    await client.send(GET * (MAX_WAITING_REQUESTS + 1))
    assert (client.answers, client.is_closed) == ([200], True)


async def test_http_1_0_gets_no_chunks(server: RawServer, app: App) -> None:
    client = await server.connect(b"GET /stream HTTP/1.0\r\n\r\n")
    start = await client.read(b"begun")
    app.go_on.set()
    assert start.partition(b"\r\n\r\n")[2] + await client.rest() == b"begunended"
    assert b"transfer-encoding" not in start
    assert b"connection: close" in start
    sized = await server.ask(b"GET / HTTP/1.0\r\n\r\n")
    assert b"content-length: 5" in sized
    assert sized.endswith(b"\r\n\r\nhello")


async def test_a_wish_for_another_protocol_is_answered_as_http_and_is_no_warning(
    server: RawServer, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    upgrade = b"Upgrade: websocket\r\nSec-WebSocket-Key: x\r\nSec-WebSocket-Version: 13\r\n"
    start = b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close, upgrade\r\n"
    assert status_of(await server.ask(start + upgrade + b"\r\n")) == 200
    assert caplog.messages == []


CHUNKED = b"POST /read HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n0\r\n"


async def test_a_field_after_a_chunked_body_is_no_header(app: App) -> None:
    client = MemoryServer(app.starlette()).connect()
    await client.send(CHUNKED + b"Authorization: Bearer x\r\nX-Forwarded-For: 203.0.113.1\r\n\r\n")
    assert (client.answers, app.bodies) == ([200], [2])
    assert app.headers == ["host", "transfer-encoding"]
    await client.send(GET)
    assert client.answers == [200, 200]


async def test_fields_after_a_chunked_body_count_towards_the_limits(app: App) -> None:
    client = MemoryServer(app.starlette()).connect()
    await client.send(CHUNKED + b"X: 1\r\n" * MAX_HEADERS + b"\r\n")
    assert client.answers == [431]


@pytest.mark.parametrize("start", [b"X: ", b"X"], ids=["value", "name"])
async def test_a_field_without_end_after_a_chunked_body_is_refused_before_it_fills_the_memory(
    app: App, start: bytes
) -> None:
    client = MemoryServer(app.starlette()).connect()
    await client.send(CHUNKED + start)
    for _ in range(MAX_HEAD_BYTES // 4000 + 1):
        await client.send(b"x" * 4000)
    assert (client.answers, client.is_closed) == ([431], True)

import asyncio
import os
import signal
import socket
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import ExitStack, asynccontextmanager, suppress

import httpx
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route

from service.commands import server
from service.commands.server import AppServer, CannotStart, listen
from tests.support.patience import PATIENCE_SECONDS
from tests.support.raw_http import GET

_SOON_SECONDS = 0.2


class Diary:
    """What an app went through."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def app(self, name: str, failure: Exception | None = None) -> Starlette:
        end = asyncio.Event()

        @asynccontextmanager
        async def lifespan(_app: Starlette) -> AsyncIterator[None]:
            if failure:
                raise failure
            self.lines.append(f"{name} opens")
            yield
            self.lines.append(f"{name} closes")

        async def stream() -> AsyncIterator[bytes]:
            yield b"begun\n"
            await end.wait()
            self.lines.append(f"{name} ends its stream")

        async def endless(_request: Request) -> Response:
            return StreamingResponse(stream())

        async def hello(_request: Request) -> Response:
            return PlainTextResponse(name)

        app = Starlette(routes=[Route("/", hello), Route("/stream", endless)], lifespan=lifespan)
        app.state.drain = end.set
        return app


def run(servers: Callable[[], list[AppServer]], visit: Callable[[], object]) -> None:
    """Serves until `visit`, a coroutine function, is done and has asked for the end as a person would."""
    visits = []

    def started() -> None:
        visits.append(asyncio.ensure_future(visit()))  # type: ignore[call-overload]

    server.run(servers, started)
    for each in visits:
        each.result()


def test_a_port_that_is_taken_is_said_with_the_option_that_changes_it() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(CannotStart, match=rf"Port {port} on 127\.0\.0\.1 is taken .* with --host-port"):
            listen("127.0.0.1", port, "--host-port")


def test_a_name_that_is_no_host_is_said() -> None:
    with pytest.raises(CannotStart, match=r"Cannot listen on nowhere\.invalid"):
        listen("nowhere.invalid", 0, "--port")


@pytest.mark.parametrize("host", ["a..b", "a" * 64])
def test_a_name_that_no_host_can_have_is_said(host: str) -> None:
    with pytest.raises(CannotStart, match="correct --host"):
        listen(host, 0, "--port")


def test_an_address_of_another_machine_is_refused() -> None:
    with pytest.raises(CannotStart, match="not an address of this machine"):
        listen("192.0.2.1", 0, "--port")


def test_every_address_of_localhost_has_the_same_port() -> None:
    with listen("localhost", 0, "--port") as transport:
        assert {each.getsockname()[1] for each in transport.sockets} == {transport.port}
        assert transport.address.endswith(f":{transport.port}")


def test_a_kind_of_address_that_this_machine_does_not_know_is_passed_over() -> None:
    assert server.bind(socket.AF_APPLETALK, "::1", 0) is None


def test_addresses_of_the_newer_kind_do_not_take_the_older_ones_port() -> None:
    newer = server.bind(socket.AF_INET6, "::1", 0)
    if newer is None:
        pytest.skip("this machine has no IPv6")
    with newer, listen("127.0.0.1", newer.getsockname()[1], "--port") as transport:
        assert transport.port == newer.getsockname()[1]


def test_an_open_stream_does_not_delay_the_end() -> None:
    diary = Diary()
    with listen("127.0.0.1", 0, "--port") as transport:

        async def visit() -> None:
            async with (
                httpx.AsyncClient() as client,
                client.stream("GET", f"http://{transport.address}/stream") as answer,
            ):
                lines = answer.aiter_lines()
                assert await anext(lines) == "begun"
                os.kill(os.getpid(), signal.SIGINT)
                assert [line async for line in lines] == []

        run(lambda: [AppServer(diary.app("a"), transport)], visit)
    assert diary.lines == ["a opens", "a ends its stream", "a closes"]


def test_requests_that_were_sent_before_the_end_are_answered() -> None:
    asking: list[socket.socket] = []
    with ExitStack() as opened, listen("127.0.0.1", 0, "--port") as transport:

        class Asked(AppServer):
            async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
                for _ in range(3):  # they wait in the queue of the system
                    asking.append(opened.enter_context(socket.create_connection(("127.0.0.1", transport.port))))
                    asking[-1].sendall(GET)
                await super().shutdown(sockets)

        async def visit() -> None:
            os.kill(os.getpid(), signal.SIGTERM)

        run(lambda: [Asked(Diary().app("a"), transport)], visit)
        assert [client.recv(12) for client in asking] == [b"HTTP/1.1 200"] * 3


WAITING = """
import asyncio
import threading
from contextlib import asynccontextmanager

from starlette.applications import Starlette

from service.commands import server


@asynccontextmanager
async def lifespan(app):
    print("waits", flush=True)
    await asyncio.to_thread(threading.Event().wait)
    yield


with server.listen("127.0.0.1", 0, "--port") as listener:
    server.run(lambda: [server.AppServer(Starlette(lifespan=lifespan), listener)], print)
"""


def test_a_third_signal_ends_a_process_whose_start_waits_in_a_thread() -> None:
    with subprocess.Popen([sys.executable, "-c", WAITING], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "waits\n"
        for _ in range(int(PATIENCE_SECONDS / _SOON_SECONDS)):
            process.send_signal(signal.SIGTERM)
            with suppress(subprocess.TimeoutExpired):
                process.wait(_SOON_SECONDS)
                break
        else:
            process.kill()
    assert process.returncode == -signal.SIGTERM


def test_servers_stop_in_the_opposite_order_and_a_server_that_is_still_called_runs() -> None:
    diary = Diary()
    servers: list[AppServer] = []
    with listen("127.0.0.1", 0, "--port") as one, listen("127.0.0.1", 0, "--port") as two:

        async def relay(_request: Request) -> Response:
            os.kill(os.getpid(), signal.SIGINT)
            async with httpx.AsyncClient() as client:
                while not servers[1].should_exit:
                    await client.get(f"http://{one.address}/")
                return PlainTextResponse((await client.get(f"http://{one.address}/")).text)

        async def visit() -> None:
            async with httpx.AsyncClient() as client:
                assert (await client.get(f"http://{two.address}/relay")).text == "a"

        def open_houses() -> list[AppServer]:
            asking = diary.app("b")
            asking.router.routes.append(Route("/relay", relay))
            servers.extend([AppServer(diary.app("a"), one), AppServer(asking, two)])
            return servers

        run(open_houses, visit)
    assert diary.lines == ["a opens", "b opens", "b closes", "a closes"]


def test_servers_start_in_order_and_all_stop() -> None:
    diary = Diary()
    before = signal.getsignal(signal.SIGTERM)
    with listen("127.0.0.1", 0, "--port") as one, listen("127.0.0.1", 0, "--port") as two:

        async def visit() -> None:
            async with httpx.AsyncClient() as client:
                assert [(await client.get(f"http://{transport.address}/")).text for transport in (one, two)] == [
                    "a",
                    "b",
                ]
            os.kill(os.getpid(), signal.SIGTERM)

        run(lambda: [AppServer(diary.app("a"), one), AppServer(diary.app("b"), two)], visit)
    assert diary.lines[:2] == ["a opens", "b opens"]
    assert sorted(diary.lines[2:]) == ["a closes", "b closes"]
    assert signal.getsignal(signal.SIGTERM) is before


def test_a_server_that_cannot_start_stops_the_others_and_says_why() -> None:
    diary = Diary()
    refusal = CannotStart("no room")
    with listen("127.0.0.1", 0, "--port") as one, listen("127.0.0.1", 0, "--port") as two:

        def servers() -> list[AppServer]:
            return [AppServer(diary.app("a"), one), AppServer(diary.app("b", refusal), two)]

        with pytest.raises(CannotStart, match="no room"):
            server.run(servers, lambda: diary.lines.append("started"))
    assert diary.lines == ["a opens", "a closes"]


def test_a_second_interrupt_waits_for_nobody() -> None:
    diary = Diary()
    servers: list[AppServer] = []
    with listen("127.0.0.1", 0, "--port") as transport:

        async def visit() -> None:
            for _ in range(2):
                os.kill(os.getpid(), signal.SIGINT)
                await asyncio.sleep(0)

        def open_houses() -> list[AppServer]:
            servers.append(AppServer(diary.app("a"), transport))
            return servers

        run(open_houses, visit)
    assert servers[0].force_exit
    assert diary.lines == ["a opens", "a closes"]

"""One process and the apps that it serves: listening, starting in order, stopping together."""

import asyncio
import contextlib
import errno
import signal
import socket
from collections.abc import Callable, Generator, Sequence
from types import TracebackType
from typing import Self

import uvicorn
from starlette.applications import Starlette

from service.errors import BadSettings

GRACE_SECONDS = 5
BACKLOG = 2048
SIGNALS = (signal.SIGINT, signal.SIGTERM)


class CannotStart(BadSettings):
    """This machine does not allow it: a port that is taken, a folder that cannot be written."""


class Listener:
    """Open sockets on one port; closed when the block that holds it ends."""

    def __init__(self, sockets: list[socket.socket]) -> None:
        self.sockets = sockets

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        for each in self.sockets:
            each.close()

    @property
    def port(self) -> int:
        return int(self.sockets[0].getsockname()[1])

    @property
    def address(self) -> str:
        return f"{self.sockets[0].getsockname()[0]}:{self.port}"


class House(uvicorn.Server):
    """An app on its own sockets. Signals are the process's, and open streams do not delay the end."""

    def __init__(self, app: Starlette, listener: Listener, *, date_header: bool = True) -> None:
        self.app = app
        self.listener = listener
        self.ready = asyncio.Event()
        # The lifespan is run by `live`, so that what goes wrong in it is raised and not only logged.
        super().__init__(
            uvicorn.Config(
                app,
                lifespan="off",
                access_log=False,
                log_config=None,  # where lines go is settled for the whole process
                log_level="warning",
                date_header=date_header,
                server_header=False,
                proxy_headers=False,
                timeout_graceful_shutdown=GRACE_SECONDS,
            )
        )

    async def live(self) -> None:
        async with self.app.router.lifespan_context(self.app):
            await self.serve(self.listener.sockets)

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.ready.set()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        # A stream never ends by itself; uvicorn would wait its whole grace for it.
        if leave := getattr(self.app.state, "leave", None):
            leave()
        await super().shutdown(sockets)

    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None, None, None]:
        yield


def listen(host: str, port: int, option: str) -> Listener:
    """Bound on every address of the host, on one port; 0 takes a free one. Raises CannotStart that names the option."""
    sockets: list[socket.socket] = []
    try:
        for family, address in _addresses(host):
            bound = bind(family, address, sockets[0].getsockname()[1] if sockets else port)
            sockets += [bound] if bound else []
    except OSError as exc:
        Listener(sockets).close()
        raise CannotStart(_why_not(exc, host, port, option)) from exc
    if not sockets:
        raise CannotStart(f"{host} is not an address of this machine.")
    return Listener(sockets)


def _addresses(host: str) -> list[tuple[int, str]]:
    found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    return list(dict.fromkeys((int(each[0]), str(each[4][0])) for each in found))


def bind(family: int, address: str, port: int) -> socket.socket | None:
    """A listening socket; None where the machine does not have this address, as `::1` where IPv6 is switched off."""
    try:
        bound = socket.socket(family)
    except OSError:
        return None
    try:
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            bound.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        bound.bind((address, port))
        bound.listen(BACKLOG)
    except OSError as exc:
        bound.close()
        if exc.errno == errno.EADDRNOTAVAIL:
            return None
        raise
    return bound


def _why_not(exc: OSError, host: str, port: int, option: str) -> str:
    if exc.errno == errno.EADDRINUSE:
        return f"Port {port} on {host} is taken by another program; choose another with {option}."
    if exc.errno == errno.EACCES:
        return f"Port {port} needs rights that this user does not have; choose one above 1023 with {option}."
    return f"Cannot listen on {host}, port {port} ({option}): {exc.strerror or exc}."


def run(open_houses: Callable[[], Sequence[House]], started: Callable[[], object]) -> None:
    """Opens the houses in order and serves until SIGINT or SIGTERM; raises what one of them died of.

    They close in the opposite order, one after the other: a house that calls another finds it there to the end.
    """
    with asyncio.Runner(loop_factory=uvicorn.Config("").get_loop_factory()) as runner:
        runner.run(_run(open_houses, started))


async def _run(open_houses: Callable[[], Sequence[House]], started: Callable[[], object]) -> None:
    houses = open_houses()
    loop = asyncio.get_running_loop()
    stop = asyncio.Event()
    before = {each: signal.signal(each, lambda *_: loop.call_soon_threadsafe(_stop, houses, stop)) for each in SIGNALS}
    living: list[asyncio.Task[None]] = []
    try:
        for house in houses:
            living.append(asyncio.create_task(house.live()))
            await _first(living, house.ready, stop)
        if all(house.ready.is_set() for house in houses) and not stop.is_set():
            started()
        await _first(living, stop)
    finally:
        for house, life in reversed(list(zip(houses, living, strict=False))):
            house.should_exit = True
            await asyncio.wait([life])
        endings = await asyncio.gather(*living, return_exceptions=True)
        for each, handler in before.items():
            signal.signal(each, handler)
    for ending in endings:
        if isinstance(ending, Exception):
            raise ending


async def _first(living: Sequence[asyncio.Task[None]], *events: asyncio.Event) -> None:
    """Waits until one of the events has come, or one of the living is no more."""
    waits = [asyncio.create_task(event.wait()) for event in events]
    await asyncio.wait([*living, *waits], return_when=asyncio.FIRST_COMPLETED)
    for wait in waits:
        wait.cancel()


def _stop(houses: Sequence[House], stop: asyncio.Event) -> None:
    """The second time without grace."""
    for house in houses:
        house.force_exit = stop.is_set()
    stop.set()

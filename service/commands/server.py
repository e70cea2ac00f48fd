"""Serves ASGI apps in one process: binds their sockets, starts them in order, stops them in the opposite order."""

import asyncio
import contextlib
import errno
import signal
import socket
from collections.abc import Callable, Generator, Mapping, Sequence
from functools import partial
from types import TracebackType
from typing import Self

import uvicorn
from starlette.applications import Starlette

from service.commands.acceptor import Acceptor
from service.commands.clients import ClientLimits, Clients
from service.commands.http_protocol import LimitedProtocol
from service.commands.interpreter import collect_regularly, no_collections, short_pauses
from service.domain.timing import SHUTDOWN_SECONDS
from service.errors import BadSettings

Environ = Mapping[str, str]
Print = Callable[[str], object]
_BACKLOG = 2048
_LAST_REQUESTS_SECONDS = 0.1  # in which the requests of the last connections arrive and are read
_SIGNALS = (signal.SIGINT, signal.SIGTERM)


class CannotStart(BadSettings):
    """The process cannot start on this machine: a port is taken, or a folder cannot be written."""


class Listener:
    """Listening sockets on one port. Used as a context manager, it closes them at the end of the block."""

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


class AppServer(uvicorn.Server):
    """A uvicorn server of one app. `run` handles the signals, and open event streams do not delay the shutdown."""

    def __init__(
        self, app: Starlette, listener: Listener, clients: Clients | None = None, *, date_header: bool = True
    ) -> None:
        clients = clients or Clients(ClientLimits())
        self.app = app
        self.listener = listener
        self.ready = asyncio.Event()
        self._clients = clients
        # `serve_app` runs the lifespan, so that an error in it is raised and not only logged.
        super().__init__(
            uvicorn.Config(
                app,
                http=partial(LimitedProtocol, clients),  # type: ignore[arg-type]  # uvicorn only calls it
                ws="none",
                lifespan="off",
                access_log=False,
                log_config=None,  # logging is configured for the whole process
                log_level="warning",
                date_header=date_header,
                server_header=False,
                proxy_headers=False,
                timeout_keep_alive=clients.limits.keep_alive_seconds,
                timeout_graceful_shutdown=SHUTDOWN_SECONDS,
            )
        )

    async def serve_app(self) -> None:
        async with self.app.router.lifespan_context(self.app):
            await self.serve(self.listener.sockets)

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup([])  # would take one connection in a turn
        self.servers = [
            Acceptor(each, self._create_protocol, self._clients.room, self._make_room)  # type: ignore[misc]
            for each in sockets or ()
        ]
        self.ready.set()

    def _create_protocol(self) -> asyncio.Protocol:
        protocol: asyncio.Protocol = self.config.http_protocol_class(  # type: ignore[call-arg]
            config=self.config, server_state=self.server_state, app_state=self.lifespan.state
        )
        return protocol

    def _make_room(self) -> bool:
        return self._clients.make_room(asyncio.get_running_loop().time())

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        # An event stream does not end without this: uvicorn would wait its whole grace period for it.
        if drain := getattr(self.app.state, "drain", None):
            drain()
        # uvicorn asks the connections that are open to end: one that opened later would be waited for in vain.
        for server in self.servers:
            server.close()
            await server.wait_closed()
        self.servers = []
        self.listener.close()
        # It closes those from which nothing was read yet: their requests would be lost.
        await asyncio.sleep(_LAST_REQUESTS_SECONDS)
        await super().shutdown(sockets)

    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None, None, None]:
        # uvicorn's own would stop only one of several servers, and in no order.
        yield


def host_of(environ: Environ, host: str | None) -> str:
    """Return the address to listen on where `host` is the one that was asked for."""
    # A platform that sets PORT reaches the process from outside the container; otherwise only this machine may.
    return host or ("0.0.0.0" if environ.get("PORT") else "127.0.0.1")  # noqa: S104


def listen(host: str, port: int, option: str) -> Listener:
    """Bind every address of the host on one port, 0 for a free one. Raises CannotStart, which names the option."""
    # "localhost" has an IPv4 and an IPv6 address, and browsers differ in which they try first: both get the same port.
    sockets: list[socket.socket] = []
    try:
        for family, address in _addresses(host):
            bound = bind(family, address, sockets[0].getsockname()[1] if sockets else port)
            sockets += [bound] if bound else []
    except UnicodeError as exc:
        raise CannotStart(f"{host!r} is no address or name of this machine; correct --host.") from exc
    except OSError as exc:
        Listener(sockets).close()
        raise CannotStart(_listen_error(exc, host, port, option)) from exc
    if not sockets:
        raise CannotStart(f"{host} is not an address of this machine.")
    return Listener(sockets)


def _addresses(host: str) -> list[tuple[int, str]]:
    found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    return list(dict.fromkeys((int(each[0]), str(each[4][0])) for each in found))


def bind(family: int, address: str, port: int) -> socket.socket | None:
    """Return a listening socket; None where the machine lacks the address, as `::1` without IPv6."""
    try:
        bound = socket.socket(family)
    except OSError:
        return None
    try:
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            # Otherwise `::` would take the port of IPv4 too, and binding that address would fail.
            bound.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        bound.bind((address, port))
        bound.listen(_BACKLOG)
    except OSError as exc:
        bound.close()
        if exc.errno == errno.EADDRNOTAVAIL:
            return None
        raise
    return bound


def _listen_error(exc: OSError, host: str, port: int, option: str) -> str:
    if exc.errno == errno.EADDRINUSE:
        return f"Port {port} on {host} is taken by another program; choose another with {option}."
    if exc.errno == errno.EACCES:
        return f"Port {port} needs rights that this user does not have; choose one above 1023 with {option}."
    return f"Cannot listen on {host}, port {port} ({option}): {exc.strerror or exc}."


def run(create_servers: Callable[[], Sequence[AppServer]], started: Callable[[], object]) -> None:
    """Start the servers in order and serve until SIGINT or SIGTERM; raise the error that one of them ended with.

    They stop in the opposite order, one after the other, so that an app can call those started before it until it ends.
    """
    # A Config without `log_config=None` gives uvicorn's loggers handlers of their own: they write plain text,
    # with the secrets that are in a traceback.
    config = uvicorn.Config("", log_config=None)
    with asyncio.Runner(loop_factory=config.get_loop_factory()) as runner:
        runner.run(_run(create_servers, started))


async def _run(create_servers: Callable[[], Sequence[AppServer]], started: Callable[[], object]) -> None:
    with no_collections():
        servers = create_servers()
    with short_pauses():
        collecting = asyncio.create_task(collect_regularly(), name="garbage")
        try:
            await _serve(servers, started)
        finally:
            collecting.cancel()


async def _serve(servers: Sequence[AppServer], started: Callable[[], object]) -> None:
    loop = asyncio.get_running_loop()
    stop = asyncio.Event()
    before = {
        each: signal.signal(each, lambda *_: loop.call_soon_threadsafe(_stop, servers, stop)) for each in _SIGNALS
    }
    running: list[asyncio.Task[None]] = []
    try:
        for server in servers:
            running.append(asyncio.create_task(server.serve_app()))
            await _wait_for_first(running, server.ready, stop)
        if all(server.ready.is_set() for server in servers) and not stop.is_set():
            started()
        await _wait_for_first(running, stop)
    finally:
        for server, task in reversed(list(zip(servers, running, strict=False))):
            server.should_exit = True
            await asyncio.wait([task])
        results = await asyncio.gather(*running, return_exceptions=True)
        for each, handler in before.items():
            signal.signal(each, handler)
    for result in results:
        if isinstance(result, Exception):
            raise result


async def _wait_for_first(running: Sequence[asyncio.Task[None]], *events: asyncio.Event) -> None:
    # Also returns when a server has ended: a server that fails must end the process.
    waits = [asyncio.create_task(event.wait()) for event in events]
    await asyncio.wait([*running, *waits], return_when=asyncio.FIRST_COMPLETED)
    for wait in waits:
        wait.cancel()


def _stop(servers: Sequence[AppServer], stop: asyncio.Event) -> None:
    # The first signal lets requests finish; a second one stops at once. A third ends the process, whatever it waits
    # for: its start may wait for another process's migration, in a thread that cannot be stopped.
    if stop.is_set():
        for each in _SIGNALS:
            signal.signal(each, signal.SIG_DFL)
    for server in servers:
        server.force_exit = stop.is_set()
    stop.set()

"""The server's protocol without sockets: bytes go in and come out, and only the test moves its clock."""

import asyncio
from collections.abc import Callable
from typing import Any

import uvicorn
from starlette.types import ASGIApp
from uvicorn.server import ServerState

from service.commands.clients import ClientLimits, Clients
from service.commands.http_protocol import LimitedProtocol

_PIECE = 65_536
_ROUNDS = 20  # of the event loop: more than any answer of these tests takes


class Timer:
    """A call that is due at a time."""

    def __init__(self, at: float, call: Callable[[], object]) -> None:
        self.at = at
        self.call = call
        self.is_cancelled = False

    def cancel(self) -> None:
        self.is_cancelled = True


class ClockLoop:
    """What the protocol needs of an event loop, by a clock of its own."""

    def __init__(self) -> None:
        self.now = 1000.0
        self._timers: list[Timer] = []

    def time(self) -> float:
        return self.now

    def call_later(self, seconds: float, call: Callable[[], object]) -> Timer:
        timer = Timer(self.now + seconds, call)
        self._timers.append(timer)
        return timer

    def create_task(self, work: Any) -> "asyncio.Task[None]":
        return asyncio.get_running_loop().create_task(work)

    def advance(self, seconds: float) -> None:
        """Let time pass, and call what becomes due in it, in order."""
        end = self.now + seconds
        while due := [timer for timer in self._timers if timer.at <= end and not timer.is_cancelled]:
            first = min(due, key=lambda timer: timer.at)
            self._timers.remove(first)
            self.now = first.at
            first.call()
        self.now = end


class MemoryTransport(asyncio.Transport):
    """Keeps what is written; `peer` is the client's address and `handle` the number of its file handle."""

    def __init__(self, peer: str = "203.0.113.7", handle: int = 20) -> None:
        super().__init__()
        self.written = bytearray()
        self.has_written = asyncio.Event()
        self.is_aborted = False
        self._names = {"peername": (peer, 50000), "sockname": ("192.0.2.1", 443), "socket": _Socket(peer, handle)}
        self._closing = False
        self.keeps_unsent = False  # closing ends the connection when the client has read everything, or by `abort`
        self.protocol: LimitedProtocol | None = None

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        return self._names.get(name, default)

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self.written += data
        self.has_written.set()

    def is_closing(self) -> bool:
        return self._closing

    def close(self) -> None:
        if not self._closing:
            self._closing = True
            if not self.keeps_unsent:
                self._end()

    def abort(self) -> None:
        self.is_aborted = True
        if self.keeps_unsent or not self._closing:
            self._closing = True
            self._end()

    def _end(self) -> None:
        assert self.protocol is not None
        asyncio.get_running_loop().call_soon(self.protocol.connection_lost, None)

    def pause_reading(self) -> None: ...

    def resume_reading(self) -> None: ...


class _Socket:
    def __init__(self, peer: str, handle: int) -> None:
        self._peer = peer
        self._handle = handle

    def fileno(self) -> int:
        return self._handle

    def getpeername(self) -> tuple[str, int]:
        return (self._peer, 50000)

    def getsockname(self) -> tuple[str, int]:
        return ("192.0.2.1", 443)

    family = 2


class MemoryServer:
    """A server of one app whose connections are in memory."""

    def __init__(self, app: ASGIApp, clients: Clients | None = None) -> None:
        self.loop = ClockLoop()
        self.clients = clients or Clients(ClientLimits())
        seconds = self.clients.limits.keep_alive_seconds
        self._config = uvicorn.Config(
            app, log_config=None, access_log=False, lifespan="off", ws="none", timeout_keep_alive=seconds
        )
        self._state = ServerState()

    def connect(self, peer: str = "203.0.113.7", handle: int = 20) -> "MemoryClient":
        protocol = LimitedProtocol(
            self.clients, config=self._config, server_state=self._state, app_state={}, _loop=self.loop
        )
        transport = MemoryTransport(peer, handle)
        transport.protocol = protocol
        protocol.connection_made(transport)
        return MemoryClient(protocol, transport, self.loop)


class MemoryClient:
    """The client's side of one connection."""

    def __init__(self, protocol: LimitedProtocol, transport: MemoryTransport, loop: ClockLoop) -> None:
        self._protocol = protocol
        self.transport = transport
        self._loop = loop

    @property
    def is_closed(self) -> bool:
        return self.transport.is_closing()

    @property
    def answers(self) -> list[int]:
        """The status of every answer so far."""
        parts = bytes(self.transport.written).split(b"HTTP/1.1 ")[1:]
        return [int(part[:3]) for part in parts]

    @property
    def kept_bytes(self) -> int:
        """How much of the newest request's body is in memory."""
        return len(self._protocol.cycle.body)

    async def send(self, data: bytes) -> None:
        """Send it in one piece, and let the app work."""
        if not self.is_closed:
            self._protocol.data_received(data)
        await settled()

    async def ask(self, data: bytes) -> int:
        """Send it in pieces, as a network does, and return the status of the answer, however long the app works."""
        for start in range(0, len(data), _PIECE):
            if not self.is_closed:
                self._protocol.data_received(data[start : start + _PIECE])
            await asyncio.sleep(0)
        await self.transport.has_written.wait()
        return self.answers[0]

    async def wait(self, seconds: float) -> None:
        self._loop.advance(seconds)
        await settled()

    def stop_reading(self) -> None:
        self._protocol.pause_writing()

    def read_on(self) -> None:
        self._protocol.resume_writing()


async def settled() -> None:
    """Let the event loop do what is ready."""
    for _ in range(_ROUNDS):
        await asyncio.sleep(0)

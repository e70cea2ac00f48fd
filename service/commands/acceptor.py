"""Takes new connections, many in each turn of the event loop.

uvloop takes one in a turn. All requests in progress have their next step in the same turn, so on a busy process each
new client would wait for the steps of all others, once for every client that came before it: of 32 that came at once
and asked for lists, the last had its first answer after ten times as long as its second.
"""

import asyncio
import errno
import logging
import socket
from collections.abc import Callable

_log = logging.getLogger(__name__)
_PAUSE_SECONDS = 1.0  # where the process is out of handles or memory; clients wait in the queue of the system
# A client that vanished, as a laptop that sleeps, acknowledges nothing: Linux would send for a quarter of an hour, in
# which its page counts as present. Reference: tcp(7), TCP_USER_TIMEOUT; other systems keep their own time.
_UNACKNOWLEDGED_SECONDS = 30
_CLOSING_SECONDS = 0.05  # in which a connection that makes way gives its handle back
# Linux reports what went wrong with a waiting connection as an error of taking it. Reference: accept(2), "Errors".
_OF_ONE_CONNECTION = {
    errno.ECONNABORTED,
    errno.EHOSTDOWN,
    errno.EHOSTUNREACH,
    errno.ENETDOWN,
    errno.ENETUNREACH,
    errno.ENONET,
    errno.ENOPROTOOPT,
    errno.EOPNOTSUPP,
    errno.EPERM,
    errno.EPROTO,
}


class Acceptor:
    """Takes the connections of one listening socket, whose owner closes it; `close` ends that.

    At most as many as `room` returns are taken and not open yet. `make_room` closes a connection that waits, where the
    process is out of handles, and tells whether there was one. It has what uvicorn uses of an `asyncio.Server`.
    """

    def __init__(
        self,
        listening: socket.socket,
        create_protocol: Callable[[], asyncio.Protocol],
        room: Callable[[], int],
        make_room: Callable[[], bool],
        pause_seconds: float = _PAUSE_SECONDS,
    ) -> None:
        self._loop = asyncio.get_running_loop()
        self._listening = listening
        self._create_protocol = create_protocol
        self._room = room
        self._make_room = make_room
        self._pause_seconds = pause_seconds
        self._opening: set[asyncio.Task[None]] = set()
        self._pause: asyncio.TimerHandle | None = None
        listening.setblocking(False)
        self._begin()

    def close(self) -> None:
        """Take those that wait in the queue of the system, which would be reset with the socket, and then no more."""
        self._loop.remove_reader(self._listening)
        if self._pause is None:
            self._accept()
        if self._pause is not None:
            self._pause.cancel()

    async def wait_closed(self) -> None:
        """Return once each connection that was taken is open, or has failed."""
        if self._opening:
            await asyncio.wait(self._opening)

    def _begin(self) -> None:
        self._pause = None
        self._loop.add_reader(self._listening, self._accept)

    def _accept(self) -> None:
        for _ in range(self._room() - len(self._opening)):
            try:
                connection, _ = self._listening.accept()
            except (BlockingIOError, InterruptedError):
                return  # none is left
            except OSError as exc:
                if exc.errno in _OF_ONE_CONNECTION:
                    continue
                self._wait_for_handles(exc)
                return
            opening = self._loop.create_task(self._open(connection), name="connection")
            self._opening.add(opening)
            opening.add_done_callback(self._opening.discard)

    def _wait_for_handles(self, exc: OSError) -> None:
        seconds = _CLOSING_SECONDS
        if not self._make_room():
            _log.error("no connection can be taken for now: %s", exc.strerror)
            seconds = self._pause_seconds
        self._loop.remove_reader(self._listening)
        self._pause = self._loop.call_later(seconds, self._begin)

    async def _open(self, connection: socket.socket) -> None:
        try:
            connection.setblocking(False)
            if (option := getattr(socket, "TCP_USER_TIMEOUT", None)) is not None:
                connection.setsockopt(socket.IPPROTO_TCP, option, _UNACKNOWLEDGED_SECONDS * 1000)
            await self._loop.connect_accepted_socket(self._create_protocol, connection)
        except OSError:  # its client has gone
            connection.close()

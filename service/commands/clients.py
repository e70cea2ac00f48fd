"""Which clients may hold how many connections to this process: by address, and by the process's file handles.

Everything here runs on the event loop, in one thread. `http_protocol` calls it for each connection.
"""

import logging
import resource
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Protocol

_log = logging.getLogger("service.clients")

# A process cannot use more. Containers often allow a million handles, for which they have no memory.
_MOST_HANDLES = 65_536
# Beside a tenth of all handles, for the provider, the database and the files that it opens for a moment.
_LEAST_SPARE = 32
_MOST_AT_ONCE = 128  # a turn of the event loop in which so many come takes some ten milliseconds longer
_REPORT_SECONDS = 10.0
_REMEMBERED_PROXIES = 1000
# Reference: RFC 1918, 3927, 4193, 4291 and 6598. `is_private` of Python also has networks of documentation.
_PRIVATE = [
    ip_network(one)
    for one in (
        *("127.0.0.0/8", "10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "169.254.0.0/16", "100.64.0.0/10"),
        *("::1/128", "fc00::/7", "fe80::/10"),
    )
]
FORWARDED = frozenset(
    {b"forwarded", b"x-forwarded-for", b"x-forwarded-host", b"x-forwarded-proto", b"x-real-ip", b"x-forwarded-port"}
)


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientLimits:
    """The limits of clients. `per_address` None is no limit; `trusted_proxies` are networks, which are exempt."""

    per_address: int | None = None
    trusted_proxies: Sequence[str] = ()
    keep_alive_seconds: int = 75
    head_seconds: float = 15.0
    # Each `body_bytes_per_second` that arrive add a second: a slow client gets time, and one that trickles does not.
    # It has `body_silence_seconds` at most: a client that sends all but the last byte must not keep it in memory.
    body_seconds: float = 15.0
    body_bytes_per_second: int = 500
    body_silence_seconds: float = 60.0
    write_seconds: float = 60.0


class Client(Protocol):
    """One connection of a client, as the protocol of the server has it."""

    host: str | None  # the peer's address; None for a socket without one
    handle: int  # its file handle

    def close_idle(self) -> None:
        """Close it: it waits for a request, or for the rest of one."""


class Refused(Exception):
    """The connection is answered with this status and closed, before anything is read from it."""

    def __init__(self, status: int) -> None:
        self.status = status
        super().__init__(status)


class Clients:
    """The open connections of one server; `handles` is how many files the process may have open."""

    def __init__(self, limits: ClientLimits, handles: int | None = None) -> None:
        self.limits = limits
        self._handles = handles or handle_limit()
        self._spare = max(_LEAST_SPARE, self._handles // 10)
        self._capacity: int | None = None  # known with the first connection
        self._all: set[Client] = set()
        self._trusted = [ip_network(one) for one in limits.trusted_proxies]
        self._proxies: set[str] = set()
        self._open: dict[str, dict[Client, None]] = {}  # by address, oldest first
        # Without a request in progress, longest first; keep-alive connections before those with a part of a request.
        self._idle: dict[Client, None] = {}
        self._unfinished: dict[Client, None] = {}
        self._reported: dict[str, float] = {}

    def room(self) -> int:
        """How many connections one of two listening sockets may take now, before they are admitted.

        At the edge of capacity they take a part of the spare handles, which all else needs too.
        """
        free = 0 if self._capacity is None else self._capacity - len(self._all)
        return min(_MOST_AT_ONCE, max(self._spare // 4, free // 2))

    def admit(self, client: Client, now: float) -> bool:
        """Count a new connection; False at the edge of capacity, where only `/healthz` is answered. Raises Refused."""
        self._count(client, now)
        self._all.add(client)
        if self._capacity is None:
            # The kernel gives the lowest free handle, so the first number says how many the process itself has in use.
            self._capacity = max(1, self._handles - client.handle - self._spare)
        over = len(self._all) - self._capacity
        if over <= 0 and client.handle < self._handles - _LEAST_SPARE // 2:
            return True
        if self.make_room(now):
            return True
        if over > self._spare // 2:
            raise Refused(503)
        return False

    def make_room(self, now: float) -> bool:
        """Close the connection that has been unused for longest, otherwise one that waits for its client, if any."""
        self._report("capacity", "File handles run out: idle connections are closed, and requests answered 503.", now)
        return self._close_one(self._idle) or self._close_one(self._unfinished)

    def remove(self, client: Client) -> None:
        """Forget a connection that has ended."""
        self.set_busy(client)
        self._all.discard(client)
        address = _group(client.host) if client.host else ""
        mine = self._open.get(address, {})
        mine.pop(client, None)
        if not mine:
            self._open.pop(address, None)

    def set_idle(self, client: Client) -> None:
        """Say that the connection was answered and waits for its next request."""
        self.set_busy(client)
        self._idle[client] = None

    def set_unfinished(self, client: Client) -> None:
        """Say that the connection waits for its first request, for the rest of one, or for its client to read."""
        self._idle.pop(client, None)
        self._unfinished.setdefault(client)  # it keeps its place: bytes that trickle in do not make it younger

    def set_busy(self, client: Client) -> None:
        """Say that a request of the connection is being answered."""
        self._idle.pop(client, None)
        self._unfinished.pop(client, None)

    def may_be_proxy(self, host: str | None) -> bool:
        """Whether a forwarded header from there lifts the limit: from a loopback or private address that is counted.

        From any other address an attacker's own header would lift their limit.
        """
        return host is not None and self._is_counted(host) and _is_in(host, _PRIVATE)

    def lift_limit(self, client: Client) -> None:
        """Stop counting a proxy's connections although it is not listed: its clients would count as one address."""
        host = client.host or ""
        if host in self._proxies or len(self._proxies) >= _REMEMBERED_PROXIES:
            return
        self._proxies.add(host)
        _log.warning(
            "A proxy forwards requests and is not listed in MAGICLINK_TRUSTED_PROXIES: its connections are not "
            "limited, and the client addresses that it forwards are ignored.",
            extra={"client": host},
        )

    def _count(self, client: Client, now: float) -> None:
        host, most = client.host, self.limits.per_address
        if host is None or most is None or not self._is_counted(host):
            return
        address = _group(host)
        mine = self._open.get(address, {})
        if len(mine) >= most and not self._close_one(one for one in mine if one in self._idle):
            text = "An address has as many connections as MAGICLINK_CONNECTIONS_PER_ADDRESS allows: more are refused."
            self._report("address", text, now, client=host)
            raise Refused(429)
        self._open.setdefault(address, {})[client] = None  # the one that was closed may have been its only one

    def _close_one(self, candidates: "Iterator[Client] | dict[Client, None]") -> bool:
        found = next(iter(candidates), None)
        if found is None:
            return False
        self.remove(found)
        found.close_idle()
        return True

    def _is_counted(self, host: str) -> bool:
        if self.limits.per_address is None or host in self._proxies:
            return False
        return not _is_in(host, self._trusted)

    def _report(self, kind: str, text: str, now: float, **extra: str) -> None:
        # One line for thousands of refusals: a flood must not fill the disk as well.
        if now - self._reported.get(kind, -_REPORT_SECONDS) >= _REPORT_SECONDS:
            self._reported[kind] = now
            _log.warning(text, extra=extra)


def handle_limit() -> int:
    """How many file handles this process may have open, 65,536 at most."""
    soft = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    return _MOST_HANDLES if soft == resource.RLIM_INFINITY else min(soft, _MOST_HANDLES)


def _is_in(host: str, networks: Sequence[IPv4Network | IPv6Network]) -> bool:
    address = _address(host)
    return any(address in network for network in networks)


def _group(host: str) -> str:
    """The address that is counted: of IPv6 the /64, since every home has that many addresses."""
    address = _address(host)
    if isinstance(address, IPv4Address):
        return str(address)
    return str(IPv6Network((int(address) >> 64 << 64, 64)))


def _address(host: str) -> IPv4Address | IPv6Address:
    # A socket of IPv6 that also takes IPv4 shows its clients as ::ffff:192.0.2.1.
    address = ip_address(host)
    return (address.ipv4_mapped if isinstance(address, IPv6Address) else None) or address

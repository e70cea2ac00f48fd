"""The guard of addresses that hosts give: a delivery must not reach the operator's own networks (SSRF).

A name is resolved, each of its addresses is checked, and the connection goes to an address that was checked: a name
that answers differently a moment later (rebinding) changes nothing.
"""

import asyncio
import socket
import threading
from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import Future
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from queue import SimpleQueue

Address = IPv4Address | IPv6Address
Resolve = Callable[[str, int], Awaitable[Sequence[str]]]

# Networks that must not be reached although `is_global` is true for them, at least in older versions of Python.
# Reference: IANA special-purpose address registries, for IPv4 and for IPv6.
_NEVER = tuple(
    ip_network(text)
    for text in (
        "100.64.0.0/10",  # carriers' NAT: some clouds have their metadata there
        "168.63.129.16/32",  # Azure's platform address
        "192.0.0.0/24",
        "192.88.99.0/24",  # relays of 6to4
        "198.18.0.0/15",
        "240.0.0.0/4",
        "2001::/23",  # protocol assignments, among them the tunnel Teredo, which leads to IPv4 addresses
        "2001:db8::/32",  # documentation
        "2002::/16",  # the tunnel 6to4, which leads to IPv4 addresses
        "3fff::/20",  # documentation
    )
)
# All that is assigned for the public internet. Outside of it are site-local addresses, segment routing, and IPv4
# addresses in forms that a translator reads (NAT64, SIIT); Python counts some of them, and unassigned ones, as global.
# Reference: IANA, IPv6 address space; RFC 4291, section 2.4.
_PUBLIC_IPV6 = ip_network("2000::/3")
_RESOLVERS = 32
_Lookup = tuple[str, int, "Future[list[str]]"]


class BlockedAddress(Exception):
    """The name leads to an address that must not be reached from here."""


class UnknownName(Exception):
    """The name has no address."""


class AddressGuard:
    """`networks` are those that the operator allows although they are not public."""

    def __init__(self, resolve: Resolve, networks: Sequence[str]) -> None:
        self._resolve = resolve
        self._networks = tuple(ip_network(text) for text in networks)

    async def addresses(self, host: str, port: int, *, encrypted: bool = True) -> Sequence[str]:
        """Return the addresses to which a connection may be opened. Raises BlockedAddress, UnknownName.

        Without encryption only the operator's listed networks may be reached. One blocked address blocks the name:
        otherwise an attacker's name with a public and a private address would reach the private one whenever the public
        one does not answer.
        """
        found = await self._resolve(host, port)
        if not found:
            raise UnknownName(host)
        if not all(self.is_listed(text) or (encrypted and is_public(text)) for text in found):
            raise BlockedAddress(host)
        return found

    def is_listed(self, text: str) -> bool:
        """Whether the operator allows this address by its network."""
        address = _parsed(text)
        return address is not None and any(address in network for network in self._networks)

    @property
    def lists_networks(self) -> bool:
        """Whether the operator allows any network that is not public."""
        return bool(self._networks)


def is_public(text: str) -> bool:
    """Whether the address is one of the public internet, where nothing of the operator is trusted by its address."""
    address = _parsed(text)
    if address is None or address.is_multicast or not address.is_global:
        return False
    if isinstance(address, IPv6Address) and address not in _PUBLIC_IPV6:
        return False
    return not any(address in network for network in _NEVER)


def _parsed(text: str) -> Address | None:
    try:
        address = ip_address(text.partition("%")[0])
    except ValueError:
        return None
    # ::ffff:10.0.0.1 reaches 10.0.0.1.
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return mapped or address


def system_resolver(threads: int) -> Resolve:
    """Return a function that asks the system's resolver for a name's addresses; it returns none where there are none.

    It has its own threads, so that a name server that does not answer does not block the process's other threads.
    """
    resolvers = _Resolvers(threads)

    async def resolve(host: str, port: int) -> Sequence[str]:
        return await asyncio.wrap_future(resolvers.look_up(host, port))

    return resolve


class _Resolvers:
    """Up to `most` threads that look names up; each starts when no other is free.

    They are daemons: Python waits for the threads of a ThreadPoolExecutor before a process ends, and a lookup cannot be
    cut off. A name server that does not answer would keep a process that is to stop for half a minute and longer.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._started = 0
        self._waiting = threading.Semaphore(0)  # threads that wait for a name
        self._queue: SimpleQueue[_Lookup] = SimpleQueue()

    def look_up(self, host: str, port: int) -> "Future[list[str]]":
        """Return the future addresses of a name; it waits where all threads are at other names."""
        found = Future[list[str]]()
        self._queue.put((host, port, found))
        if not self._waiting.acquire(blocking=False) and self._started < self._most:
            self._started += 1
            threading.Thread(target=self._run, name="resolve", daemon=True).start()
        return found

    def _run(self) -> None:
        while True:
            host, port, found = self._queue.get()
            # False: who wanted it was cancelled before its turn came.
            if found.set_running_or_notify_cancel():
                found.set_result(_addresses_of(host, port))
            self._waiting.release()


def _addresses_of(host: str, port: int) -> list[str]:
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        return []
    return [str(entry[4][0]) for entry in found]


resolve = system_resolver(_RESOLVERS)
"""Lookups of names that hosts give: a name server that does not answer must not hold up the lookups of other names."""

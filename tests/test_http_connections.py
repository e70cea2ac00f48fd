"""Connections that are kept: used again while they are open, closed when idle for long, and never searched through."""

import asyncio
import ssl
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpcore
import pytest

from service.http_connections import TRUSTED, KeptConnections, TrustedCertificates
from tests.support.clock import Clock
from tests.support.tls_objects import TlsObjects

ANSWER = b"HTTP/1.1 204 No Content\r\n\r\n"
IDLE_SECONDS = 4.0


class Stream(httpcore.AsyncMockStream):
    """Answers each request alike; `network` counts what is asked of its sockets."""

    def __init__(self, network: "Network", host: str) -> None:
        super().__init__([network.answer] * 10)
        self._network = network
        self._host = host

    def get_extra_info(self, info: str) -> Any:
        if info == "is_readable":
            self._network.looked.append(self._host)
            return self._host in self._network.closed_by_receiver
        if info == "ssl_object":
            return self._network.tls
        return super().get_extra_info(info)

    async def aclose(self) -> None:
        self._network.closed.append(self._host)
        await super().aclose()


class Network(httpcore.AsyncMockBackend):
    def __init__(self) -> None:
        super().__init__([])
        self.answer = ANSWER
        self.tls: ssl.SSLObject | None = None
        self.opened: list[str] = []
        self.closed: list[str] = []
        self.looked: list[str] = []
        self.closed_by_receiver: set[str] = set()
        self.refusing: set[str] = set()

    async def connect_tcp(self, host: str, *_args: Any, **_named: Any) -> httpcore.AsyncNetworkStream:
        if host in self.refusing:
            raise httpcore.ConnectError("refused")
        self.opened.append(host)
        return Stream(self, host)


@pytest.fixture
def network() -> Network:
    return Network()


@pytest.fixture
def connections(network: Network, clock: Clock) -> KeptConnections:
    return KeptConnections(network, IDLE_SECONDS, clock.now)


@pytest.fixture
def clock() -> Clock:
    return Clock()


async def post(connections: KeptConnections, host: str = "a.example.com") -> None:
    request = httpcore.Request(
        "POST", f"http://{host}/", headers=[("host", host), ("content-length", "2")], content=b"{}"
    )
    async with connections.stream(request) as response:
        assert response.status == 204
        await response.aread()


async def test_a_connection_that_the_receiver_closed_is_not_used_again(
    network: Network, connections: KeptConnections
) -> None:
    await post(connections)
    network.closed_by_receiver.add("a.example.com")
    await post(connections)
    assert (len(network.opened), len(network.closed)) == (2, 1)


async def test_one_whose_answer_was_not_read_to_its_end_is_closed(
    network: Network, connections: KeptConnections
) -> None:
    request = httpcore.Request("POST", "http://a.example.com/", headers=[("host", "a"), ("content-length", "0")])
    with pytest.raises(ZeroDivisionError):
        async with connections.stream(request):
            raise ZeroDivisionError
    assert len(network.closed) == 1
    await post(connections)
    assert len(network.opened) == 2


async def test_one_that_could_not_be_opened_is_not_kept(network: Network, connections: KeptConnections) -> None:
    network.refusing.add("a.example.com")
    with pytest.raises(httpcore.ConnectError):
        await post(connections)
    network.refusing.clear()
    await post(connections)
    await post(connections)
    assert network.opened == ["a.example.com"]


async def test_a_connection_is_used_again_for_its_own_receiver_only(
    network: Network, connections: KeptConnections
) -> None:
    for host in ("a.example.com", "b.example.com", "a.example.com", "b.example.com"):
        await post(connections, host)
    assert network.opened == ["a.example.com", "b.example.com"]


async def test_a_delivery_looks_at_no_connection_but_its_own(network: Network, connections: KeptConnections) -> None:
    for number in range(100):
        await post(connections, f"{number}.example.com")
    network.looked.clear()
    await post(connections, "7.example.com")
    assert set(network.looked) <= {"7.example.com"}
    assert len(network.opened) == 100


async def test_what_is_idle_for_long_is_closed_with_the_next_delivery_to_anybody(
    network: Network, connections: KeptConnections, clock: Clock
) -> None:
    await post(connections, "a.example.com")
    clock.advance(IDLE_SECONDS - 1)
    await post(connections, "b.example.com")
    assert network.closed == []
    clock.advance(2)
    await post(connections, "b.example.com")
    assert network.closed == ["a.example.com"]


async def test_of_many_the_oldest_is_closed_and_all_are_at_the_end(
    network: Network, connections: KeptConnections
) -> None:
    for number in range(257):
        await post(connections, f"{number}.example.com")
    assert network.closed == ["0.example.com"]
    await connections.close()
    assert sorted(network.closed) == sorted(network.opened)


@pytest.mark.parametrize("more", [b"OK", b"\r\n", b"HTTP/1.1 410 Gone\r\nContent-Length: 0\r\n\r\n"])
async def test_what_comes_after_an_answer_is_not_read_as_the_answer_to_the_next_request(
    network: Network, connections: KeptConnections, more: bytes
) -> None:
    network.answer = ANSWER + more
    for _ in range(3):
        await post(connections)
    assert (len(network.opened), len(network.closed)) == (3, 3)


async def test_what_tls_has_received_after_an_answer_is_not_read_as_the_next_one(
    network: Network, connections: KeptConnections, tmp_path: Path
) -> None:
    ends = TlsObjects(tmp_path)
    network.tls = ends.client
    await post(connections)
    await post(connections)
    assert (len(network.opened), len(network.closed)) == (1, 0)
    ends.server.write(b"HTTP/1.1 410 Gone\r\n")
    await post(connections)
    assert (len(network.opened), len(network.closed)) == (1, 1)


@pytest.mark.parametrize("broken", [False, True])
async def test_a_connection_whose_tls_has_ended_is_closed(
    network: Network, connections: KeptConnections, tmp_path: Path, *, broken: bool
) -> None:
    ends = TlsObjects(tmp_path)
    network.tls = ends.client
    if broken:
        ends.to_client.write(b"\x17\x03\x03\x00\x20" + b"x" * 32)
    else:
        with pytest.raises(ssl.SSLWantReadError):
            ends.server.unwrap()
    await post(connections)
    assert len(network.closed) == 1


class Encrypted(httpcore.AsyncMockBackend):
    """Connections whose handshakes succeed, and the settings with which they were made."""

    def __init__(self) -> None:
        super().__init__([])
        self.settings: list[ssl.SSLContext] = []

    async def connect_tcp(self, *_args: Any, **_named: Any) -> httpcore.AsyncNetworkStream:
        return _EncryptedStream(self.settings)


class _EncryptedStream(httpcore.AsyncMockStream):
    def __init__(self, settings: list[ssl.SSLContext]) -> None:
        super().__init__([ANSWER])
        self._settings = settings

    async def start_tls(self, ssl_context: ssl.SSLContext, *_args: Any, **_named: Any) -> httpcore.AsyncNetworkStream:
        self._settings.append(ssl_context)
        return self


def loading(loaded: list[ssl.SSLContext]) -> Callable[[], ssl.SSLContext]:
    def load() -> ssl.SSLContext:
        loaded.append(ssl.create_default_context())
        return loaded[-1]

    return load


async def get(connections: KeptConnections, url: str) -> None:
    async with connections.stream(httpcore.Request("GET", url, headers=[("host", "a.example.com")])) as response:
        await response.aread()


async def test_certificates_are_loaded_once_for_all_connections_and_verify_each_of_them(clock: Clock) -> None:
    loaded: list[ssl.SSLContext] = []
    certificates, network = TrustedCertificates(loading(loaded)), Encrypted()
    both = [KeptConnections(network, IDLE_SECONDS, clock.now, certificates) for _ in range(2)]
    await asyncio.gather(*(get(one, "https://a.example.com/") for one in both * 2))
    assert network.settings == loaded * 4
    assert len(loaded) == 1


async def test_a_connection_without_tls_loads_no_certificates(clock: Clock) -> None:
    loaded: list[ssl.SSLContext] = []
    await get(KeptConnections(Encrypted(), IDLE_SECONDS, clock.now, TrustedCertificates(loading(loaded))), "http://a/")
    assert loaded == []


async def test_certificates_that_could_not_be_loaded_are_loaded_by_the_next_connection() -> None:
    def load() -> ssl.SSLContext:
        if not tries:
            tries.append(1)
            raise OSError("too many open files")
        return ssl.create_default_context()

    tries: list[int] = []
    certificates = TrustedCertificates(load)
    with pytest.raises(OSError, match="too many open files"):
        await certificates.context()
    assert (await certificates.context()).verify_mode is ssl.CERT_REQUIRED


async def test_the_certificates_that_peers_need_are_the_systems_and_those_of_certifi() -> None:
    settings = await TRUSTED.context()
    assert (settings.verify_mode, settings.check_hostname) == (ssl.CERT_REQUIRED, True)
    assert settings.cert_store_stats()["x509_ca"] > 50

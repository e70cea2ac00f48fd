"""Calls to the provider over connections that are kept: used again, and with the exceptions of httpx."""

import ssl
from collections.abc import Callable
from typing import Any

import httpcore
import httpx
import pytest

from service.provider.http import ProviderTransport

URL = "http://provider.example.com/company?page=2"
ANSWER = [b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\n", b"null"]
EXCEPTIONS: list[type[Exception]] = [
    value
    for name in httpcore.__all__
    if isinstance(value := getattr(httpcore, name), type)
    and issubclass(value, Exception)
    and value is not httpcore.ConnectionNotAvailable  # how the parts of httpcore's own pool speak to each other
]


class Stream(httpcore.AsyncMockStream):
    """Raises `error` where it has no more to read."""

    def __init__(self, network: "Network") -> None:
        super().__init__(list(network.parts))
        self._network = network

    async def read(self, *_args: Any, **_named: Any) -> bytes:
        part = await super().read(1024)
        if not part and self._network.error is not None:
            raise self._network.error
        return part

    async def write(self, buffer: bytes, *_args: Any, **_named: Any) -> None:
        self._network.sent += buffer

    def get_extra_info(self, info: str) -> Any:
        return False if info == "is_readable" else super().get_extra_info(info)

    async def aclose(self) -> None:
        self._network.closed += 1


class Network(httpcore.AsyncMockBackend):
    def __init__(self) -> None:
        super().__init__([])
        self.parts = ANSWER * 3
        self.refusal: Exception | None = None
        self.error: Exception | None = None
        self.sent = b""
        self.opened = self.closed = 0

    async def connect_tcp(self, *_args: Any, **_named: Any) -> httpcore.AsyncNetworkStream:
        if self.refusal is not None:
            raise self.refusal
        self.opened += 1
        return Stream(self)


@pytest.fixture
def network() -> Network:
    return Network()


@pytest.fixture
def client(network: Network) -> Callable[[], httpx.AsyncClient]:
    return lambda: httpx.AsyncClient(transport=ProviderTransport(lambda: 1.0, network))


async def test_calls_one_after_the_other_use_one_connection(
    network: Network, client: Callable[[], httpx.AsyncClient]
) -> None:
    async with client() as http:
        answers = [await http.get(URL) for _ in range(3)]
        assert (network.opened, network.closed) == (1, 0)
    assert [answer.json() for answer in answers] == [None] * 3
    assert network.sent.count(b"GET /company?page=2 HTTP/1.1\r\nHost: provider.example.com\r\n") == 3
    assert network.closed == 1


async def test_an_answer_that_was_not_read_to_its_end_closes_its_connection(
    network: Network, client: Callable[[], httpx.AsyncClient]
) -> None:
    async with client() as http:
        async with http.stream("GET", URL) as answer:
            assert answer.status_code == 200
        assert (network.opened, network.closed) == (1, 1)
        await http.get(URL)
        assert network.opened == 2


def test_httpx_has_every_exception_of_httpcore_under_the_same_name() -> None:
    assert len(EXCEPTIONS) > 12
    assert {kind.__name__ for kind in EXCEPTIONS if not hasattr(httpx, kind.__name__)} == set()


@pytest.mark.parametrize("kind", EXCEPTIONS)
async def test_what_fails_before_an_answer_and_within_one_is_an_exception_of_httpx(
    network: Network, client: Callable[[], httpx.AsyncClient], kind: type[Exception]
) -> None:
    expected = getattr(httpx, kind.__name__)
    async with client() as http:
        network.refusal = kind("x")
        with pytest.raises(expected) as caught:
            await http.get(URL)
        assert type(caught.value) is expected
        network.refusal, network.parts, network.error = None, ANSWER[:1], kind("x")
        with pytest.raises(expected) as caught:
            await http.get(URL)
        assert type(caught.value) is expected
    assert network.closed == network.opened == 1


@pytest.mark.parametrize("received", [0, 1])
async def test_a_broken_tls_record_is_an_exception_of_httpx(
    network: Network, client: Callable[[], httpx.AsyncClient], received: int
) -> None:
    network.parts, network.error = ANSWER[:received], ssl.SSLError(1, "bad record mac")
    async with client() as http:
        with pytest.raises(httpx.ReadError, match="bad record mac"):
            await http.get(URL)
    assert network.closed == network.opened == 1

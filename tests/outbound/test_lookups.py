"""Lookups of hosts' names: those whose name server does not answer hold up no other name."""

import asyncio
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from time import monotonic  # noqa: TID251 - real threads need a real clock
from typing import Any

import pytest

from service.background import deliveries
from service.domain.deliveries import AttemptError
from service.domain.timing import DELIVERY_SECONDS
from service.outbound import lookups, network
from service.outbound.addresses import system_resolver
from service.outbound.lookups import SharedLookups
from service.outbound.network import WebhookNetwork
from tests.support.clock import Clock
from tests.support.patience import PATIENCE_SECONDS
from tests.support.receivers import PUBLIC, URL, Receivers

NAME, FAILED_SECONDS = "hooks.example.com", 30


class NameServer:
    """Answers a name once the test lets it; `asked` are the names in the order of the lookups."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.answer: Sequence[str] = (PUBLIC,)
        self.gate = asyncio.Event()

    async def resolve(self, host: str, _port: int) -> Sequence[str]:
        self.asked.append(host)
        await self.gate.wait()
        return self.answer


@pytest.fixture
async def server() -> NameServer:
    return NameServer()


@pytest.fixture
def names(server: NameServer, clock: Clock) -> SharedLookups:
    return SharedLookups(server.resolve, clock.now)


async def under_way(server: NameServer) -> None:
    while not server.asked:  # noqa: ASYNC110 - a moment
        await asyncio.sleep(0)


async def test_calls_for_one_name_share_one_lookup_whatever_their_port_and_spelling(
    server: NameServer, names: SharedLookups
) -> None:
    asking = [asyncio.create_task(names.resolve(*one)) for one in ((NAME, 443), (NAME, 8443), (NAME.upper(), 443))]
    await under_way(server)
    server.gate.set()
    assert await asyncio.gather(*asking) == [(PUBLIC,)] * 3
    assert server.asked == [NAME]
    await names.resolve(NAME, 443)
    assert server.asked == [NAME] * 2  # what was found is looked up anew


async def test_other_names_are_looked_up_meanwhile(server: NameServer, names: SharedLookups) -> None:
    asking = [asyncio.create_task(names.resolve(name, 443)) for name in ("a.example.com", "b.example.com")]
    await under_way(server)
    server.gate.set()
    await asyncio.gather(*asking)
    assert server.asked == ["a.example.com", "b.example.com"]


async def test_a_caller_that_gives_up_ends_no_other_callers_lookup(server: NameServer, names: SharedLookups) -> None:
    first, second = (asyncio.create_task(names.resolve(NAME, 443)) for _ in range(2))
    await under_way(server)
    first.cancel()
    await asyncio.gather(first, return_exceptions=True)
    server.gate.set()
    assert await second == (PUBLIC,)
    assert server.asked == [NAME]


async def test_a_name_that_was_not_found_is_looked_up_again_after_half_a_minute(
    server: NameServer, names: SharedLookups, clock: Clock
) -> None:
    server.gate.set()
    server.answer = ()
    assert not await names.resolve(NAME, 443)
    server.answer = (PUBLIC,)
    clock.advance(FAILED_SECONDS - 1)
    assert not await names.resolve(NAME, 443)
    assert server.asked == [NAME]
    clock.advance(1)
    assert await names.resolve(NAME, 443) == (PUBLIC,)


async def test_a_name_whose_server_does_not_answer_fails_at_once_and_has_one_lookup(
    server: NameServer, names: SharedLookups, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lookups, "_LOOKUP_SECONDS", 0.01)
    assert not await names.resolve(NAME, 443)
    monkeypatch.setattr(lookups, "_LOOKUP_SECONDS", 60.0)
    async with asyncio.timeout(PATIENCE_SECONDS):
        assert not await names.resolve(NAME, 443)
    clock.advance(FAILED_SECONDS)
    later = asyncio.create_task(names.resolve(NAME, 443))
    await asyncio.sleep(0)
    server.gate.set()
    assert await later == (PUBLIC,)
    assert server.asked == [NAME]


async def test_a_late_answer_ends_the_failure(
    server: NameServer, names: SharedLookups, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lookups, "_LOOKUP_SECONDS", 0.01)
    assert not await names.resolve(NAME, 443)
    server.gate.set()
    async with asyncio.timeout(PATIENCE_SECONDS):
        while not await names.resolve(NAME, 443):  # noqa: ASYNC110 - a moment
            await asyncio.sleep(0)


async def test_failures_are_forgotten_when_their_time_is_over(
    server: NameServer, names: SharedLookups, clock: Clock
) -> None:
    server.gate.set()
    server.answer = ()
    for number in range(100):
        await names.resolve(f"{number}.example.com", 443)
        clock.advance(1)
    assert len(names._failed_until) == FAILED_SECONDS  # noqa: SLF001 - what it holds is the question


@pytest.fixture
def silent(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """The name server of `*.silent.example` answers nothing until the test is over; what it was asked."""
    over, asked = threading.Event(), list[str]()

    def getaddrinfo(host: str, port: int, **_options: Any) -> list[Any]:
        asked.append(host)
        if host.endswith(".silent.example"):
            over.wait(30)
            raise socket.gaierror
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (PUBLIC, port))]

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    yield asked
    over.set()


async def test_deliveries_to_one_name_have_one_lookup_under_way(silent: list[str]) -> None:
    _, sender = WebhookNetwork(backend=Receivers(), seconds=0.1).open((), monotonic)
    posts = (sender.post(f"https://a.silent.example/{number}", {}, b"{}") for number in range(40))
    assert {answer.error for answer in await asyncio.gather(*posts)} == {AttemptError.TIMEOUT}
    await sender.post("https://a.silent.example/later", {}, b"{}")
    assert silent == ["a.silent.example"]


@pytest.mark.usefixtures("silent")
async def test_the_names_of_one_tenants_endpoints_hold_up_no_delivery_when_no_server_answers() -> None:
    _, sender = WebhookNetwork(backend=Receivers(), seconds=5.0).open((), monotonic)
    held = [asyncio.create_task(sender.post(f"https://a{n}.silent.example/x", {}, b"{}")) for n in range(100)]
    await asyncio.sleep(0.05)
    answer = await sender.post(URL, {}, b"{}")
    for one in held:
        one.cancel()
    await asyncio.gather(*held, return_exceptions=True)
    assert answer.status == 204


@pytest.mark.usefixtures("silent")
async def test_addresses_that_hosts_give_in_many_calls_hold_up_no_delivery() -> None:
    guard, sender = WebhookNetwork(backend=Receivers(), seconds=5.0).open((), monotonic)
    checks = [asyncio.create_task(guard.addresses(f"a{number}.silent.example", 443)) for number in range(300)]
    await asyncio.sleep(0.05)
    answer = await sender.post(URL, {}, b"{}")
    for one in checks:
        one.cancel()
    await asyncio.gather(*checks, return_exceptions=True)
    assert answer.status == 204


_SILENT_PROCESS = """
import asyncio, socket, threading, time
from service.outbound.network import WebhookNetwork
socket.getaddrinfo = lambda *_args, **_options: threading.Event().wait(600)

async def main():
    _, sender = WebhookNetwork(seconds=0.1).open((), time.monotonic)
    print((await sender.post("https://a.silent.example/x", {}, b"{}")).error)

asyncio.run(main())
"""


def test_a_process_ends_although_a_name_server_does_not_answer() -> None:
    process = [sys.executable, "-c", _SILENT_PROCESS]
    ended = subprocess.run(process, check=True, capture_output=True, text=True, timeout=PATIENCE_SECONDS)
    assert ended.stdout == "timed_out\n"


async def test_a_thread_is_used_again_and_no_more_than_allowed_are_started(monkeypatch: pytest.MonkeyPatch) -> None:
    started, gate, asked = set[int](), threading.Event(), list[str]()

    def getaddrinfo(host: str, port: int, **_options: Any) -> list[Any]:
        started.add(threading.get_ident())
        asked.append(host)
        gate.wait(PATIENCE_SECONDS)
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (PUBLIC, port))]

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    resolve = system_resolver(2)
    asking = [asyncio.ensure_future(resolve(f"{number}.example.com", 443)) for number in range(6)]
    async with asyncio.timeout(PATIENCE_SECONDS):
        while len(asked) < 2:  # noqa: ASYNC110 - real threads
            await asyncio.sleep(0.01)
    asking[5].cancel()
    await asyncio.gather(asking[5], return_exceptions=True)
    gate.set()
    assert await asyncio.gather(*asking[:5]) == [[PUBLIC]] * 5
    assert await resolve("last.example.com", 443) == [PUBLIC]
    assert (len(started), "5.example.com" in asked) == (2, False)


def test_each_turn_may_look_up_a_name_and_the_lookup_ends_before_the_attempt() -> None:
    assert network._RESOLVERS >= deliveries._TURNS  # noqa: SLF001
    assert lookups._LOOKUP_SECONDS < DELIVERY_SECONDS  # noqa: SLF001

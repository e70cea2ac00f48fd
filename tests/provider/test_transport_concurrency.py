"""Calls wait for their turn, and one whose intent is too old is not made any more."""

import asyncio
from time import monotonic  # noqa: TID251 - real sockets need a real clock

import httpx
import pytest

from service.errors import ProviderBusy, ProviderTimeout
from service.provider import CallLimits, ProviderAccount
from service.provider.http import ProviderTransport
from service.provider.transport import Answer, Call, Transport
from tests.support.fake_provider import BASE_URL, KEY, PAGES_URL, FakeProvider, answer
from tests.support.silent_peer import silent_peer

GET = Call("GET", "/ping")
CREATE = Call("POST", "/company", body={"name": "Acme"}, creates=True)


async def test_at_most_ten_calls_are_under_way_at_once() -> None:
    gate, under_way, most = asyncio.Event(), 0, 0

    async def handle(_: httpx.Request) -> httpx.Response:
        nonlocal under_way, most
        under_way += 1
        most = max(most, under_way)
        if under_way == 10:
            gate.set()
        await gate.wait()
        under_way -= 1
        return answer({})

    http = httpx.AsyncClient(transport=httpx.MockTransport(handle))
    limited = Transport(http, ProviderAccount(BASE_URL, PAGES_URL, KEY), FakeProvider().limits())
    await asyncio.gather(*(limited.send(GET) for _ in range(30)))
    assert most == 10


class Crowded:
    """A transport for one call at a time, on which one is under way until the gate opens; `sent` is what has left."""

    def __init__(self) -> None:
        self.fake = FakeProvider()
        self.gate = asyncio.Event()
        self.sent: list[str] = []
        self._first_is_in = asyncio.Event()
        http = httpx.AsyncClient(transport=httpx.MockTransport(self._handle))
        self.transport = Transport(http, ProviderAccount(BASE_URL, PAGES_URL, KEY), self.fake.limits(concurrency=1))

    async def hold(self) -> asyncio.Task[Answer]:
        holder = asyncio.create_task(self.transport.send(GET))
        await self._first_is_in.wait()
        return holder

    async def _handle(self, request: httpx.Request) -> httpx.Response:
        self.sent.append(request.method)
        self._first_is_in.set()
        await self.gate.wait()
        return answer({})


async def test_a_call_that_never_gets_its_turn_was_certainly_not_received() -> None:
    crowded = Crowded()
    holder = await crowded.hold()
    with pytest.raises(ProviderBusy) as caught:
        await crowded.transport.send(CREATE, deadline=crowded.fake.now)
    crowded.gate.set()
    await holder
    assert (crowded.sent, caught.value.lost) == (["GET"], False)


async def test_a_process_that_stood_still_before_its_call_left_does_not_make_it() -> None:
    fake = FakeProvider([answer({})])
    late = Transport(fake.http(), ProviderAccount(BASE_URL, PAGES_URL, KEY), fake.limits())
    deadline = late.call_deadline()
    fake.now += 25.0
    with pytest.raises(ProviderTimeout) as caught:
        await late.send(CREATE, deadline)
    assert (fake.requests, caught.value.lost) == ([], False)


async def test_nor_does_one_that_stood_still_while_it_waited_for_its_turn() -> None:
    crowded = Crowded()
    holder = await crowded.hold()
    waiting = asyncio.create_task(crowded.transport.send(CREATE, crowded.transport.call_deadline()))
    await asyncio.sleep(0)
    crowded.fake.now += 25.0
    crowded.gate.set()
    await holder
    with pytest.raises(ProviderTimeout) as caught:
        await waiting
    assert (crowded.sent, caught.value.lost) == (["GET"], False)


async def test_a_provider_that_never_completes_the_handshake_keeps_no_connection() -> None:
    async with silent_peer() as peer, httpx.AsyncClient(transport=ProviderTransport(monotonic)) as http:
        account = ProviderAccount(f"https://127.0.0.1:{peer.port}/v2.2", PAGES_URL, KEY, "company")
        late = Transport(http, account, CallLimits(monotonic, attempt_seconds=0.3, call_seconds=0.3))
        answers = await asyncio.gather(*(late.send(GET) for _ in range(10)), return_exceptions=True)
        await peer.all_closed()
    assert {type(answer) for answer in answers} == {ProviderTimeout}
    assert peer.accepted == 10

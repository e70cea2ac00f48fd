"""Calls wait for their turn, and one that was noted too long ago is not made any more."""

import asyncio

import httpx
import pytest

from service.errors import ProviderBusy, ProviderTimeout
from service.provider.wire import Account, Call, Wire
from tests.unit.provider.double import BASE_URL, KEY, PAGES_URL, Double, answer

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
    limited = Wire(http, Account(BASE_URL, PAGES_URL, KEY), Double().pace())
    await asyncio.gather(*(limited.ask(GET) for _ in range(30)))
    assert most == 10


async def test_a_call_that_never_gets_its_turn_was_certainly_not_received() -> None:
    first_is_in, gate = asyncio.Event(), asyncio.Event()

    async def handle(_: httpx.Request) -> httpx.Response:
        first_is_in.set()
        await gate.wait()
        return answer({})

    double = Double()
    http = httpx.AsyncClient(transport=httpx.MockTransport(handle))
    crowded = Wire(http, Account(BASE_URL, PAGES_URL, KEY), double.pace(concurrency=1))
    holder = asyncio.create_task(crowded.ask(GET))
    await first_is_in.wait()
    with pytest.raises(ProviderBusy) as caught:
        await crowded.ask(CREATE, deadline=double.now)
    gate.set()
    await holder
    assert not caught.value.lost


async def test_a_process_that_stood_still_before_its_call_left_does_not_make_it() -> None:
    double = Double([answer({})])
    late = Wire(double.http(), Account(BASE_URL, PAGES_URL, KEY), double.pace())
    deadline = late.call_deadline()
    double.now += 25.0
    with pytest.raises(ProviderTimeout) as caught:
        await late.ask(CREATE, deadline)
    assert (double.requests, caught.value.lost) == ([], False)


async def test_nor_does_one_that_stood_still_while_it_waited_for_its_turn() -> None:
    first_is_in, gate = asyncio.Event(), asyncio.Event()
    sent: list[str] = []

    async def handle(request: httpx.Request) -> httpx.Response:
        sent.append(request.method)
        first_is_in.set()
        await gate.wait()
        return answer({})

    double = Double()
    http = httpx.AsyncClient(transport=httpx.MockTransport(handle))
    crowded = Wire(http, Account(BASE_URL, PAGES_URL, KEY), double.pace(concurrency=1))
    holder = asyncio.create_task(crowded.ask(GET))
    await first_is_in.wait()
    waiting = asyncio.create_task(crowded.ask(CREATE, crowded.call_deadline()))
    await asyncio.sleep(0)
    double.now += 25.0
    gate.set()
    await holder
    with pytest.raises(ProviderTimeout) as caught:
        await waiting
    assert (sent, caught.value.lost) == (["GET"], False)

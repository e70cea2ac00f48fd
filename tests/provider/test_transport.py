"""One call: limits, repeats, the two path generations, and what each failure means."""

import asyncio
from collections.abc import AsyncIterator

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.errors import (
    ProviderBroken,
    ProviderBusy,
    ProviderFailure,
    ProviderNotFound,
    ProviderRefused,
    ProviderTimeout,
    ProviderUnauthorized,
    ProviderUnreachable,
)
from service.provider.transport import LARGEST_ANSWER_BYTES, Call, CallLimits, ProviderAccount, Transport, segment
from tests.support.provider_double import BASE_URL, DATE_AT, KEY, PAGES_URL, ProviderDouble, Reply, answer

GET = Call("GET", "/ping")
CREATE = Call("POST", "/company", body={"name": "Acme"}, creates=True)
BOTH = Call("GET", "/company/c1/connection", "/connection/company/c1")


def wire(double: ProviderDouble, **pace: float) -> Transport:
    return Transport(double.http(), ProviderAccount(BASE_URL, PAGES_URL, KEY), double.pace(**pace))


async def failure(double: ProviderDouble, call: Call, **pace: float) -> ProviderFailure:
    with pytest.raises(ProviderFailure) as caught:
        await wire(double, **pace).send(call)
    return caught.value


async def test_a_call_carries_the_key_and_answers_body_and_date() -> None:
    double = ProviderDouble([answer({"version": "2.2"})])
    told = await wire(double).send(Call("GET", "/company", query={"page": 2}))
    assert (told.body, told.provider_at) == ({"version": "2.2"}, DATE_AT)
    assert str(double.requests[0].url) == f"{BASE_URL}/company?page=2"
    assert double.requests[0].headers["x-api-key"] == KEY


async def test_every_call_is_told_with_its_outcome_and_time() -> None:
    told: list[tuple[str, float]] = []
    double = ProviderDouble([answer({}, 429, retry_after="2"), answer({}), answer({}, 404)])
    observed = Transport(
        double.http(),
        ProviderAccount(BASE_URL, PAGES_URL, KEY),
        double.pace(observe=lambda outcome, seconds: told.append((outcome, seconds))),
    )
    await observed.send(GET)
    with pytest.raises(ProviderNotFound):
        await observed.send(GET)
    assert told == [("ok", pytest.approx(sum(double.slept))), ("ProviderNotFound", 0.0)]


async def test_an_answer_without_a_body_is_none() -> None:
    assert (await wire(ProviderDouble([answer(b"", 204)])).send(GET)).body is None


@pytest.mark.parametrize("status", [301, 302, 307])
async def test_a_redirect_is_not_followed_so_that_the_key_stays_home(status: int) -> None:
    double = ProviderDouble([answer({}, status, location="https://evil.example/")])
    assert type(await failure(double, GET)) is ProviderBroken
    assert {request.url.host for request in double.requests} == {"api.example.com"}


@pytest.mark.parametrize(
    ("status", "error"),
    [
        (400, ProviderRefused),
        (401, ProviderUnauthorized),
        (403, ProviderUnauthorized),
        (404, ProviderNotFound),
        (405, ProviderNotFound),
        (409, ProviderRefused),
        (422, ProviderRefused),
    ],
)
async def test_a_refusal_is_not_repeated(status: int, error: type[ProviderFailure]) -> None:
    double = ProviderDouble([answer({"detail": "No."}, status)])
    refused = await failure(double, CREATE)
    assert type(refused) is error
    assert not refused.lost
    assert len(double.requests) == 1


@pytest.mark.parametrize(
    ("reply", "error"),
    [
        (answer({}, 500), ProviderBroken),
        (answer({}, 503), ProviderBroken),
        (answer({}, 408), ProviderBroken),
        (answer(b"<html>"), ProviderBroken),
        (answer(b"[NaN]"), ProviderBroken),
        (answer(b"[" * 100_000), ProviderBroken),
        (answer(b"\xff"), ProviderBroken),
        (httpx.ReadError("cut"), ProviderBroken),
        (httpx.RemoteProtocolError("cut"), ProviderBroken),
        (httpx.StreamClosed(), ProviderBroken),
        (httpx.ReadTimeout("slow"), ProviderTimeout),
        (httpx.ConnectError("refused"), ProviderUnreachable),
        (httpx.ConnectTimeout("slow"), ProviderUnreachable),
        (httpx.PoolTimeout("full"), ProviderUnreachable),
        (answer({}, 429), ProviderBusy),
    ],
)
async def test_a_failing_read_is_repeated_five_times_with_growing_pauses(reply: Reply, error: type[Exception]) -> None:
    double = ProviderDouble([reply])
    failed = await failure(double, GET)
    assert type(failed) is error
    assert not failed.lost
    assert len(double.requests) == 5
    assert all(0.25 * 2**n <= pause <= 0.5 * 2**n for n, pause in enumerate(double.slept))


@pytest.mark.parametrize(
    "reply",
    [
        answer({}, 500),
        answer({}, 503),
        answer({}, 302),
        answer(b"<html>"),
        httpx.ReadError("cut"),
        httpx.RemoteProtocolError("cut"),
        httpx.ReadTimeout("slow"),
        httpx.WriteTimeout("slow"),
        AttributeError("gone"),
    ],
)
async def test_a_creation_that_may_have_happened_is_lost_and_never_repeated(reply: Reply) -> None:
    double = ProviderDouble([reply])
    assert (await failure(double, CREATE)).lost
    assert len(double.requests) == 1


@pytest.mark.parametrize(
    "reply",
    [
        answer({}, 429),
        answer({}, 503, retry_after="1"),
        httpx.ConnectError("refused"),
        httpx.ConnectTimeout("slow"),
        httpx.PoolTimeout("full"),
    ],
)
async def test_a_creation_that_was_certainly_not_received_is_repeated(reply: Reply) -> None:
    double = ProviderDouble([reply, reply, answer({"id": "c1"}, 201)])
    assert (await wire(double).send(CREATE)).body == {"id": "c1"}
    assert len(double.requests) == 3
    assert not (await failure(ProviderDouble([reply]), CREATE)).lost


async def test_retry_after_is_honoured_within_the_budget() -> None:
    double = ProviderDouble([answer({}, 429, retry_after="7"), answer({})])
    await wire(double).send(GET)
    assert 7 < double.slept[0] <= 7.5


async def test_retry_after_beyond_the_budget_fails_at_once() -> None:
    double = ProviderDouble([answer({}, 429, retry_after="3600")])
    assert type(await failure(double, GET)) is ProviderBusy
    assert double.slept == []


async def test_repeats_end_with_the_budget() -> None:
    double = ProviderDouble([answer({}, 500)])
    await failure(double, GET, call_seconds=1.0)
    assert sum(double.slept) < 1.0


async def test_an_answer_that_never_comes_is_a_timeout() -> None:
    async def hang(_: httpx.Request) -> httpx.Response:
        return await asyncio.Future[httpx.Response]()

    http = httpx.AsyncClient(transport=httpx.MockTransport(hang))
    hanging = Transport(http, ProviderAccount(BASE_URL, PAGES_URL, KEY), CallLimits(lambda: 0.0, attempt_seconds=0.01))
    with pytest.raises(ProviderTimeout) as caught:
        await hanging.send(CREATE)
    assert caught.value.lost


class Endless(httpx.AsyncByteStream):
    async def __aiter__(self) -> AsyncIterator[bytes]:
        while True:
            yield b" " * 1024 * 1024


async def test_an_endless_answer_is_cut_off() -> None:
    http = httpx.AsyncClient(transport=httpx.MockTransport(lambda _: httpx.Response(200, stream=Endless())))
    endless = Transport(http, ProviderAccount(BASE_URL, PAGES_URL, KEY), ProviderDouble().pace())
    with pytest.raises(ProviderBroken):
        await endless.send(CREATE)
    assert LARGEST_ANSWER_BYTES == 20 * 1024 * 1024


async def test_an_answer_in_another_encoding_is_no_answer() -> None:
    assert isinstance(await failure(ProviderDouble([answer('{"name": "\x00"}'.encode("utf-16"))]), GET), ProviderBroken)
    told = await wire(ProviderDouble([answer(b"\xef\xbb\xbf{}")])).send(GET)
    assert told.body == {}


async def test_who_is_turned_away_for_longer_than_the_budget_is_told_for_how_long() -> None:
    failed = await failure(ProviderDouble([answer({}, 429, retry_after="90")]), GET)
    assert isinstance(failed, ProviderBusy)
    assert failed.after_seconds == 90


@pytest.mark.parametrize("status", [404, 405])
async def test_the_other_path_generation_is_tried_and_remembered_after_it_answered(status: int) -> None:
    double = ProviderDouble(routes={"GET /connection/company/c1": lambda _: answer([])})
    double.routes["GET /company/c1/connection"] = lambda _: answer({}, status)
    both = wire(double)
    await both.send(BOTH)
    await both.send(BOTH)
    assert double.asked() == [
        "GET /company/c1/connection",
        "GET /connection/company/c1",
        "GET /connection/company/c1",
    ]


async def test_the_generation_can_be_found_back_from_the_reference() -> None:
    double = ProviderDouble(routes={"GET /company/c1/connection": lambda _: answer([])})
    both = Transport(double.http(), ProviderAccount(BASE_URL, PAGES_URL, KEY, "reference"), double.pace())
    await both.send(BOTH)
    await both.send(BOTH)
    assert [path.split()[1][:9] for path in double.asked()] == ["/connecti", "/company/", "/company/"]


async def test_an_id_unknown_in_both_generations_changes_nothing() -> None:
    double = ProviderDouble()
    both = wire(double)
    for _ in range(2):
        with pytest.raises(ProviderNotFound):
            await both.send(BOTH)
    assert double.asked() == ["GET /company/c1/connection", "GET /connection/company/c1"] * 2


async def test_what_the_other_generation_says_is_the_answer_when_it_knows_the_path() -> None:
    double = ProviderDouble(routes={"GET /connection/company/c1": lambda _: answer({"detail": "no such limit"}, 400)})
    assert "no such limit" in str(await failure(double, BOTH))


async def test_the_providers_time_goes_on_by_the_monotonic_clock() -> None:
    double = ProviderDouble([answer({}), answer({}, date="")])
    heard = wire(double)
    assert heard.provider_now() is None
    await heard.send(GET)
    double.now += 30
    await heard.send(GET)
    assert heard.provider_now() == DATE_AT + 30


@pytest.mark.parametrize("identifier", ["", "..", "a/b", "a?b", "a%2e", "x" * 101, "a\n"])
def test_an_id_that_could_mean_another_path_is_unknown(identifier: str) -> None:
    with pytest.raises(ProviderNotFound):
        segment(identifier)


@given(st.binary(max_size=60), st.integers(200, 599), st.sampled_from(["date", "retry-after"]), st.text(max_size=30))
async def test_whatever_comes_back_is_an_answer_or_a_provider_failure(
    body: bytes, status: int, header: str, value: str
) -> None:
    reply = httpx.Response(status, headers={header.encode(): value.encode()}, content=body)
    try:
        await wire(ProviderDouble([reply])).send(CREATE)
    except ProviderFailure as exc:
        assert str(exc)  # noqa: PT017 - an answer is as good as a failure here

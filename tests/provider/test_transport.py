"""One call: limits, repeats, the two path generations, and what each failure means."""

import asyncio
import gzip
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
from service.provider import CallLimits, ProviderAccount
from service.provider.account import ProviderMethodRefused
from service.provider.transport import LARGEST_ANSWER_BYTES, Call, Transport, segment
from tests.support.fake_provider import BASE_URL, DATE_AT, KEY, PAGES_URL, FakeProvider, Reply, answer

GET = Call("GET", "/ping")
CREATE = Call("POST", "/company", body={"name": "Acme"}, creates=True)
BOTH = Call("GET", "/company/c1/connection", "/connection/company/c1")


def transport(fake: FakeProvider, **limits: float) -> Transport:
    return Transport(fake.http(), ProviderAccount(BASE_URL, PAGES_URL, KEY, "company"), fake.limits(**limits))


async def failure(fake: FakeProvider, call: Call, **limits: float) -> ProviderFailure:
    with pytest.raises(ProviderFailure) as caught:
        await transport(fake, **limits).send(call)
    return caught.value


async def test_a_call_carries_the_key_and_answers_body_and_date() -> None:
    fake = FakeProvider([answer({"version": "2.2"})])
    reported = await transport(fake).send(Call("GET", "/company", query={"page": 2}))
    assert (reported.body, reported.provider_at) == ({"version": "2.2"}, DATE_AT)
    assert str(fake.requests[0].url) == f"{BASE_URL}/company?page=2"
    assert fake.requests[0].headers["x-api-key"] == KEY


async def test_every_call_is_measured_with_its_outcome_and_time() -> None:
    reported: list[tuple[str, float]] = []
    fake = FakeProvider([answer({}, 429, retry_after="2"), answer({}), answer({}, 404)])
    observed = Transport(
        fake.http(),
        ProviderAccount(BASE_URL, PAGES_URL, KEY),
        fake.limits(observe=lambda outcome, seconds: reported.append((outcome, seconds))),
    )
    await observed.send(GET)
    with pytest.raises(ProviderNotFound):
        await observed.send(GET)
    assert reported == [("ok", pytest.approx(sum(fake.slept))), ("not_found", 0.0)]


async def test_an_answer_without_a_body_is_none() -> None:
    assert (await transport(FakeProvider([answer(b"", 204)])).send(GET)).body is None


@pytest.mark.parametrize("status", [301, 302, 307])
async def test_a_redirect_is_not_followed_so_that_the_key_stays_home(status: int) -> None:
    fake = FakeProvider([answer({}, status, location="https://evil.example/")])
    assert type(await failure(fake, GET)) is ProviderBroken
    assert {request.url.host for request in fake.requests} == {"api.example.com"}


@pytest.mark.parametrize(
    ("status", "error"),
    [
        (400, ProviderRefused),
        (401, ProviderUnauthorized),
        (403, ProviderUnauthorized),
        (404, ProviderNotFound),
        (405, ProviderMethodRefused),
        (409, ProviderRefused),
        (422, ProviderRefused),
    ],
)
async def test_a_refusal_is_not_repeated(status: int, error: type[ProviderFailure]) -> None:
    fake = FakeProvider([answer({"detail": "No."}, status)])
    refused = await failure(fake, CREATE)
    assert type(refused) is error
    assert not refused.lost
    assert len(fake.requests) == 1


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
    fake = FakeProvider([reply])
    failed = await failure(fake, GET)
    assert type(failed) is error
    assert not failed.lost
    assert len(fake.requests) == 5
    assert all(0.25 * 2**n <= pause <= 0.5 * 2**n for n, pause in enumerate(fake.slept))


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
    fake = FakeProvider([reply])
    assert (await failure(fake, CREATE)).lost
    assert len(fake.requests) == 1


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
    fake = FakeProvider([reply, reply, answer({"id": "c1"}, 201)])
    assert (await transport(fake).send(CREATE)).body == {"id": "c1"}
    assert len(fake.requests) == 3
    assert not (await failure(FakeProvider([reply]), CREATE)).lost


async def test_retry_after_is_honoured_within_the_budget() -> None:
    fake = FakeProvider([answer({}, 429, retry_after="7"), answer({})])
    await transport(fake).send(GET)
    assert 7 < fake.slept[0] <= 7.5


async def test_retry_after_beyond_the_budget_fails_at_once() -> None:
    fake = FakeProvider([answer({}, 429, retry_after="3600")])
    assert type(await failure(fake, GET)) is ProviderBusy
    assert fake.slept == []


async def test_repeats_end_with_the_budget() -> None:
    fake = FakeProvider([answer({}, 500)])
    await failure(fake, GET, call_seconds=1.0)
    assert sum(fake.slept) < 1.0


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
    endless = Transport(http, ProviderAccount(BASE_URL, PAGES_URL, KEY), FakeProvider().limits())
    with pytest.raises(ProviderBroken):
        await endless.send(CREATE)
    assert LARGEST_ANSWER_BYTES == 20 * 1024 * 1024


@pytest.mark.parametrize("encoding", ["gzip", "gzip, gzip", "GZIP", "br", "unknown"])
async def test_a_compressed_answer_is_refused_before_it_is_read(encoding: str) -> None:
    read = 0

    class Compressed(httpx.AsyncByteStream):
        async def __aiter__(self) -> AsyncIterator[bytes]:
            nonlocal read
            read += 1
            yield gzip.compress(b"{}")

    def reply(request: httpx.Request) -> httpx.Response:
        assert request.headers["accept-encoding"] == "identity"
        return httpx.Response(200, headers={"content-encoding": encoding}, stream=Compressed())

    http = httpx.AsyncClient(transport=httpx.MockTransport(reply))
    sender = Transport(http, ProviderAccount(BASE_URL, PAGES_URL, KEY), FakeProvider().limits())
    with pytest.raises(ProviderBroken) as caught:
        await sender.send(CREATE)
    assert (caught.value.lost, read) == (True, 0)


async def test_an_answer_in_another_encoding_is_no_answer() -> None:
    assert isinstance(await failure(FakeProvider([answer('{"name": "\x00"}'.encode("utf-16"))]), GET), ProviderBroken)
    reported = await transport(FakeProvider([answer(b"\xef\xbb\xbf{}")])).send(GET)
    assert reported.body == {}


async def test_who_is_refused_for_longer_than_the_budget_gets_the_time_to_wait() -> None:
    failed = await failure(FakeProvider([answer({}, 429, retry_after="90")]), GET)
    assert isinstance(failed, ProviderBusy)
    assert failed.after_seconds == 90


@pytest.mark.parametrize("status", [404, 405])
async def test_the_other_path_generation_is_tried_and_remembered_after_it_answered(status: int) -> None:
    fake = FakeProvider(routes={"GET /connection/company/c1": lambda _: answer([])})
    fake.routes["GET /company/c1/connection"] = lambda _: answer({}, status)
    both = transport(fake)
    await both.send(BOTH)
    await both.send(BOTH)
    assert fake.asked() == [
        "GET /company/c1/connection",
        "GET /connection/company/c1",
        "GET /connection/company/c1",
    ]


async def test_the_generation_can_be_found_back_from_the_reference() -> None:
    fake = FakeProvider(routes={"GET /company/c1/connection": lambda _: answer([])})
    both = Transport(fake.http(), ProviderAccount(BASE_URL, PAGES_URL, KEY, "reference"), fake.limits())
    await both.send(BOTH)
    await both.send(BOTH)
    assert [path.split()[1][:9] for path in fake.asked()] == ["/connecti", "/company/", "/company/"]


async def test_an_id_unknown_in_both_generations_changes_nothing() -> None:
    fake = FakeProvider()
    both = transport(fake)
    for _ in range(2):
        with pytest.raises(ProviderNotFound):
            await both.send(BOTH)
    assert fake.asked() == ["GET /company/c1/connection", "GET /connection/company/c1"] * 2


async def test_what_the_other_generation_says_is_the_answer_when_it_knows_the_path() -> None:
    fake = FakeProvider(routes={"GET /connection/company/c1": lambda _: answer({"detail": "no such limit"}, 400)})
    assert "no such limit" in str(await failure(fake, BOTH))


async def test_the_providers_time_goes_on_by_the_monotonic_clock() -> None:
    fake = FakeProvider([answer({}), answer({}, date="")])
    kept = transport(fake)
    assert kept.provider_now() is None
    await kept.send(GET)
    fake.now += 30
    await kept.send(GET)
    assert kept.provider_now() == DATE_AT + 30


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
        await transport(FakeProvider([reply])).send(CREATE)
    except ProviderFailure as exc:
        assert str(exc)  # noqa: PT017 - an answer is as good as a failure here

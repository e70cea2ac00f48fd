"""What the log says of an outage of the provider: why, what to do, once, and when it is over."""

import httpx
import pytest

from service.errors import ProviderFailure
from service.provider import ProviderAccount
from service.provider.transport import Call, Transport
from tests.support.fake_provider import BASE_URL, KEY, PAGES_URL, FakeProvider, Reply, answer

PING = Call("GET", "/ping")
EXPIRED = "[SSL: CERTIFICATE_VERIFY_FAILED] certificate verify failed: certificate has expired (_ssl.c:1016)"


class Caller:
    """Calls a scripted provider again and again."""

    def __init__(self) -> None:
        self.fake = FakeProvider()
        account = ProviderAccount(BASE_URL, PAGES_URL, KEY, "company")
        self._transport = Transport(self.fake.http(), account, self.fake.limits())

    async def fails(self, reply: Reply, times: int = 1) -> None:
        self.fake.script = [reply]
        for _ in range(times):
            with pytest.raises(ProviderFailure):
                await self._transport.send(PING)

    async def succeeds(self) -> None:
        self.fake.script = [answer({})]
        await self._transport.send(PING)


@pytest.mark.parametrize(
    ("reply", "says"),
    [
        (httpx.ConnectError(EXPIRED), f"The provider cannot be reached: {EXPIRED} (GET /ping); magiclink doctor"),
        (httpx.ReadTimeout(""), "The provider did not answer in time (GET /ping); magiclink doctor"),
        (answer({}, 502), "The provider failed: it answered 502 (GET /ping); magiclink doctor"),
        (answer({}, 429), "The provider is busy: it answered 429 (GET /ping); magiclink doctor"),
        (answer({}, 401), "our API key for this (GET /ping); check MAGICLINK_PROVIDER_API_KEY"),
    ],
)
async def test_an_outage_is_reported_once_with_its_cause(
    caplog: pytest.LogCaptureFixture, reply: Reply, says: str
) -> None:
    caller = Caller()
    await caller.fails(reply, times=3)
    (line,) = caplog.messages
    assert says in line
    assert KEY not in line
    await caller.succeeds()
    await caller.succeeds()
    assert caplog.messages[1:] == ["calls to the provider succeed again"]


async def test_a_failure_that_comes_and_goes_does_not_fill_the_log(caplog: pytest.LogCaptureFixture) -> None:
    caller = Caller()
    for _ in range(20):
        await caller.fails(answer({}, 401))
        await caller.succeeds()
    assert len(caplog.messages) == 2
    caller.fake.now += 600
    await caller.fails(answer({}, 401))
    assert len(caplog.messages) == 3


async def test_an_outage_that_lasts_is_reported_again(caplog: pytest.LogCaptureFixture) -> None:
    caller = Caller()
    await caller.fails(answer({}, 401))
    caller.fake.now += 600
    await caller.fails(answer({}, 401), times=2)
    assert len(caplog.messages) == 2


async def test_another_cause_has_a_line_of_its_own(caplog: pytest.LogCaptureFixture) -> None:
    caller = Caller()
    await caller.fails(answer({}, 401))
    await caller.fails(httpx.ConnectError("[Errno 111] Connection refused"))
    assert ["Connection refused" in line for line in caplog.messages] == [False, True]


@pytest.mark.parametrize("status", [404, 405, 422])
async def test_a_refusal_of_what_was_asked_is_no_outage(caplog: pytest.LogCaptureFixture, status: int) -> None:
    await Caller().fails(answer({}, status))
    assert caplog.messages == []

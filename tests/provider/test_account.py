"""Two keys during a rotation, and the generation of paths: what a call tries first, and what it remembers."""

import httpx
import pytest

from service.domain.model import ConnectionId
from service.errors import ProviderNotFound, ProviderUnauthorized
from service.provider import Provider, ProviderAccount
from service.provider.transport import Call, Transport
from service.settings import PathGeneration
from tests.support.fake_provider import BASE_URL, KEY, PAGES_URL, FakeProvider, answer

BOTH = Call("GET", "/company/c1/connection", "/connection/company/c1")
PING = Call("GET", "/ping")


def account(**more: object) -> ProviderAccount:
    return ProviderAccount(BASE_URL, PAGES_URL, KEY, **more)  # type: ignore[arg-type]


def keys_of(fake: FakeProvider) -> list[str]:
    return [request.headers["x-api-key"] for request in fake.requests]


def accepting(*keys: str, status: int = 401) -> FakeProvider:
    def ping(request: httpx.Request) -> httpx.Response:
        return answer({}) if request.headers["x-api-key"] in keys else answer({"detail": "no"}, status)

    return FakeProvider(routes={"GET /ping": ping})


async def test_where_no_key_is_accepted_the_operator_must_act() -> None:
    fake = accepting()
    transport = Transport(fake.http(), account(other_keys=("second",)), fake.limits())
    with pytest.raises(ProviderUnauthorized):
        await transport.send(PING)
    assert keys_of(fake) == [KEY, "second"]


@pytest.mark.parametrize("status", [401, 403])
async def test_a_key_that_has_ended_is_followed_by_the_other_and_not_tried_first_again(status: int) -> None:
    fake = accepting("second", status=status)
    transport = Transport(fake.http(), account(other_keys=("second",)), fake.limits())
    await transport.send(PING)
    await transport.send(PING)
    assert keys_of(fake) == [KEY, "second", "second"]


async def test_no_key_is_in_the_repr_or_in_a_refusal() -> None:
    shown = repr(account(other_keys=("second-key",)))
    assert "second-key" not in shown
    assert KEY not in shown
    fake = FakeProvider([answer({"detail": f"{KEY} and second-key are odd"}, 400)])
    transport = Transport(fake.http(), account(other_keys=("second-key",)), fake.limits())
    with pytest.raises(Exception, match="refused") as caught:
        await transport.send(PING)
    assert "second-key" not in str(caught.value)
    assert KEY not in str(caught.value)


async def test_a_404_of_both_generations_is_remembered_by_nobody() -> None:
    served: list[PathGeneration] = []

    async def note(generation: PathGeneration) -> None:
        served.append(generation)

    fake = FakeProvider()
    transport = Transport(fake.http(), account(), fake.limits(served=note))
    with pytest.raises(ProviderNotFound):
        await transport.send(BOTH)
    assert fake.asked() == ["GET /connection/company/c1", "GET /company/c1/connection"]
    assert served == []


@pytest.mark.parametrize("status", [404, 405])
async def test_the_generation_that_answered_is_told_once_and_tried_first(status: int) -> None:
    served: list[PathGeneration] = []

    async def note(generation: PathGeneration) -> None:
        served.append(generation)

    fake = FakeProvider(routes={"GET /company/c1/connection": lambda _: answer([])})
    fake.routes["GET /connection/company/c1"] = lambda _: answer({}, status)
    transport = Transport(fake.http(), account(), fake.limits(served=note))
    await transport.send(BOTH)
    await transport.send(BOTH)
    assert served == ["company"]
    assert len(fake.requests) == 3


@pytest.mark.parametrize(
    ("paths", "first"), [("auto", "/company/c1/connection"), ("reference", "/connection/company/c1")]
)
async def test_what_an_earlier_process_found_out_is_used_unless_the_operator_chose(paths: str, first: str) -> None:
    fake = FakeProvider([answer([])])
    transport = Transport(fake.http(), account(paths=paths), fake.limits())
    transport.use_paths("company")
    await transport.send(BOTH)
    assert fake.asked() == [f"GET {first}"]


async def test_a_link_whose_post_is_refused_is_asked_for_with_get() -> None:
    link = {"magicLinkUrl": f"{PAGES_URL}/p/connect/c/workflow/s"}
    fake = FakeProvider(routes={"GET /connection/n1": lambda _: answer(link)})
    fake.routes["POST /connection/n1"] = lambda _: answer({}, 405)
    provider = Provider(fake.http(), account(), fake.limits())
    assert (await provider.links.edit_link(ConnectionId("n1"))).url == link["magicLinkUrl"]
    assert fake.asked() == ["POST /connection/n1", "GET /connection/n1"]
    assert fake.requests[1].content == b""


async def test_a_link_of_an_unknown_connection_is_not_asked_for_twice() -> None:
    fake = FakeProvider()
    with pytest.raises(ProviderNotFound):
        await Provider(fake.http(), account(), fake.limits()).links.edit_link(ConnectionId("n1"))
    assert fake.asked() == ["POST /connection/n1"]

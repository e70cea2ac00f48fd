"""Objects read leniently, and lists that shift while they are read."""

from collections.abc import Callable
from typing import Any

import httpx
import pytest

from service.errors import ProviderBroken, ProviderTimeout
from service.provider import ProviderAccount
from service.provider.lists import At, Id, ListCall, Maybe, Shape, read_item, read_list, read_object
from service.provider.transport import Call, Transport
from tests.support.fake_provider import BASE_URL, DATE_AT, KEY, PAGES_URL, FakeProvider, answer


class Thing(Shape):
    id: Id
    made_at: At | None = None
    amount: str | None = None
    note: Maybe[str] = None


def item(body: Any, odd: set[str]) -> tuple[str, Thing] | None:
    thing = read_item(Thing, body, odd)
    return (thing.id, thing) if thing else None


def page(number: int, ids: str, *, more: bool = False, **fields: Any) -> httpx.Response:
    return answer({"things": [{"id": each} for each in ids], "currentPage": number, "hasNext": more} | fields)


async def ids(fake: FakeProvider, *, agreed: bool = True) -> str:
    transport = Transport(fake.http(), ProviderAccount(BASE_URL, PAGES_URL, KEY), fake.limits())
    found = await read_list(transport, ListCall(Call("GET", "/thing"), "things", "thing", item), agreed=agreed)
    return "".join(thing.id for thing in found.items)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("2026-01-06T10:00:00.000000", DATE_AT),
        ("2026-01-06T10:00:00.500000000", DATE_AT + 0.5),
        ("2026-01-06T10:00:00Z", DATE_AT),
        ("2026-01-06T12:00:00+02:00", DATE_AT),
    ],
)
def test_a_time_without_a_zone_is_utc_with_however_many_digits(text: str, seconds: float) -> None:
    assert read_object(Thing, {"id": "t1", "madeAt": text}).made_at == seconds


def test_unknown_fields_are_ignored_and_decimals_may_be_numbers() -> None:
    thing = read_object(Thing, {"id": "t1", "amount": 18.5, "new": [1]})
    assert (thing.id, thing.made_at, thing.amount) == ("t1", None, "18.5")


@pytest.mark.parametrize(
    "body",
    [
        None,
        [],
        {},
        {"id": None},
        {"id": ""},
        {"id": "a/b"},
        {"id": "a\n"},
        {"id": "t1", "madeAt": 5},
        {"id": "t1", "madeAt": "soon"},
        {"id": "t1", "amount": ["secret-value"]},
    ],
)
@pytest.mark.parametrize("lost", [True, False])
def test_an_object_that_is_not_the_contract_is_the_providers_failure(body: object, *, lost: bool) -> None:
    with pytest.raises(ProviderBroken) as caught:
        read_object(Thing, body, lost=lost)
    assert caught.value.lost is lost
    assert "secret-value" not in f"{caught.value} {caught.value.__cause__}"


@pytest.mark.parametrize(
    "body",
    [
        [{"id": "a"}, {"id": "b"}],
        {"things": [{"id": "a"}, {"id": "b"}], "other": []},
        {"results": [{"id": "a"}, {"id": "b"}], "count": 2},
        {"things": [{"id": "a"}, {"id": "b"}], "hasNext": False, "currentPage": None},
    ],
)
async def test_a_list_may_be_bare_or_in_any_envelope(body: object) -> None:
    fake = FakeProvider([answer(body)])
    assert await ids(fake) == "ab"
    assert fake.asked() == ["GET /thing"]


@pytest.mark.parametrize("body", [None, 5, {}, {"one": [], "two": []}, {"things": 5}])
async def test_a_list_that_cannot_be_parsed_is_the_providers_failure(body: object) -> None:
    with pytest.raises(ProviderBroken):
        await ids(FakeProvider([answer(body)]))


async def test_what_cannot_be_read_is_counted_by_its_kind_and_the_rest_of_the_list_is_there() -> None:
    reported: list[str] = []
    fake = FakeProvider([answer([5, {}, {"id": "a", "note": []}, {"id": 7}, {"id": "b"}])])
    account, limits = (
        ProviderAccount(BASE_URL, PAGES_URL, KEY),
        fake.limits(unreadable=lambda one: reported.append(str(one))),
    )
    listing = ListCall(Call("GET", "/thing"), "things", "thing", item)
    found = await read_list(Transport(fake.http(), account, limits), listing)
    assert ([one.id for one in found.items], found.left_out) == (["a", "b"], 3)
    assert reported == [
        "thing without a readable id (item)",
        "thing without a readable id (id)",
        "thing a (note)",
        "thing without a readable id (id)",
    ]


async def test_several_pages_are_read_until_two_passes_agree() -> None:
    fake = FakeProvider([page(1, "ab", more=True), page(2, "c"), page(1, "ab", more=True), page(2, "c")])
    assert await ids(fake) == "abc"
    assert fake.asked() == ["GET /thing", "GET /thing?page=2"] * 2


async def test_an_item_that_slipped_between_two_pages_is_found() -> None:
    passes = [("ab", "d"), ("abc", "d"), ("abc", "d")]
    script = [reply for first, second in passes for reply in (page(1, first, more=True), page(2, second))]
    assert sorted(await ids(FakeProvider([*script]))) == list("abcd")


async def test_an_item_that_vanished_stays_in_the_union() -> None:
    passes = [("ab", "c"), ("a", "c"), ("a", "c")]
    script = [reply for first, second in passes for reply in (page(1, first, more=True), page(2, second))]
    assert await ids(FakeProvider([*script])) == "abc"


async def test_a_page_that_is_not_the_one_asked_for_makes_the_pass_worthless() -> None:
    shrunk = [page(1, "ab", more=True), page(1, "ab")]
    steady = [page(1, "abc")]
    fake = FakeProvider([*shrunk, *steady])
    assert await ids(fake) == "abc"
    assert len(fake.requests) == 3


async def test_a_list_that_never_settles_is_given_up() -> None:
    fake = FakeProvider([reply for n in "wxyz" for reply in (page(1, "ab", more=True), page(2, n))])
    with pytest.raises(ProviderBroken, match="changes faster"):
        await ids(fake)
    assert len(fake.requests) == 8


async def test_one_pass_is_enough_where_speed_matters_more() -> None:
    fake = FakeProvider([page(1, "ab", more=True), page(2, "c")])
    assert await ids(fake, agreed=False) == "abc"
    assert len(fake.requests) == 2


def always(more: Callable[[int], httpx.Response]) -> FakeProvider:
    return FakeProvider(routes={"GET /thing": lambda request: more(int(request.url.params.get("page", 1)))})


async def test_a_list_without_an_end_is_given_up() -> None:
    with pytest.raises(ProviderBroken):
        await ids(always(lambda number: page(number, "ab", more=True)))


async def test_a_list_ends_with_its_own_deadline() -> None:
    def slowly(number: int) -> httpx.Response:
        fake.now += 7
        return page(number, "ab", more=True)

    fake = always(slowly)
    with pytest.raises(ProviderTimeout) as caught:
        await ids(fake)
    assert not caught.value.lost
    assert len(fake.requests) < 12


async def test_the_snapshot_has_the_date_of_its_first_answer() -> None:
    late = "Tue, 06 Jan 2026 10:05:00 GMT"
    fake = FakeProvider([page(1, "a", more=True), answer({"things": [{"id": "b"}], "currentPage": 2}, date=late)] * 2)
    transport = Transport(fake.http(), ProviderAccount(BASE_URL, PAGES_URL, KEY), fake.limits())
    found = await read_list(transport, ListCall(Call("GET", "/thing"), "things", "thing", item))
    assert found.provider_at == DATE_AT

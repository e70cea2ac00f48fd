"""Objects read leniently, and lists that shift while they are read."""

import asyncio
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from service.errors import ProviderBroken, ProviderTimeout
from service.provider import ProviderAccount
from service.provider.lists import LARGEST_LIST_BYTES, At, Id, ListCall, Maybe, Shape, read_item, read_list, read_object
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


async def test_a_list_is_given_up_once_its_pages_together_are_too_large() -> None:
    padding = "x" * (19 * 1024 * 1024)
    fake = always(lambda number: page(number, "ab", more=True, padding=padding))
    with pytest.raises(ProviderBroken, match="larger"):
        await ids(fake)
    assert len(fake.requests) == LARGEST_LIST_BYTES // len(padding) + 1


async def test_the_pages_of_all_attempts_count_together() -> None:
    padding = "x" * (19 * 1024 * 1024)
    fake = always(lambda _: page(1, "ab", more=True, padding=padding))  # each second page is the first again
    with pytest.raises(ProviderBroken, match="larger"):
        await ids(fake)
    assert len(fake.requests) == LARGEST_LIST_BYTES // len(padding) + 1


def many(count: int) -> list[dict[str, str]]:
    return [{"id": f"t{number}"} for number in range(count)]


@pytest.mark.parametrize(
    "body",
    [{"things": many(500), "hasNext": False}, many(2000), {"things": many(2000)}],
    ids=["page", "array", "named"],
)
async def test_a_page_may_have_500_items_and_a_list_without_pages_more(body: dict[str, Any] | list[Any]) -> None:
    count = len(body["things"] if isinstance(body, dict) else body)
    assert (await ids(FakeProvider([answer(body)]))).count("t") == count


@pytest.mark.parametrize(
    "body",
    [
        {"things": many(501), "hasNext": False},
        {"things": many(501), "currentPage": 1},
        many(100_001),
        {"things": many(100_001)},
    ],
    ids=["page", "numbered page", "array", "named"],
)
async def test_more_items_than_a_list_can_have_are_the_providers_failure(body: object) -> None:
    with pytest.raises(ProviderBroken):
        await ids(FakeProvider([answer(body)]))


async def test_other_tasks_run_while_a_long_array_is_read_and_its_items_are_reported() -> None:
    loop, turns = asyncio.get_running_loop(), 0
    read_in: list[int] = []
    reported_in: list[int] = []

    def turn() -> None:
        nonlocal turns
        turns += 1
        loop.call_soon(turn)

    def odd_item(_body: Any, odd: set[str]) -> None:
        odd.add("id")
        read_in.append(turns)

    turn()
    fake = FakeProvider([answer([{}] * 2000)])
    limits = fake.limits(unreadable=lambda _: reported_in.append(turns))
    transport = Transport(fake.http(), ProviderAccount(BASE_URL, PAGES_URL, KEY), limits)
    await read_list(transport, ListCall(Call("GET", "/thing"), "things", "thing", odd_item))
    assert [len(set(seen)) for seen in (read_in, reported_in)] == [10, 10]


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

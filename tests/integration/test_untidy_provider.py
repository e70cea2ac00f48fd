"""Every field of every item of the contract, odd in every way: nothing else is lost, nothing is certain and wrong.

The whole contract means every field of the provider's description of the item, at any depth, whether it is read or not.
"""

import asyncio
import json
from typing import Any

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from service.domain.model import ConnectionId, EvidenceKind, ProviderCompanyId
from tests.support.company_records import RecordedCompany
from tests.support.domain_values import CREATED_AT, MAGIC, link, session, with_link
from tests.support.fake_provider import DATE_AT, FakeProvider, answer
from tests.support.services import RunningServices
from tests.support.untidy import CHANGES, Place, changed, places, sample
from tests.support.users import FramePage, User

CREATED = "2026-01-06T09:50:00.000000"

Json = dict[str, Any]


def connection(name: str) -> Json:
    ref = {"id": "company-1", "name": "Acme", "externalId": "acme"}
    return sample("Connection", id=name, created=CREATED, updated=CREATED, status="CONNECTED", company=ref)


def invitation(name: str, *made: str) -> Json:
    created = [{"id": one, "datasourceName": "Mill", "status": "CONNECTED", "created": CREATED} for one in made]
    url = f"https://pages.example.com/p/i/{name}"
    known = {"connectionId": None, "useCount": len(made), "createdConnections": created, "invitationUrl": url}
    return sample("Invitation", id=name, status="FULFILLED" if made else "ACTIVE", **known)


# Each place is odd in an item of its own, that of the owner with this number; the items of the last owner are tidy.
PLACES = {"connection": list(places(connection("con"))), "invitation": list(places(invitation("inv", "con")))}
OWNERS = range(max(map(len, PLACES.values())) + 1)
CONNECTIONS = [*(connection(f"con_{number}") for number in OWNERS), connection("con_magic")]
INVITATIONS = [*(invitation(f"inv_{number}", f"con_{number}") for number in OWNERS), invitation("inv_operators")]
SESSIONS = [with_link(session(f"user_{number}"), link(invitation_id=f"inv_{number}")) for number in OWNERS]
CAROL = with_link(session("carol"), MAGIC)
TRUTH = {f"con_{number}": SESSIONS[number].id for number in OWNERS} | {"con_magic": CAROL.id}
TIDY = f"con_{OWNERS[-1]}"


class UntidyCompany:
    """What is recorded of one company; Carol's connection came by a magic link, the others by invitations."""

    def __init__(self) -> None:
        self.fake = FakeProvider()
        self.provider = self.fake.provider()
        self.recorded = RecordedCompany(*SESSIONS, CAROL)
        self.recorded.reveal(CAROL, DATE_AT - 3600 - CREATED_AT)

    async def read(self, connections: Any = CONNECTIONS, invitations: Any = INVITATIONS) -> None:
        """Record both lists; nothing that is certain may be wrong, and the tidy ones are always there."""
        self.fake.routes = {
            "GET /company/company-1/connection": lambda _: answer({"connections": connections}),
            "GET /invitation/company/company-1": lambda _: answer({"invitations": invitations}),
        }
        self.recorded.read(await self.provider.snapshot(ProviderCompanyId("company-1")))
        for known in self.recorded.connections.values():
            owner = known.verdict.owner
            assert owner is None or known.verdict.presumed or owner.session_id == TRUTH.get(known.id)

    def kind(self, name: str) -> EvidenceKind | None:
        return self.recorded.verdict(ConnectionId(name)).kind


def one_place_each(kind: str, change: str, items: list[Json]) -> list[Any]:
    odd = [changed(item, place, CHANGES[change]) for item, place in zip(items, PLACES[kind], strict=False)]
    return [*odd, *items[len(odd) :]]


@pytest.mark.parametrize("change", CHANGES)
async def test_one_odd_field_of_a_connection_costs_nothing_but_that_field(change: str) -> None:
    company = UntidyCompany()
    await company.read(connections=one_place_each("connection", change, CONNECTIONS))
    assert (company.kind(TIDY), company.kind("con_magic")) == (EvidenceKind.INVITATION, EvidenceKind.SOLE_CANDIDATE)
    lost = {f"con_{number}" for number, place in enumerate(PLACES["connection"]) if place in {("id",), ("created",)}}
    assert set(company.recorded.connections) >= set(TRUTH) - lost
    assert {company.kind(name) for name in set(TRUTH) - lost - {"con_magic"}} == {EvidenceKind.INVITATION}


@pytest.mark.parametrize("change", CHANGES)
async def test_one_odd_field_of_an_invitation_hides_no_connection_and_once_it_is_read_all_is_exact(change: str) -> None:
    company = UntidyCompany()
    await company.read(invitations=one_place_each("invitation", change, INVITATIONS))
    assert set(company.recorded.connections) == set(TRUTH)
    assert company.kind(TIDY) is EvidenceKind.INVITATION
    await company.read()
    # An id that is another text is the id of another invitation, and what it named stays in the log.
    unclear = {f"con_{number}" for number, place in enumerate(PLACES["invitation"]) if place == ("id",)}
    exact = set(TRUTH) - {"con_magic"} - (unclear if change == "text" else set())
    assert {company.kind(name) for name in exact} == {EvidenceKind.INVITATION}
    assert company.kind("con_magic") is EvidenceKind.SOLE_CANDIDATE


@pytest.mark.parametrize("place", PLACES["invitation"], ids=str)
async def test_an_invitation_odd_in_what_counts_leaves_no_magic_link_an_owner_until_it_is_read(place: Place) -> None:
    company = UntidyCompany()
    odd = changed(invitation("inv_of_an_operator", "con_of_theirs"), place, CHANGES["object"])
    await company.read(connections=[CONNECTIONS[-1]], invitations=[odd])
    counts = place[0] in {"id", "useCount", "createdAt", "connectionId", "createdConnections"}
    in_what_it_made = place[0] == "createdConnections" and len(place) == 3 and place[-1] != "id"
    assert (company.kind("con_magic") is None) is (counts and not in_what_it_made)


@pytest.mark.parametrize("item", [None, 5, "odd", [], {}, True, [[]], {"id": {}}])
async def test_an_item_that_is_none_costs_itself_alone(item: Any) -> None:
    company = UntidyCompany()
    await company.read([item, *CONNECTIONS], [item, *INVITATIONS])
    assert set(company.recorded.connections) == set(TRUTH)


def odd(kind: str) -> st.SearchStrategy[Any]:
    return st.tuples(st.integers(0, 5), st.sampled_from(PLACES[kind]), st.sampled_from(sorted(CHANGES)))


def untidied(items: list[Json], changes: list[tuple[int, Place, str]]) -> list[Any]:
    made: list[Any] = [*items[:5], items[-2], items[-1]]
    for number, place, change in changes:
        made[number] = changed(made[number], place, CHANGES[change])
    return made


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    st.lists(st.tuples(st.lists(odd("connection"), max_size=5), st.lists(odd("invitation"), max_size=5)), max_size=3)
)
def test_many_odd_fields_in_many_snapshots_make_nothing_certain_that_is_wrong(snapshots: list[Any]) -> None:
    async def run() -> None:
        company = UntidyCompany()
        for connections, invitations in snapshots:
            await company.read(untidied(CONNECTIONS, connections), untidied(INVITATIONS, invitations))
        tidy = untidied(CONNECTIONS, [])
        await company.read(tidy, untidied(INVITATIONS, []))
        assert {one["id"] for one in tidy} <= set(company.recorded.connections)

    asyncio.run(run())


class OddEverywhere:
    """Every list of the provider has first items that are odd in one way: in each field at once, or in its id alone."""

    def __init__(self, change: str, *, ids: bool) -> None:
        self._change, self._ids = CHANGES[change], ids

    def __call__(self, _request: httpx.Request, body: Any) -> Any:
        lists = [body] if isinstance(body, list) else [one for one in body.values() if isinstance(one, list)]
        for items in lists:
            items[:1] = [self._odd(item) for item in items[:1]]
        return body

    def _odd(self, item: Any) -> Any:
        names = [name for name in item if (name in {"id", "created"}) is self._ids] if isinstance(item, dict) else []
        for name in names:
            item = changed(item, (name,), self._change)
        return item


async def answers_well(services: RunningServices, page: FramePage, connection_id: str) -> None:
    for path in ("connections", "sessions", "events", f"connections/{connection_id}", f"sessions/{page.id}"):
        assert (await services.host.get(f"/v1/{path}")).status_code == 200, path
    for path in ("documents", "usage"):
        found = await services.host.get(f"/v1/connections/{connection_id}/{path}")
        assert found.status_code == 200, (path, found.text)
        json.loads(found.content)
    assert (await page.ask()).status_code == 200


IDS_AND_ALL_ELSE = [(True, ("removed", "number", "object", "long")), (False, tuple(CHANGES))]


@pytest.mark.parametrize(("ids", "changes"), IDS_AND_ALL_ELSE, ids=["ids", "all else"])
async def test_neither_the_api_nor_a_page_fails_by_what_the_provider_lists(
    services: RunningServices, ada: User, bob: User, changes: tuple[str, ...], *, ids: bool
) -> None:
    connection_id = (await ada.connected())["id"]
    page = await bob.frame(expiresIn=86400)
    for change in changes:
        services.outgoing.reshape = OddEverywhere(change, ids=ids)
        await page.post("heartbeat")
        await services.later(30)
        await answers_well(services, page, connection_id)
    services.outgoing.reshape = None
    await page.connect()
    await page.finish()
    await services.later(60)
    assert (await bob.newest())["evidence"]["kind"] == "invitation"
    (kept,) = await ada.connections()
    assert (kept["id"], kept["evidence"]["kind"]) == (connection_id, "invitation")

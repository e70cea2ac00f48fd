"""Replays go on in pieces, from the right position, and end."""

from dataclasses import replace
from functools import partial

import pytest

from service.domain import events
from service.domain.changes import JobKind
from service.domain.deliveries import DeliveryKind
from service.domain.endpoints import Endpoint, EndpointChange, EndpointSecret
from service.domain.model import CompanyRef, ProviderCompanyId
from service.errors import NotFound
from service.store import Store
from service.store.engine import Transaction
from tests.support.clock import Clock
from tests.support.domain_values import TENANT
from tests.support.store_cases import UNNAMED, create, fresh, numbered


async def test_a_replay_begins_at_its_time_and_ends_with_the_log(store: Store, clock: Clock) -> None:
    for number in range(30):
        await create(store, fresh(name=f"ses_{number:02}"))
        clock.advance(100)
    await numbered(store)
    since = clock.now() - 10 * 100
    endpoint = Endpoint("whe_00000001", TENANT, "https://x.example.com", "", (), None, 1.0, "k", 1.0, "k")
    await store.endpoints.create(EndpointChange(endpoint, "created", "k", EndpointSecret("whs_1", "a", "b", 1.0)))
    replay_id = "rpl_one"
    await store.replays.begin(replay_id, endpoint, since)
    (row,) = await store.engine.read(lambda tx: tx.all("SELECT * FROM replays"))
    assert 15 <= row["after_seq"] <= 20
    (job,) = [job for job in await store.queue.lease(99, 10.0) if job.kind is JobKind.REPLAY]
    assert job.ref == replay_id
    assert await store.replays.advance(replay_id, job) is False
    written = await store.deliveries.list_page(endpoint.id, None, None, 100)
    assert {one.kind for one in written} == {DeliveryKind.REPLAY}
    wanted = [event.id for event in await store.events.after(0, 100) if event.at >= since]
    assert {one.event_id for one in written} == set(wanted)
    with pytest.raises(NotFound):
        await store.replays.advance(replay_id)


def _name(tx: Transaction, ref: str, provider_id: str) -> None:
    tx.run("UPDATE companies SET provider_id = :id WHERE ref = :ref", id=provider_id, ref=ref)


async def test_an_endpoint_of_one_company_gets_its_uploaded_bills_again_and_no_others(store: Store) -> None:
    ours, others = "11111111-1111-4111-8111-111111111111", "22222222-2222-4222-8222-222222222222"
    for number, provider_id in enumerate((ours, others)):
        asked = replace(UNNAMED, ref=CompanyRef(f"cmp_{number}"), external_id=f"company-{number}")
        await create(store, fresh(name=f"ses_{number}", company=asked))
        await store.engine.write(partial(_name, ref=asked.ref, provider_id=provider_id))
        company = replace(asked, provider_id=ProviderCompanyId(provider_id))
        event = partial(events.upload_available, company)
        await store.documents.name_uploaded(company, [f"bill-{number}"], event)
    await numbered(store)
    endpoint = Endpoint("whe_00000001", TENANT, "https://x.example.com", "", (), ours, 1.0, "k", 1.0, "k")
    await store.endpoints.create(EndpointChange(endpoint, "created", "k", EndpointSecret("whs_1", "a", "b", 1.0)))
    await store.replays.begin("rpl_one", endpoint, 0.0)
    assert await store.replays.advance("rpl_one") is False
    log = {one.id: one for one in await store.events.after(0, 100)}
    again = [log[one.event_id] for one in await store.deliveries.list_page(endpoint.id, None, None, 100)]
    assert {one.session_id for one in again} == {"ses_0", None}
    assert [one.data["documentIds"] for one in again if one.type == "document.available"] == [["bill-0"]]


async def test_a_long_replay_is_written_in_pieces(store: Store) -> None:
    endpoint = Endpoint("whe_00000001", TENANT, "https://x.example.com", "", (), None, 1.0, "k", 1.0, "k")
    await store.endpoints.create(EndpointChange(endpoint, "created", "k", EndpointSecret("whs_1", "a", "b", 1.0)))
    replay_id = "rpl_one"
    await store.replays.begin(replay_id, endpoint, 0.0)
    await store.engine.write(lambda tx: tx.run("UPDATE replays SET until_seq = 2500"))
    assert [await store.replays.advance(replay_id) for _ in range(3)] == [True, True, False]

"""Rules of the sandbox's state that the provider's guide does not mention."""

from typing import Any

import pytest

from service.sandbox.settings import SandboxSettings
from service.sandbox.wire.errors import RecordMissing
from service.sandbox.world.account_form import read_edit, read_submission
from service.sandbox.world.companies import USER
from service.sandbox.world.records import SandboxConnection
from service.sandbox.world.sample_utility import PASSWORD, PROVIDER_URL, USERNAME
from service.sandbox.world.troubles import read_trouble
from service.sandbox.world.world import SandboxWorld
from tests.support.clock import Clock

ACCOUNT: dict[str, Any] = {"url": PROVIDER_URL, "username": USERNAME, "password": PASSWORD}
UNKNOWN_ID = "00000000-0000-4000-8000-000000000000"


@pytest.fixture
def world(clock: Clock) -> SandboxWorld:
    return SandboxWorld(SandboxSettings(webhook_url="http://receiver.test", webhook_secret="whsec_c2VjcmV0"), clock.now)


def connected(world: SandboxWorld, **fields: Any) -> SandboxConnection:
    company = world.companies.create({"name": "Acme"})
    site = world.companies.create_site(company.id, {"name": "Site"})
    return world.submissions.create(company.id, read_submission({**ACCOUNT, "sites": [site.id], **fields}))


def test_an_unknown_bill_has_no_file(clock: Clock, world: SandboxWorld) -> None:
    made = connected(world)
    document_id = "0" * 36
    with pytest.raises(RecordMissing):
        world.data.pdf(made.id, document_id)
    clock.advance(6)
    with pytest.raises(RecordMissing):
        world.data.pdf(made.id, document_id)
    with pytest.raises(RecordMissing):
        world.data.pdf(UNKNOWN_ID, document_id)


def test_a_connection_limited_to_types_the_sandbox_lacks_has_no_data(clock: Clock, world: SandboxWorld) -> None:
    made = connected(world, initialDatasourceTypes=["WASTE"])
    clock.advance(6)
    assert world.data.documents_of(made) == []
    assert world.data.accounts_of(made) == []


def test_a_link_does_not_open_as_an_edit_link_nor_the_reverse(world: SandboxWorld) -> None:
    made = connected(world)
    public_id = world.companies.get(made.company_id).public_id
    link = world.links.create(made.company_id, {})
    for find, secret in ((world.links.find_edit, link.secret), (world.links.find, made.secret)):
        with pytest.raises(RecordMissing):
            find(public_id, secret)


def test_a_code_that_was_not_requested_changes_nothing(world: SandboxWorld) -> None:
    made = connected(world)
    assert world.submissions.answer_mfa(made.id, "123456") == made


def test_the_caller_stays_among_a_companys_users(world: SandboxWorld) -> None:
    made = world.companies.create({"name": "Acme", "users": ["bob@example.com"]})
    assert made.values["users"] == [USER, "bob@example.com"]
    assert world.companies.update(made.id, {"users": []}).values["users"] == [USER]


def test_a_companys_fields_keep_the_defaults_that_are_documented(clock: Clock, world: SandboxWorld) -> None:
    values = world.companies.create({"name": "Acme", "impliedMeteringFraction": "0.5"}).values
    assert values["dataCollectionStartDate"] == "2026-01-01"  # 1 January of the year before the clock's
    assert (values["impliedMeteringFraction"], values["isDemandEnabled"], values["externalId"]) == ("0.5", False, None)
    clock.advance(366 * 86_400)
    assert world.companies.create({"name": "Next year"}).values["dataCollectionStartDate"] == "2027-01-01"


def test_deleting_a_company_leaves_the_others_alone(world: SandboxWorld) -> None:
    gone, kept = connected(world), connected(world)
    world.companies.delete(gone.company_id)
    assert [company.id for company in world.companies] == [kept.company_id]
    assert world.connections.get(kept.id) == kept
    assert {message.company_id for message in world.outbox} == {kept.company_id}
    with pytest.raises(RecordMissing):
        world.connections.get(gone.id)


def test_a_status_change_stops_when_its_times_are_used_up(world: SandboxWorld) -> None:
    older, newer = connected(world), connected(world)
    world.troubles.put(read_trouble("status_change", {"status": "WEBSITE_DOWN", "times": 1}))
    world.connections.apply_status_trouble(None)
    assert [world.connections.get(one.id).status for one in (older, newer)] == ["WEBSITE_DOWN", "CONNECTED"]


def test_removing_a_connection_cancels_its_queued_document_webhooks(clock: Clock, world: SandboxWorld) -> None:
    made = connected(world)
    clock.advance(6)
    world.data.queue_documents()
    message = next(message for message in world.outbox if message.document_id)
    assert (world.data.webhook_body(message) or {})["id"] == message.document_id
    world.connections.remove(made.id)
    assert world.data.webhook_body(message) is None


def test_sample_data_is_limited_to_the_chosen_types(clock: Clock, world: SandboxWorld) -> None:
    made = connected(world, initialDatasourceTypes=["SOLAR", "WASTE", "GAS"])
    clock.advance(6)
    assert [meter["datasourceType"] for meter in world.data.meters_of(made)] == ["GAS", "SOLAR"]


def test_sample_data_waits_for_sites_that_are_chosen_later(clock: Clock, world: SandboxWorld) -> None:
    company = world.companies.create({"name": "Acme"})
    site = world.companies.create_site(company.id, {"name": "Site"})
    made = world.submissions.create(company.id, read_submission(ACCOUNT, sites_later=True))
    clock.advance(6)
    world.data.queue_documents()
    assert world.data.documents_of(world.connections.get(made.id)) == []
    chosen = world.submissions.edit(made.id, read_edit(made, {"sites": [site.id]}))
    world.data.queue_documents()
    sent = [message for message in world.outbox if message.document_id]
    assert len(sent) == len(world.data.documents_of(chosen)) == 120


def test_sample_data_stays_when_the_credentials_stop_working(clock: Clock, world: SandboxWorld) -> None:
    made = connected(world)
    clock.advance(6)
    before = world.data.documents_of(made)
    broken = world.connections.set_status(made.id, "PASSWORD_INCORRECT")
    assert world.data.documents_of(broken) == before != []


def test_sample_data_begins_with_the_first_credentials_that_work(clock: Clock, world: SandboxWorld) -> None:
    made = connected(world, password="wrong")
    clock.advance(100)
    mended = world.submissions.edit(made.id, read_edit(made, {"password": PASSWORD}))
    assert (world.data.has_data(mended), world.data.documents_of(mended)) == (False, [])
    clock.advance(6)
    assert world.data.has_data(mended)


def test_a_link_opens_under_its_own_company_only(world: SandboxWorld) -> None:
    made, other = connected(world), connected(world)
    link = world.links.create(made.company_id, {})
    with pytest.raises(RecordMissing):
        world.links.find(world.companies.get(other.company_id).public_id, link.secret)


def test_an_edit_link_with_prefill_has_a_secret_of_its_own(world: SandboxWorld) -> None:
    made = connected(world)
    plain = world.links.create_edit(made.id, {})
    filled = world.links.create_edit(made.id, {"sites": list(made.sites)})
    assert (plain.secret, filled.secret == made.secret) == (made.secret, False)
    assert filled.connection_id == made.id
    assert filled.prefill == {"sites": list(made.sites)}

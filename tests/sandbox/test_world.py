"""The world's corners that no guide speaks of."""

from typing import Any

import pytest

from service.sandbox.settings import Settings
from service.sandbox.wire.errors import Missing
from service.sandbox.world.companies import USER
from service.sandbox.world.connections import PASSWORD, PROVIDER_URL, USERNAME, Connection, read_edit, read_submission
from service.sandbox.world.troubles import read_trouble
from service.sandbox.world.world import World
from tests.clock import Clock

ACCOUNT: dict[str, Any] = {"url": PROVIDER_URL, "username": USERNAME, "password": PASSWORD}
STRANGER = "00000000-0000-4000-8000-000000000000"


@pytest.fixture
def world(clock: Clock) -> World:
    return World(Settings(webhook_url="http://receiver.test", webhook_secret="whsec_c2VjcmV0"), clock.now)


def connected(world: World, **fields: Any) -> Connection:
    company = world.create_company({"name": "Acme"})
    site = world.create_site(company.id, {"name": "Site"})
    return world.connect(company.id, read_submission({**ACCOUNT, "sites": [site.id], **fields}))


def test_the_caller_stays_among_a_companys_users(world: World) -> None:
    made = world.create_company({"name": "Acme", "users": ["bob@example.com"]})
    assert made.values["users"] == [USER, "bob@example.com"]
    assert world.update_company(made.id, {"users": []}).values["users"] == [USER]


def test_a_companys_fields_keep_the_defaults_that_are_documented(clock: Clock, world: World) -> None:
    values = world.create_company({"name": "Acme", "impliedMeteringFraction": "0.5"}).values
    assert values["dataCollectionStartDate"] == "2026-01-01"  # 1 January of the year before the clock's
    assert (values["impliedMeteringFraction"], values["isDemandEnabled"], values["externalId"]) == ("0.5", False, None)
    clock.advance(366 * 86_400)
    assert world.create_company({"name": "Next year"}).values["dataCollectionStartDate"] == "2027-01-01"


def test_deleting_a_company_leaves_the_others_alone(world: World) -> None:
    gone, kept = connected(world), connected(world)
    world.delete_company(gone.company_id)
    assert [company.id for company in world.companies()] == [kept.company_id]
    assert world.connection(kept.id) == kept
    assert {message.company_id for message in world.outbox} == {kept.company_id}
    with pytest.raises(Missing):
        world.connection(gone.id)


def test_a_status_change_stops_when_its_times_are_used_up(world: World) -> None:
    older, newer = connected(world), connected(world)
    world.troubles.put(read_trouble("status_change", {"status": "WEBSITE_DOWN", "times": 1}))
    world.trouble_statuses(None)
    assert [world.connection(one.id).status for one in (older, newer)] == ["WEBSITE_DOWN", "CONNECTED"]


def test_a_bill_that_is_not_there_has_no_file(clock: Clock, world: World) -> None:
    made = connected(world)
    document_id = "0" * 36
    with pytest.raises(Missing):
        world.pdf(made.id, document_id)
    clock.advance(6)
    with pytest.raises(Missing):
        world.pdf(made.id, document_id)
    with pytest.raises(Missing):
        world.pdf(STRANGER, document_id)


def test_a_connection_that_is_taken_away_takes_its_untold_documents_along(clock: Clock, world: World) -> None:
    made = connected(world)
    clock.advance(6)
    world.queue_documents()
    message = next(message for message in world.outbox if message.document_id)
    assert (world.message_body(message) or {})["id"] == message.document_id
    world.remove_connection(made.id)
    assert world.message_body(message) is None


def test_sample_data_waits_for_sites_that_are_chosen_later(clock: Clock, world: World) -> None:
    company = world.create_company({"name": "Acme"})
    site = world.create_site(company.id, {"name": "Site"})
    made = world.connect(company.id, read_submission(ACCOUNT, sites_later=True))
    clock.advance(6)
    world.queue_documents()
    assert world.documents_of(world.connection(made.id)) == []
    chosen = world.edit_connection(made.id, read_edit(made, {"sites": [site.id]}))
    world.queue_documents()
    told = [message for message in world.outbox if message.document_id]
    assert len(told) == len(world.documents_of(chosen)) == 120


def test_sample_data_stays_when_the_credentials_stop_working(clock: Clock, world: World) -> None:
    made = connected(world)
    clock.advance(6)
    before = world.documents_of(made)
    broken = world.set_status(made.id, "PASSWORD_INCORRECT")
    assert world.documents_of(broken) == before != []


def test_sample_data_begins_with_the_first_credentials_that_work(clock: Clock, world: World) -> None:
    made = connected(world, password="wrong")
    clock.advance(100)
    mended = world.edit_connection(made.id, read_edit(made, {"password": PASSWORD}))
    assert (world.has_data(mended), world.documents_of(mended)) == (False, [])
    clock.advance(6)
    assert world.has_data(mended)


def test_a_link_is_no_edit_link_and_an_edit_link_no_link(world: World) -> None:
    made = connected(world)
    public_id = world.company(made.company_id).public_id
    link = world.create_link(made.company_id, {})
    for find, secret in ((world.find_edit_link, link.secret), (world.find_magic_link, made.secret)):
        with pytest.raises(Missing):
            find(public_id, secret)


def test_a_link_opens_below_its_own_company_only(world: World) -> None:
    made, other = connected(world), connected(world)
    link = world.create_link(made.company_id, {})
    with pytest.raises(Missing):
        world.find_magic_link(world.company(other.company_id).public_id, link.secret)


def test_an_edit_link_with_prefill_has_a_secret_of_its_own(world: World) -> None:
    made = connected(world)
    plain = world.create_edit_link(made.id, {})
    filled = world.create_edit_link(made.id, {"sites": list(made.sites)})
    assert (plain.secret, filled.secret == made.secret) == (made.secret, False)
    assert filled.connection_id == made.id
    assert filled.prefill == {"sites": list(made.sites)}


def test_a_code_that_nobody_asked_for_changes_nothing(world: World) -> None:
    made = connected(world)
    assert world.answer_mfa(made.id, "123456") == made

"""Our client against the sandbox, over HTTP: every verb in both path generations, and every trouble of the API."""

from typing import get_args

import pytest

from service.domain.model import ConnectionId, InvitationId, LinkKind, ProviderCompanyId
from service.domain.statuses import ConnectionState, state_of
from service.errors import (
    ProviderBroken,
    ProviderBusy,
    ProviderFailure,
    ProviderNotFound,
    ProviderRefused,
    ProviderUnauthorized,
)
from service.provider import InvitationTerms, Redirect
from service.settings import PathGeneration
from service.urls import origin_of
from tests.support.clock import Clock
from tests.support.provider_bench import Bench
from tests.support.provider_user import ProviderUser
from tests.support.sandbox_client import GUIDE, Sandbox

UNKNOWN = "00000000-0000-4000-8000-000000000000"
HOUR = InvitationTerms(3600)


both_generations = pytest.mark.parametrize("paths", get_args(PathGeneration))


@both_generations
@pytest.mark.parametrize("version", ["v2.2", "v2.1", "v2"])
async def test_companies_and_sites_are_made_and_found_again(bench: Bench, paths: PathGeneration, version: str) -> None:
    provider = bench.provider(paths, version=version)
    await provider.ping()
    made = await provider.create_company("Acme Ltd", "acme")
    site = await provider.create_site(made.id, "Headquarters", "hq", "123 Main St")
    found = await provider.company(made.id)
    assert (found.name, found.external_id, found.sites) == ("Acme Ltd", "acme", (site,))
    assert (await provider.companies()).companies == (found,)


@both_generations
async def test_an_invitation_leads_to_the_connection_that_it_names(bench: Bench, paths: PathGeneration) -> None:
    provider = bench.provider(paths)
    company, sites = await bench.company()
    link = await provider.links.invite(company, sites, {"url": GUIDE["url"], "country": "US"}, HOUR)
    assert (link.kind, link.provider_given_at) == (LinkKind.INVITATION, bench.clock.now())
    user = ProviderUser(bench.sandbox)
    await user.open(link.url)
    await user.sign_in()
    await user.connect()
    bench.clock.advance(5)
    reading = await provider.snapshot(company)
    [seen] = reading.connections
    [invitation] = reading.invitations
    assert (seen.company_id, set(seen.sites)) == (company, set(sites))
    assert state_of(seen.status) is ConnectionState.WORKING
    assert invitation.id == link.invitation_id
    assert (invitation.created, invitation.use_count) == (frozenset({seen.id}), 1)
    assert reading.provider_at == bench.clock.now()
    assert seen.provider_created_at <= reading.provider_at
    assert (await provider.connection(seen.id)).company_id == company


@both_generations
async def test_a_magic_link_and_then_an_edit_link_lead_to_one_connection(bench: Bench, paths: PathGeneration) -> None:
    provider, user = bench.provider(paths), ProviderUser(bench.sandbox)
    company, sites = await bench.company()
    link = await provider.links.magic_link(company, sites, {"url": GUIDE["url"]})
    assert link.kind is LinkKind.MAGIC_LINK
    await user.open(link.url)
    await user.sign_in(password="wrong")
    [wrong] = await provider.connections(company)
    assert state_of(wrong.status) is ConnectionState.ACTION_NEEDED
    edit = await provider.links.edit_link(wrong.id)
    await user.open(edit.url)
    await user.sign_in()
    await user.press("Save changes", sites=sites)
    [mended] = await provider.connections(company)
    assert (mended.id, mended.provider_created_at) == (wrong.id, wrong.provider_created_at)
    assert state_of(mended.status) is ConnectionState.WORKING


async def test_a_reconnect_invitation_edits_its_connection(bench: Bench) -> None:
    provider = bench.provider()
    company, sites = await bench.company()
    connection = ConnectionId((await bench.sandbox.connect(company, sites))["id"])
    link = await provider.links.invite_to_reconnect(connection, InvitationTerms(600, "ada@example.com"))
    [invitation] = await provider.links.invitations(company)
    assert (invitation.edits, invitation.origin, invitation.created) == (connection, origin_of(link.url), frozenset())


async def test_a_revoked_invitation_has_the_time_of_it(bench: Bench) -> None:
    provider = bench.provider()
    company, sites = await bench.company()
    link = await provider.links.invite(company, sites, {}, HOUR)
    assert link.invitation_id is not None
    bench.clock.advance(10)
    assert await provider.links.revoke_invitation(link.invitation_id) == bench.clock.now()
    assert [one.status for one in await provider.links.invitations(company)] == ["REVOKED"]


async def test_a_redirect_reaches_pages_that_know_it(clock: Clock) -> None:
    bench = Bench(Sandbox(clock, redirects=True), clock)
    provider, user = bench.provider(), ProviderUser(bench.sandbox)
    company, sites = await bench.company()
    back = Redirect("https://link.example.com/callback", "signed")
    for link in (
        await provider.links.invite(company, sites, {"url": GUIDE["url"]}, InvitationTerms(3600, redirect=back)),
        await provider.links.magic_link(company, sites, {"url": GUIDE["url"]}, back),
    ):
        await user.open(link.url)
        await user.sign_in()
        await user.connect()
        assert user.last.headers["location"].startswith("https://link.example.com/callback?state=signed&connectionId=")


@both_generations
async def test_bills_and_usage_come_from_all_pages(bench: Bench, paths: PathGeneration) -> None:
    provider = bench.provider(paths)
    company, sites = await bench.company()
    connection = ConnectionId((await bench.sandbox.connect(company, sites))["id"])
    assert (await provider.data.document_page(connection, company)).items == ()
    bench.clock.advance(60)
    first, second = [await provider.data.document_page(connection, company, number) for number in (1, 2)]
    assert (first.has_next, second.has_next, len(first.items)) == (True, False, 100)
    bills = [*first.items, *second.items]
    usage = await provider.data.usage(connection, {})
    gas = await provider.data.usage(connection, {"datasourceType": "GAS"})
    assert len({bill["id"] for bill in bills}) == len(bills) > 100
    assert len(usage) > 100
    assert {entry["datasourceType"] for entry in gas} == {"GAS"}


async def test_a_long_list_is_read_twice_and_whole(bench: Bench) -> None:
    provider = bench.provider()
    company, sites = await bench.company()
    made = {(await provider.links.invite(company, sites, {}, HOUR)).invitation_id for _ in range(101)}
    assert {each.id for each in await provider.links.invitations(company)} == made


@both_generations
async def test_an_unknown_id_is_not_found_in_either_generation(bench: Bench, paths: PathGeneration) -> None:
    provider = bench.provider(paths)
    for verb in (
        provider.company(ProviderCompanyId(UNKNOWN)),
        provider.snapshot(ProviderCompanyId(UNKNOWN)),
        provider.connection(ConnectionId(UNKNOWN)),
        provider.links.revoke_invitation(InvitationId(UNKNOWN)),
        provider.links.magic_link(ProviderCompanyId(UNKNOWN), [], {}),
    ):
        with pytest.raises(ProviderNotFound):
            await verb


async def test_a_wrong_key_is_the_operators_matter(bench: Bench) -> None:
    with pytest.raises(ProviderUnauthorized):
        await bench.provider(key="another").ping()


async def test_a_refusal_names_the_field(bench: Bench) -> None:
    company, _ = await bench.company()
    with pytest.raises(ProviderRefused, match="country"):
        await bench.provider().links.invite(company, [], {"country": "nowhere"}, HOUR)


@pytest.mark.parametrize("trouble", ["provider_5xx", "rate_limited", "invalid_json", "drop_connection"])
async def test_a_read_outlasts_a_trouble_that_passes(bench: Bench, trouble: str) -> None:
    company, _ = await bench.company()
    await bench.sandbox.trouble(trouble, times=2)
    assert (await bench.provider().company(company)).id == company
    assert len(bench.slept) == 2


async def test_a_slow_answer_is_waited_for(bench: Bench) -> None:
    await bench.sandbox.trouble("slow", times=1, seconds=4)
    assert (await bench.provider().companies()).companies == ()
    assert (bench.sandbox.slept, bench.slept) == ([4.0], [])


@pytest.mark.parametrize(
    ("trouble", "error"),
    [
        ("provider_5xx", ProviderBroken),
        ("rate_limited", ProviderBusy),
        ("invalid_json", ProviderBroken),
        ("drop_connection", ProviderBroken),
    ],
)
async def test_a_failure_that_stays_is_reported_by_its_name(
    bench: Bench, trouble: str, error: type[ProviderFailure]
) -> None:
    await bench.sandbox.trouble(trouble)
    with pytest.raises(ProviderFailure) as caught:
        await bench.provider().companies()
    assert type(caught.value) is error


async def test_a_creation_waits_out_a_limit_of_rate_and_happens_once(bench: Bench) -> None:
    await bench.sandbox.trouble("rate_limited", times=2, seconds=3)
    provider = bench.provider()
    made = await provider.create_company("Acme Ltd", "acme")
    assert (await provider.companies()).companies == (made,)
    assert min(bench.slept) >= 3


@pytest.mark.parametrize("trouble", ["provider_5xx", "invalid_json", "drop_connection"])
async def test_a_creation_in_trouble_is_called_lost_and_asked_for_once(bench: Bench, trouble: str) -> None:
    await bench.sandbox.trouble(trouble, times=1)
    with pytest.raises(ProviderBroken) as caught:
        await bench.provider().create_company("Acme Ltd", "acme")
    assert caught.value.lost
    assert await bench.calls("POST", "/company") == 1


async def test_a_creation_whose_answer_was_lost_shows_in_the_list(bench: Bench) -> None:
    provider = bench.provider()
    bench.lose = lambda request: request.method == "POST"
    with pytest.raises(ProviderBroken) as caught:
        await provider.create_company("Acme Ltd", "acme")
    assert caught.value.lost
    assert [each.external_id for each in (await provider.companies()).companies] == ["acme"]


async def test_the_providers_clock_is_the_one_that_counts(bench: Bench) -> None:
    provider = bench.provider()
    company, sites = await bench.company()
    await bench.sandbox.trouble("clock_skew", seconds=600)
    link = await provider.links.invite(company, sites, {}, HOUR)
    assert link.provider_given_at == bench.clock.now() + 600
    assert provider.provider_now() == bench.clock.now() + 600

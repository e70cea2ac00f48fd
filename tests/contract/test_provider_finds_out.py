"""Our client against the sandbox: what it finds out of the provider by itself, and reads beside the lists."""

from fnmatch import fnmatch
from typing import get_args

import httpx
import pytest

from service.domain.model import ConnectionId
from service.domain.provider_steps import LogStep
from service.provider import CallLimits, InvitationTerms, Provider, ProviderAccount
from service.settings import PathGeneration
from tests.support.provider_bench import PAGES_URL, Bench
from tests.support.provider_user import ProviderUser
from tests.support.sandbox_client import GUIDE

both_generations = pytest.mark.parametrize("paths", get_args(PathGeneration))


@both_generations
async def test_the_log_of_an_invitation_tells_what_its_user_did(bench: Bench, paths: PathGeneration) -> None:
    provider, user = bench.provider(paths), ProviderUser(bench.sandbox)
    company, sites = await bench.company()
    terms = InvitationTerms(3600, "ada@example.com")
    link = await provider.links.invite(company, sites, {"url": GUIDE["url"]}, terms)
    assert link.invitation_id is not None
    assert await provider.links.log(link.invitation_id) == ()
    await user.open(link.url)
    await user.press("Confirm", email="ada@example.com")
    await user.sign_in()
    await user.connect()
    await provider.links.revoke_invitation(link.invitation_id)
    log = await provider.links.log(link.invitation_id)
    assert [entry.step for entry in log] == [*LogStep]
    assert {entry.provider_at for entry in log} == {bench.clock.now()}


@both_generations
async def test_uploaded_bills_are_in_the_companys_list_alone_and_name_their_job(
    bench: Bench, paths: PathGeneration
) -> None:
    provider = bench.provider(paths)
    company, sites = await bench.company()
    connection = ConnectionId((await bench.sandbox.connect(company, sites))["id"])
    await bench.sandbox.post(f"/job/company/{company}/bulk", {"documents": ["https://files.example/gas-may.pdf"]})
    bench.clock.advance(60)
    pages = [await provider.data.company_document_page(company, number) for number in (1, 2)]
    (uploaded,) = [bill for page in pages for bill in page.items if bill.get("jobId")]
    own = [await provider.data.document_page(connection, company, number) for number in (1, 2)]
    assert uploaded["id"] not in {bill["id"] for page in own for bill in page.items}


@pytest.mark.parametrize("served", get_args(PathGeneration))
async def test_the_generation_that_is_served_is_found_out(bench: Bench, served: PathGeneration) -> None:
    missing = "/v2.2/company/*/connection" if served == "reference" else "/v2.2/connection/company/*"
    bench.lacks = lambda request: fnmatch(request.url.path, missing)
    company, _ = await bench.company()
    found: list[PathGeneration] = []

    async def note(generation: PathGeneration) -> None:
        found.append(generation)

    provider = bench.provider("auto", served=note)
    for _ in range(2):
        assert await provider.connections(company) == ()
    assert found == (["company"] if served == "company" else [])


async def test_a_key_that_has_ended_gives_way_to_the_other(bench: Bench) -> None:
    account = ProviderAccount("http://sandbox.test/v2.2", PAGES_URL, "ended", "auto", ("sandbox-key",))
    http = httpx.AsyncClient(transport=httpx.MockTransport(bench.carry))
    provider = Provider(http, account, CallLimits(bench.clock.now, bench.sleep))
    await provider.ping()
    await provider.ping()
    noted = (await bench.sandbox.plain("GET", "/_control/requests")).json()["requests"]
    assert [each["status"] for each in noted] == [401, 200, 200]

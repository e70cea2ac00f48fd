"""A provider whose lists have items that cannot be read: the rest is recorded, and nothing is created twice."""

from typing import Any

import httpx
import pytest

from tests.support.services import RunningServices
from tests.support.users import User


class Odd:
    """Puts an odd value into a field of one item of a list, wherever the list's path ends so."""

    def __init__(self, end: str, field: str, value: object, item: int = 0) -> None:
        self._end, self._field, self._value, self._item = end, field, value, item

    def __call__(self, request: httpx.Request, body: Any) -> Any:
        named = request.url.path.rpartition("/company/")[0] if self._end == "/invitation" else request.url.path
        items = body["invitations"] if self._end == "/invitation" and named.endswith(self._end) else body
        if named.endswith(self._end) and items:
            items[self._item][self._field] = self._value
        return body


@pytest.mark.parametrize("field", ["id", "status", "useCount", "createdAt", "expiresAt", "createdConnections"])
async def test_one_odd_invitation_hides_no_connection_of_its_company(
    services: RunningServices, ada: User, bob: User, field: str
) -> None:
    connection = await ada.connected()
    await bob.frame()
    carol = User(services, "carol")
    page = await carol.frame()
    await page.connect()
    services.outgoing.reshape = Odd("/invitation", field, [], item=-1)  # Ada's, which is the oldest
    await page.finish()
    (found,) = await carol.connections()
    assert (found["sessionId"], found["evidence"]["kind"]) == (page.id, "invitation")
    assert [one["id"] for one in await ada.connections()] == [connection["id"]]


async def test_what_cannot_be_read_is_counted(services: RunningServices, ada: User) -> None:
    await ada.frame()
    services.outgoing.reshape = Odd("/invitation", "useCount", None)
    await services.later(60)
    assert 'magiclink_provider_unread_items_total{kind="invitation"} ' in services.parts.metrics.render(streams=0)


async def test_a_magic_link_waits_for_an_invitation_that_cannot_be_read(
    services: RunningServices, ada: User, bob: User
) -> None:
    await bob.session()
    services.outgoing.reshape = Odd("/invitation", "useCount", "many")
    page = await ada.frame(link="magic_link")
    await page.connect()
    await page.finish()
    await services.later(300)
    (found,) = await services.rows("/v1/connections", attributed="false")
    assert found["confirming"]
    services.outgoing.reshape = None
    await services.later(60)
    assert (await ada.newest())["evidence"]["kind"] == "sole_candidate"


@pytest.mark.parametrize(("field", "value"), [("id", None), ("externalId", []), ("externalId", {})])
async def test_a_company_that_is_listed_and_cannot_be_read_is_not_created_again(
    services: RunningServices, ada: User, field: str, value: object
) -> None:
    await services.sandbox.post("/company", {"name": "Acme Ltd", "externalId": "acme"})
    services.outgoing.reshape = Odd("/company", field, value)
    session = await ada.session()
    await services.later(60)
    assert (await services.get(f"/v1/sessions/{session['id']}"))["link"]["status"] == "pending"
    services.outgoing.reshape = None
    await services.later(60)
    assert (await services.get(f"/v1/sessions/{session['id']}"))["link"]["status"] == "ready"
    assert len(await services.sandbox.get("/company")) == 1


async def test_a_company_of_another_name_that_cannot_be_read_stops_nobody(services: RunningServices, ada: User) -> None:
    await services.sandbox.post("/company", {"name": "Another", "externalId": "another"})
    services.outgoing.reshape = Odd("/company", "externalId", [])
    session = await ada.session()
    assert (await services.get(f"/v1/sessions/{session['id']}"))["link"]["status"] == "ready"


@pytest.mark.parametrize("sites", [[{"externalId": {}}], None, {}, "absent"], ids=["id", "null", "object", "absent"])
async def test_a_site_that_is_listed_and_cannot_be_read_is_not_created_again(
    services: RunningServices, ada: User, sites: Any
) -> None:
    company = await services.sandbox.post("/company", {"name": "Acme Ltd", "externalId": "acme"})
    path = f"/company/{company['id']}/site"
    await services.sandbox.post(path, {"name": "Headquarters", "externalId": "hq"})

    def odd_site(request: httpx.Request, body: Any) -> Any:
        if request.url.path.endswith(f"/company/{company['id']}"):
            body["sites"] = [body["sites"][0] | sites[0]] if isinstance(sites, list) else sites
            if sites == "absent":
                del body["sites"]
        return body

    services.outgoing.reshape = odd_site
    session = await ada.session()
    await services.later(30)
    assert (await services.get(f"/v1/sessions/{session['id']}"))["link"]["status"] == "pending"
    services.outgoing.reshape = None
    await services.later(60)
    (listed,) = await services.sandbox.get("/company")
    assert len(listed["sites"]) == 1


@pytest.mark.parametrize("answer", [httpx.Response(500), httpx.Response(200, json={"results": {}})], ids=str)
async def test_a_list_of_invitations_that_fails_for_long_hides_no_connection(
    services: RunningServices, ada: User, answer: httpx.Response
) -> None:
    page = await ada.frame(link="magic_link")
    await page.connect()

    def fail(request: httpx.Request) -> httpx.Response | None:
        return answer if request.method == "GET" and "/invitation/company/" in request.url.path else None

    services.outgoing.instead = fail
    await page.finish()
    (found,) = await services.rows("/v1/connections", attributed="false")
    assert found["confirming"]
    services.outgoing.instead = lambda _request: None
    await services.later(60)
    assert (await ada.newest())["evidence"]["kind"] == "sole_candidate"

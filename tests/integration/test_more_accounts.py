"""Several accounts in one session by invitations: one after the other, each with exact evidence, up to the limit."""

import asyncio
from typing import Any

import httpx

from tests.support.sandbox_client import JsonObject
from tests.support.services import RunningServices, refused
from tests.support.users import FramePage, TopPage, User


def refuse_invitations(request: httpx.Request) -> httpx.Response | None:
    refused = request.method == "POST" and "/invitation/company/" in request.url.path
    return httpx.Response(400, json={"message": "no invitations"}) if refused else None


async def another(page: FramePage) -> JsonObject:
    answer = await page.post("another")
    assert answer.status_code == 200, answer.text
    view: JsonObject = answer.json()
    return view


async def first_account(ada: User, **fields: Any) -> FramePage:
    page = await ada.frame(link="invitation", **fields)
    await page.connect()
    assert (await page.finish())["status"] == "connected"
    return page


async def invitations(page: FramePage) -> list[JsonObject]:
    company = (await page.stored())["company"]["id"]
    listed: Any = await page.services.sandbox.get(f"/invitation/company/{company}")
    rows: list[JsonObject] = listed["invitations"] if isinstance(listed, dict) else listed
    return rows


async def test_only_a_started_page_may_ask(services: RunningServices, ada: User) -> None:
    page = FramePage(services, await ada.session(maxConnections=2))
    refused(await page.post("another"), 404, "not_found")
    await page.start()
    page.key = "a-key-somebody-made-up"
    refused(await page.post("another"), 409, "taken_over")


async def test_without_room_a_page_asks_in_vain(ada: User) -> None:
    page = await first_account(ada)
    assert (await page.view())["another"] is None
    view = await another(page)
    await page.services.drain()
    assert (view["another"], view["status"]) == (None, "connected")
    assert len(await invitations(page)) == 1


async def test_nor_before_the_account_before_is_recorded(ada: User) -> None:
    page = await ada.frame(link="invitation", maxConnections=2)
    assert (await another(page))["another"] is None
    await page.services.drain()
    assert len(await invitations(page)) == 1


async def test_each_account_has_an_invitation_of_its_own_and_exact_evidence(ada: User) -> None:
    page = await first_account(ada, maxConnections=3)
    urls = [(await page.view())["link"]["url"]]
    for number in (2, 3):
        view = await another(page)
        assert (view["another"], view["link"]["url"], view["status"]) == ("asked", None, "connected")
        await page.services.drain()
        urls.append((await page.view())["link"]["url"])
        await page.connect()
        view = await page.finish()
        assert len(view["connections"]) == number
    assert view["another"] is None
    assert len({*urls}) == 3
    stored = await page.stored()
    assert (stored["status"], len(stored["connections"])) == ("connected", 3)
    for one in await ada.connections():
        assert (one["sessionId"], one["evidence"]["kind"], one["evidence"]["presumed"]) == (
            page.id,
            "invitation",
            False,
        )
    assert [row["status"] for row in await invitations(page)] == ["FULFILLED"] * 3


async def test_two_clicks_at_once_make_one_invitation(ada: User) -> None:
    page = await first_account(ada, maxConnections=5)
    views = await asyncio.gather(*(another(page) for _ in range(4)))
    await page.services.drain()
    assert {view["another"] for view in views} == {"asked"}
    assert len(await invitations(page)) == 2


async def test_a_process_that_dies_after_the_click_leaves_the_next_link_to_another(ada: User) -> None:
    page = await first_account(ada, maxConnections=2)
    services = page.services
    assert (await another(page))["another"] == "asked"
    await services.die()
    page.http = services.web()
    await services.later(60)
    view = await page.view()
    assert (view["another"], view["link"]["status"]) == ("asked", "ready")
    assert (await another(page))["link"]["url"] == view["link"]["url"]
    await page.connect()
    assert len((await page.finish())["connections"]) == 2
    assert len(await invitations(page)) == 2


async def test_while_the_second_is_waited_for_its_page_learns_what_is_known_of_it(ada: User) -> None:
    page = await first_account(ada, maxConnections=2)
    await another(page)
    await page.services.drain()
    view = await page.finish()
    assert (view["status"], view["finished"], view["waiting"]) == ("connected", True, "nothing")
    types = await page.event_types()
    assert types.count("session.finished") == 2


async def test_a_provider_that_refuses_the_next_link_takes_nothing_away(services: RunningServices, ada: User) -> None:
    page = await first_account(ada, maxConnections=2)
    services.outgoing.instead = refuse_invitations
    await another(page)
    await services.later(0)
    view = await page.view()
    assert (view["status"], view["link"]["status"], view["another"]) == ("connected", "failed", "possible")
    assert "session.failed" not in await page.event_types()
    services.outgoing.instead = lambda _request: None
    assert (await another(page))["another"] == "asked"
    await services.drain()
    await page.connect()
    assert len((await page.finish())["connections"]) == 2


async def test_in_the_redirect_flow_it_is_the_same(services: RunningServices, ada: User) -> None:
    page: TopPage = await ada.browser(link="invitation", maxConnections=2)
    await page.connect()
    await page.post("finished")
    await services.drain()
    assert (await page.view())["another"] == "possible"
    await page.post("another")
    await services.drain()
    assert (await page.view())["another"] == "asked"


async def test_after_a_renewal_the_page_asks_again_for_what_was_not_connected(
    services: RunningServices, ada: User
) -> None:
    page = await first_account(ada, maxConnections=2)
    await another(page)
    await services.drain()
    before = (await page.view())["link"]["url"]
    fresh = FramePage(services, await services.post(f"/v1/sessions/{page.id}/renew"))
    await services.drain()
    view = await fresh.start(take_over=True)
    assert (view["status"], view["another"], view["link"]["url"]) == ("connected", "possible", None)
    await another(fresh)
    await services.drain()
    view = await fresh.view()
    assert view["another"] == "asked"
    assert view["link"]["url"] not in {None, before}
    await fresh.connect()
    assert len((await fresh.finish())["connections"]) == 2

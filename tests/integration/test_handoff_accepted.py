"""A phone that goes on with a session: what it may do, what the page before sees, and which page brings the result."""

from tests.support.phone import Phone, at_top, goes_on, offered
from tests.support.services import HOST_URL, RunningServices, refused
from tests.support.users import NAVIGATION, FramePage, User, asked_in, screen


async def test_the_phone_goes_on_and_the_page_before_follows_without_the_link(
    services: RunningServices, ada: User
) -> None:
    page = await ada.frame()
    top = await goes_on(services, page)
    assert (await top.view())["link"]["url"]
    assert (await top.view())["onPhone"] is False
    before = await page.view()
    assert (before["onPhone"], before["link"]["url"], before["doneUrl"]) == (True, None, None)
    refused(await page.post("finished"), 409, "taken_over")
    refused(await page.post("heartbeat"), 409, "taken_over")
    await top.connect()
    done = await top.finish()
    after = await page.view()
    assert (after["status"], after["onPhone"], len(after["connections"])) == ("connected", True, 1)
    assert (await ada.newest())["evidence"]["crossDevice"] is True
    # The host may not know the phone's browser: the way ends there, and the first page has the result.
    assert (done.status_code, "Your account is connected." in done.text) == (200, True)


async def test_a_form_that_is_sent_twice_starts_one_page(services: RunningServices, ada: User) -> None:
    page = await ada.frame()
    offer = await offered(page)
    phone = Phone(services, offer["url"])
    await phone.open()
    first, second = await phone.type(offer["code"]), await phone.type(offer["code"])
    assert (first.status_code, second.status_code) == (303, 303)
    assert first.headers["set-cookie"].split(";")[0] == second.headers["set-cookie"].split(";")[0]
    events = await services.rows(f"/v1/sessions/{page.id}/events")
    opened = [one["data"] for one in events if one["type"] == "session.opened"]
    assert opened == [{"crossDevice": False}, {"crossDevice": True}]


async def test_the_first_page_may_go_on_itself_which_ends_the_phones(services: RunningServices, ada: User) -> None:
    page = await ada.frame()
    top = await goes_on(services, page)
    assert (await page.start())["link"]["url"] is None
    assert (await page.start(take_over=True))["link"]["url"]
    refused(await top.http.get(top.live, headers={"Accept": "application/json"}), 409, "taken_over")
    assert (await page.view())["onPhone"] is False


async def test_a_page_that_follows_goes_on_following_after_a_reload(services: RunningServices, ada: User) -> None:
    page = await ada.frame()
    top = await goes_on(services, page)
    again = page.reloaded()
    view = await again.start()
    assert (view["onPhone"], view["link"]["url"], view["doneUrl"]) == (True, None, None)
    assert (await again.view())["onPhone"] is True
    refused(await page.ask(), 409, "taken_over")  # the reload ended it
    refused(await again.post("finished"), 409, "taken_over")
    assert (await top.view())["link"]["url"]
    events = await services.rows(f"/v1/sessions/{page.id}/events")
    assert [one["data"]["crossDevice"] for one in events if one["type"] == "session.opened"] == [False, True]
    await top.connect()
    await top.finish()
    once_more = again.reloaded()
    assert ((await once_more.start())["status"], (await once_more.view())["onPhone"]) == ("connected", True)


async def test_only_the_resume_value_of_the_page_before_follows(services: RunningServices, ada: User) -> None:
    page = await ada.frame()
    top = await goes_on(services, page)
    stranger = FramePage(services, page.session)
    refused(await stranger.ask_to_start(), 409, "already_open")
    stranger.resume = None
    refused(await stranger.ask_to_start(), 409, "already_open")
    assert (await top.view())["link"]["url"]
    # Once the first page has taken over, nothing of the hand-off is left that a later page could follow with.
    await page.reloaded().start(take_over=True)
    third = FramePage(services, page.session)
    await third.start(take_over=True)
    refused(await page.reloaded().ask_to_start(), 409, "already_open")


async def test_a_page_that_neither_goes_on_nor_follows_sees_nothing(services: RunningServices, ada: User) -> None:
    earlier = await ada.frame()
    page = FramePage(services, earlier.session)
    await page.start(take_over=True)
    await goes_on(services, page)
    refused(await earlier.ask(), 409, "taken_over")
    assert (await page.view())["onPhone"] is True
    third = FramePage(services, page.session)
    await third.start(take_over=True)
    refused(await page.ask(), 409, "taken_over")


async def test_the_redirect_flow_is_passed_on_too_and_its_first_page_brings_the_result(
    services: RunningServices, ada: User
) -> None:
    first = await ada.browser()
    answer = await first.http.post(
        f"{first.path}/handoff", json={}, headers=NAVIGATION | {"Accept": "application/json"}
    )
    offer = answer.json()
    phone = Phone(services, offer["url"])
    top = at_top(phone, first, await phone.type(offer["code"]))
    assert (await first.view())["doneUrl"] is None
    await top.connect()
    await top.finish()
    back = await first.get((await first.view())["doneUrl"])
    assert back.status_code == 303
    assert back.headers["location"].startswith(HOST_URL)
    verified = await services.post("/v1/verify", {"state": asked_in(back)["state"], "userId": "ada"})
    assert verified["status"] == "connected"


async def test_the_phone_may_leave_and_ends_on_our_own_page(services: RunningServices, ada: User) -> None:
    page = await ada.frame()
    top = await goes_on(services, page)
    left = await top.post("exit")
    assert (left.status_code, "You have left." in screen(left).text) == (200, True)
    assert (await page.view())["status"] == "exited"
    assert (await page.start(take_over=True))["link"]["url"]


async def test_the_page_that_follows_may_leave_and_the_phone_goes_on(services: RunningServices, ada: User) -> None:
    first = await ada.browser()
    accept = NAVIGATION | {"Accept": "application/json"}
    offer = (await first.http.post(f"{first.path}/handoff", json={}, headers=accept)).json()
    phone = Phone(services, offer["url"])
    top = at_top(phone, first, await phone.type(offer["code"]))
    left = await first.post("exit")
    assert (left.status_code, left.headers["location"].startswith(HOST_URL)) == (303, True)
    assert (await top.view())["status"] == "opened"
    await top.connect()
    await top.finish()
    assert (await first.view())["status"] == "connected"

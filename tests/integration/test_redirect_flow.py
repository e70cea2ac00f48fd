"""The redirect flow, walked through by a person whose browser has cookies and runs no script."""

from dataclasses import replace
from http.cookies import SimpleCookie

import httpx
import pytest

from tests.support.clock import Clock
from tests.support.services import HOST_URL, RETURN_URL, SANDBOX_URL, RunningServices
from tests.support.users import NAVIGATION, SCRIPT, TopPage, User, asked_in, check_page, refused_page, screen


async def test_a_get_shows_one_button_and_starts_spends_and_sets_nothing(services: RunningServices, ada: User) -> None:
    page = TopPage(services, await ada.session(userEmail="ada@example.com"))
    for _ in range(3):
        answer = await page.get()
        assert answer.status_code == 200
        check_page(answer)
        assert "set-cookie" not in answer.headers
        (form,) = screen(answer).forms
        assert form.action == f"{page.path}/start"
    assert "a•••@example.com" in answer.text
    assert "Acme Ltd" in answer.text
    assert (await page.stored())["status"] == "created"
    assert "session.opened" not in await page.event_types()


async def test_the_first_page_names_nothing_that_a_stranger_should_learn(services: RunningServices, ada: User) -> None:
    page = TopPage(services, await ada.session())
    answer = await page.get()
    for secret in (page.id, "/p/i/", "ada"):
        assert secret not in answer.text


@pytest.mark.parametrize(
    "headers",
    [
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Sec-Fetch-Site": "cross-site", "Origin": "null"},
    ],
)
@pytest.mark.parametrize("verb", ["start", "finished", "exit", "heartbeat"])
async def test_a_form_that_another_site_posts_is_refused(
    services: RunningServices, ada: User, verb: str, headers: dict[str, str]
) -> None:
    page = TopPage(services, await ada.session())
    refused_page(await page.post(verb, **headers), 403, "forbidden")
    assert (await page.stored())["status"] == "created"


async def test_a_form_with_a_foreign_origin_and_no_other_word_is_refused(services: RunningServices, ada: User) -> None:
    page = TopPage(services, await ada.session())
    refused_page(await page.http.post(f"{page.path}/start", headers={"Origin": HOST_URL}), 403, "forbidden")


@pytest.mark.parametrize("verb", ["finished", "exit", "heartbeat"])
async def test_a_browser_that_did_not_start_the_page_can_do_nothing_with_it(
    services: RunningServices, ada: User, verb: str
) -> None:
    mine = await ada.browser()
    theirs = TopPage(services, mine.session)
    refused_page(await theirs.post(verb), 404, "not_found")
    assert (await mine.stored())["status"] == "opened"


async def test_starting_answers_303_and_a_first_party_cookie_that_scripts_cannot_read(
    services: RunningServices, ada: User
) -> None:
    page = TopPage(services, await ada.session())
    answer = await page.post("start")
    assert (answer.status_code, answer.headers["location"]) == (303, page.path)
    cookie = answer.headers["set-cookie"]
    assert cookie.startswith("__Host-")
    for word in ("HttpOnly", "Secure", "SameSite=lax", "Path=/"):
        assert word in cookie
    assert "Domain" not in cookie


async def test_the_started_page_shows_the_provider_and_works_by_forms_alone(ada: User) -> None:
    page = await ada.browser()
    answer = await page.get()
    check_page(answer)
    link = (await page.view())["link"]["url"]
    assert link.startswith(f"{SANDBOX_URL}/p/i/")
    assert f'src="{link}"' in answer.text
    actions = {form.action for form in screen(answer).forms}
    assert {f"{page.path}/finished", f"{page.path}/exit"} <= actions
    policy = answer.headers["content-security-policy"]
    assert f"frame-src {SANDBOX_URL} 'self'" in policy
    assert f"form-action 'self' {HOST_URL}" in policy


async def test_an_account_is_connected_and_the_browser_returns_to_the_host_with_a_result(
    services: RunningServices, ada: User
) -> None:
    page = await ada.browser(returnUrl=f"{RETURN_URL}?from=settings&tab=2")
    assert (await page.connect()).screen.step == "done"
    answer = await page.finish()
    assert answer.status_code == 303
    assert answer.headers["location"].startswith(f"{RETURN_URL}?from=settings&tab=2&sessionId=")
    assert (answer.headers["cache-control"], answer.headers["referrer-policy"]) == ("no-store", "no-referrer")
    reported = asked_in(answer)
    connection = await ada.newest()
    assert (reported["sessionId"], reported["status"], reported["connectionId"]) == (
        page.id,
        "connected",
        connection["id"],
    )
    assert connection["userId"] == "ada"
    verified = await services.post("/v1/verify", {"state": reported["state"], "userId": "ada"})
    assert (verified["sessionId"], verified["connectionId"]) == (page.id, connection["id"])


async def test_a_refresh_of_the_started_page_goes_on_where_it_was(ada: User) -> None:
    page = await ada.browser()
    first, second = await page.get(), await page.get()
    assert first.text == second.text
    assert (await page.post("start")).status_code == 303
    assert (await page.event_types()).count("session.opened") <= 2


async def test_a_start_by_script_gives_the_key_to_the_cookie_alone(ada: User) -> None:
    page = TopPage(ada.services, await ada.session())
    answer = await page.http.post(f"{page.path}/start", json={}, headers=SCRIPT)
    assert answer.status_code == 200, answer.text
    cookie = SimpleCookie(answer.headers["set-cookie"])
    (key,) = (morsel.value for morsel in cookie.values())
    assert len(key) >= 32
    assert key not in answer.text
    assert answer.json()["pageKey"] is None
    assert (await page.view())["status"] == "opened"


async def test_without_a_return_address_the_flow_ends_on_our_own_page(ada: User) -> None:
    page = await ada.browser(returnUrl=None)
    await page.connect()
    answer = await page.finish()
    assert answer.status_code == 200
    check_page(answer)
    assert "connected" in answer.text.lower()
    assert "location" not in answer.headers


async def test_our_own_page_says_when_the_only_account_stopped_working_meanwhile(
    services: RunningServices, ada: User
) -> None:
    page = await ada.browser(returnUrl=None)
    await page.connect()
    assert "Your account is connected." in (await page.finish()).text
    services.clock.advance(30)
    await services.sandbox.trouble("status_change", status="PASSWORD_INCORRECT")
    await services.deliver_webhooks()
    answer = await page.finish()
    assert "Your account needs attention." in answer.text
    assert "connected." not in answer.text


async def test_a_return_address_that_is_no_longer_allowed_is_not_used(services: RunningServices, ada: User) -> None:
    page = await ada.browser()
    await services.close()
    services.settings = replace(services.settings, allowed_origins=("https://new.example.com",))
    await services.open()
    await page.connect()
    answer = await page.finish()
    assert answer.status_code == 200
    assert "location" not in answer.headers


async def test_leaving_answers_the_host_that_the_person_left(services: RunningServices, ada: User) -> None:
    page = await ada.browser()
    answer = await page.post("exit")
    assert answer.status_code == 303
    reported = asked_in(answer)
    assert (reported["status"], "connectionId" in reported) == ("exited", False)
    assert (await services.post("/v1/verify", {"state": reported["state"], "userId": "ada"}))["status"] == "exited"
    (left,) = [e for e in await services.rows(f"/v1/sessions/{page.id}/events") if e["type"] == "session.exited"]
    assert left["data"] == {"stage": "page", "reason": "left"}


async def test_a_second_browser_is_asked_whether_to_take_over_and_says_for_whom(
    services: RunningServices, ada: User
) -> None:
    first = await ada.browser(userLabel="Ada Lovelace")
    second = TopPage(services, first.session)
    asked = await second.post("start")
    assert asked.status_code == 409
    check_page(asked)
    assert "Acme Ltd" in asked.text
    assert "A••• L•••" in asked.text
    (form,) = screen(asked).forms
    assert (form.action, form.values["takeOver"]) == (f"{second.path}/start", ["true"])
    assert "set-cookie" not in asked.headers
    await second.press_start({"takeOver": "true"})
    assert (await second.view())["link"]["url"]
    refused_page(await first.post("finished"), 409, "taken_over")


async def test_two_flows_in_one_browser_have_two_cookies(services: RunningServices, ada: User) -> None:
    first = await ada.browser()
    second = TopPage(services, await ada.session())
    second.http = first.http
    await second.press_start()
    assert (await first.view())["sessionId"] == first.id
    assert (await second.view())["sessionId"] == second.id


async def test_a_browser_keeps_the_keys_of_its_newest_flows_and_no_more_than_it_can_send(
    services: RunningServices, ada: User
) -> None:
    pages = [TopPage(services, await ada.session()) for _ in range(25)]
    for page in pages:
        page.http = pages[0].http
        await page.press_start()
        assert (await page.view())["link"]["url"]
    assert len(pages[0].http.cookies) == 20
    assert [(await page.http.get(page.live, headers=SCRIPT)).status_code for page in pages] == [404] * 5 + [200] * 20


async def test_a_page_whose_link_is_not_there_yet_refreshes_by_itself(services: RunningServices, ada: User) -> None:
    services.outgoing.is_down = True
    page = await ada.browser()
    waiting = await page.get()
    assert waiting.status_code == 200
    assert 'http-equiv="refresh"' in waiting.text
    services.outgoing.is_down = False
    await services.later(5)
    assert f"{SANDBOX_URL}/p/i/" in (await page.get()).text


async def test_http_in_development_has_a_cookie_that_works_without_https(clock: Clock, database_url: str) -> None:
    services = RunningServices(clock, database_url, public_url="http://localhost:8000")
    await services.open()
    made = await User(services, "ada").session()
    async with httpx.AsyncClient(transport=services.transport, base_url="http://localhost:8000") as http:
        path = made["redirectUrl"].removeprefix("http://localhost:8000")
        answer = await http.post(f"{path}/start", headers=NAVIGATION | {"Origin": "http://localhost:8000"})
        assert "Secure" not in answer.headers["set-cookie"]
        assert (await http.get(path)).text.count("/p/i/") >= 1
    await services.close()


async def test_an_embed_token_starts_no_redirect_flow(services: RunningServices, ada: User) -> None:
    token = (await ada.session())["embedUrl"].rpartition("/")[2]
    http = services.web()
    refused_page(await http.get(f"/connect/{token}", headers={"Accept": "text/html"}), 404, "not_found")
    refused_page(await http.post(f"/connect/{token}/start", headers=NAVIGATION), 404, "not_found")


@pytest.mark.parametrize("token", ["x", "ses_x.y", "W10.abc", "%00", "é"])
async def test_a_token_that_nobody_here_signed_opens_nothing(services: RunningServices, token: str) -> None:
    refused_page(await services.web().get(f"/connect/{token}"), 404, "not_found")
    refused_page(await services.web().post(f"/connect/{token}/start", headers=NAVIGATION), 404, "not_found")


@pytest.mark.parametrize("kind", ["application/json; charset=utf-8", "text/plain", "multipart/form-data; boundary=x"])
async def test_a_form_of_another_kind_is_refused(services: RunningServices, ada: User, kind: str) -> None:
    page = TopPage(services, await ada.session())
    headers = NAVIGATION | {"Content-Type": kind}
    answer = await page.http.post(f"{page.path}/start", content=b"takeOver=true", headers=headers)
    assert answer.status_code == 415
    assert (await page.stored())["status"] == "created"

"""The way back: a state is a reason to poll and never evidence; whose page it is for, how often, how late."""

import asyncio
from urllib.parse import quote

import pytest

from service.domain.tokens import CallbackState
from service.signing import Signer
from tests.support.provider_user import ProviderUser
from tests.support.services import HOST_URL, RETURN_URL, SECRET_KEY, SERVICE_URL, RunningServices, refused
from tests.support.users import NAVIGATION, FramePage, TopPage, User, asked_in, check_page, refused_page, screen

IFRAME = {"Sec-Fetch-Dest": "iframe", "Accept": "text/html"}
SIGNER = Signer([SECRET_KEY])


async def state_of(page: TopPage) -> str:
    """What the page's own Done button carries."""
    return str((await page.view())["doneUrl"]).removeprefix("/callback?state=")


@pytest.mark.parametrize(
    "query", ["", "?state=", "?state=x", "?state=W10.abc", "?state=%F0%9F", "?state=" + "a" * 9000]
)
async def test_a_state_that_nobody_here_signed_is_refused_and_leads_nowhere(
    services: RunningServices, query: str
) -> None:
    for headers in ({}, IFRAME):
        answer = await services.web().get(f"/callback{query}", headers=headers)
        refused_page(answer, 400, "bad_state")
        assert "location" not in answer.headers


async def test_every_single_changed_letter_of_a_state_is_refused(services: RunningServices, ada: User) -> None:
    page = await ada.browser()
    state = await state_of(page)
    swaps = {i: ("A" if webhook != "A" else "B") for i, webhook in enumerate(state)}
    for i, other in swaps.items():
        answer = await page.get(f"/callback?state={state[:i]}{other}{state[i + 1 :]}")
        assert answer.status_code == 400, i
    assert "session.finished" not in await services.event_types(page.id)


@pytest.mark.parametrize("kind", ["embedUrl", "redirectUrl"])
async def test_what_was_signed_for_another_purpose_is_no_state(services: RunningServices, ada: User, kind: str) -> None:
    token = (await ada.session())[kind].rpartition("/")[2]
    refused_page(await services.web().get(f"/callback?state={token}"), 400, "bad_state")


async def test_a_result_is_no_state_and_a_state_is_no_result(services: RunningServices, ada: User) -> None:
    page = await ada.browser()
    await page.connect()
    result = asked_in(await page.finish())["state"]
    refused_page(await page.get(f"/callback?state={result}"), 400, "bad_state")
    answer = await services.host.post("/v1/verify", json={"state": await state_of(page), "userId": "ada"})
    refused(answer, 422, "invalid_request", "/state")


async def test_a_state_signed_for_another_user_of_that_session_is_refused(ada: User) -> None:
    page = await ada.browser()
    forged = SIGNER.sign_state(CallbackState(page.id, "mallory", 1))  # type: ignore[arg-type]
    refused_page(await page.get(f"/callback?state={forged}"), 400, "bad_state")


async def test_a_state_of_a_session_that_is_not_there_is_refused(services: RunningServices) -> None:
    forged = SIGNER.sign_state(CallbackState("ses_00000000000000000000", "ada", 1))  # type: ignore[arg-type]
    refused_page(await services.web().get(f"/callback?state={forged}"), 400, "bad_state")


async def test_a_state_of_a_page_that_was_replaced_is_refused(services: RunningServices, ada: User) -> None:
    first = await ada.browser()
    state = await state_of(first)
    second = TopPage(services, first.session)
    await second.press_start({"takeOver": "true"})
    refused_page(await first.get(f"/callback?state={state}"), 409, "taken_over")
    assert "session.finished" not in await first.event_types()


async def test_a_state_that_comes_after_the_grace_finishes_nothing(services: RunningServices, ada: User) -> None:
    page = await ada.browser(expiresIn=60)
    state = await state_of(page)
    services.clock.advance(60 + 15 * 60 + 1)
    refused_page(await page.get(f"/callback?state={state}"), 410, "expired")
    assert "session.finished" not in await page.event_types()


@pytest.mark.parametrize("present", [True, False])
async def test_an_expired_page_leads_to_the_host_with_a_signed_result_for_a_day(
    services: RunningServices, ada: User, *, present: bool
) -> None:
    page = await ada.browser(expiresIn=60)
    for _ in range(33):
        await services.later(30)
        await page.post("heartbeat") if present else None
    view = await page.view()
    assert view["status"] == "expired"
    reported = asked_in(await page.get(view["doneUrl"]))
    assert (reported["sessionId"], reported["status"]) == (page.id, "expired")
    verified = await services.post("/v1/verify", {"state": reported["state"], "userId": "ada"})
    assert verified["status"] == "expired"
    assert "session.finished" not in await page.event_types()
    await services.later(24 * 3600)
    assert (await page.view())["doneUrl"] is None
    refused_page(await page.get(view["doneUrl"]), 400, "bad_state")


async def test_a_state_that_comes_within_the_grace_is_taken(services: RunningServices, ada: User) -> None:
    page = await ada.browser(expiresIn=60)
    state = await state_of(page)
    await page.connect()
    services.clock.advance(60 + 14 * 60)
    answer = await page.get(f"/callback?state={state}")
    assert asked_in(answer)["status"] == "connected"


async def test_somebody_elses_state_does_nothing_in_a_strangers_browser_but_ask(ada: User, mallory: User) -> None:
    hers, his = await ada.browser(), await mallory.browser()
    await hers.connect()
    answer = await his.get(f"/callback?state={await state_of(hers)}")
    assert answer.status_code == 200
    assert "Is this you?" in answer.text
    assert "location" not in answer.headers
    assert "session.finished" not in await hers.event_types()
    assert (await hers.view())["status"] == "opened"


async def test_a_connection_id_from_a_browser_is_a_hint_and_changes_no_owner(
    services: RunningServices, ada: User, mallory: User
) -> None:
    hers, his = await ada.browser(), await mallory.browser()
    await hers.connect()
    company = (await hers.stored())["company"]["id"]
    (made,) = (await services.sandbox.get(f"/company/{company}/connection"))["connections"]
    answer = await his.get(f"/callback?state={await state_of(his)}&connectionId={made['id']}")
    reported = asked_in(answer)
    assert (reported["sessionId"], reported["status"], "connectionId" in reported) == (his.id, "opened", False)
    assert await mallory.connections() == []
    await hers.finish()
    assert (await ada.newest())["id"] == made["id"]
    assert await mallory.connections() == []


@pytest.mark.parametrize("hint", ["", "x", "00000000-0000-4000-8000-000000000000", "'; DROP TABLE facts; --", "%00"])
async def test_any_hint_at_all_gives_the_same_answer(services: RunningServices, ada: User, hint: str) -> None:
    page = await ada.browser()
    await page.connect()
    state = await state_of(page)
    answer = await page.get(f"/callback?state={state}&connectionId={quote(hint)}")
    assert asked_in(answer)["connectionId"] == (await ada.newest())["id"]
    assert await services.event_types(page.id)


async def test_a_hundred_callbacks_at_once_record_once_and_answer_alike(services: RunningServices, ada: User) -> None:
    page = await ada.browser()
    await page.connect()
    path = f"/callback?state={await state_of(page)}"
    answers = await asyncio.gather(*(page.get(path) for _ in range(100)))
    assert {answer.status_code for answer in answers} == {303}
    assert len({answer.headers["location"] for answer in answers}) == 1
    assert asked_in(answers[0])["status"] == "connected"
    await services.drain()
    reported = await page.event_types()
    for once in ("session.finished", "connection.recorded", "session.connected"):
        assert reported.count(once) == 1
    assert len(await ada.connections()) == 1


async def test_a_repeat_goes_to_the_same_place_and_records_nothing_more(services: RunningServices, ada: User) -> None:
    page = await ada.browser()
    await page.connect()
    path = f"/callback?state={await state_of(page)}"
    first = await page.get(path)
    await services.drain()
    reported = await page.event_types()
    services.clock.advance(3600 * 24)
    again = await page.get(path)
    assert again.status_code == 303
    assert {k: v for k, v in asked_in(again).items() if k != "state"} == {
        k: v for k, v in asked_in(first).items() if k != "state"
    }
    assert await page.event_types() == reported


async def test_a_browser_without_the_cookie_is_asked_to_confirm_and_nothing_happens_before(
    services: RunningServices, ada: User
) -> None:
    page = await ada.browser(userLabel="Ada Lovelace")
    await page.connect()
    state = await state_of(page)
    other = TopPage(services, page.session)
    asked = await other.get(f"/callback?state={state}")
    assert asked.status_code == 200
    check_page(asked)
    assert "A••• L•••" in asked.text
    (form,) = screen(asked).forms
    assert (form.action, form.values) == ("/callback", {"state": [state]})
    assert "session.finished" not in await page.event_types()
    answer = await other.http.post(form.action, data=form.values, headers=NAVIGATION)
    assert answer.status_code == 303
    assert asked_in(answer)["status"] == "connected"
    assert "__Host-" in answer.headers["set-cookie"]
    assert len(await ada.connections()) == 1


async def test_the_confirmation_is_refused_from_another_site(services: RunningServices, ada: User) -> None:
    page = await ada.browser()
    state = await state_of(page)
    headers = NAVIGATION | {"Sec-Fetch-Site": "cross-site", "Origin": HOST_URL}
    refused_page(await services.web().post("/callback", data={"state": state}, headers=headers), 403, "forbidden")
    assert "session.finished" not in await page.event_types()


@pytest.mark.parametrize("fields", [{}, {"state": ""}, {"state": "x"}, {"State": "x"}])
async def test_a_confirmation_of_nothing_is_refused(services: RunningServices, fields: dict[str, str]) -> None:
    refused_page(await services.web().post("/callback", data=fields, headers=NAVIGATION), 400, "bad_state")


async def test_inside_our_own_frame_it_hands_over_and_shows_no_address(services: RunningServices, ada: User) -> None:
    frame = await ada.frame()
    state = SIGNER.sign_state(CallbackState(frame.id, "ada", 1))  # type: ignore[arg-type]
    answer = await services.web().get(f"/callback?state={state}", headers=IFRAME)
    assert answer.status_code == 200
    check_page(answer, ancestors=f"'self' {HOST_URL}")
    assert "location" not in answer.headers
    assert frame.id in answer.text
    for secret in (state, RETURN_URL, "/p/i/"):
        assert secret not in answer.text
    assert "session.finished" not in await frame.event_types()


async def test_a_revoked_session_returns_to_the_host_and_says_so(services: RunningServices, ada: User) -> None:
    page = await ada.browser()
    state = await state_of(page)
    await services.post(f"/v1/sessions/{page.id}/revoke")
    answer = await page.get(f"/callback?state={state}")
    assert asked_in(answer)["status"] == "revoked"
    assert "session.finished" not in await page.event_types()


async def test_a_provider_that_is_away_delays_the_record_and_not_the_user(services: RunningServices, ada: User) -> None:
    page = await ada.browser()
    await page.connect()
    services.outgoing.is_down = True
    told = screen(await page.finish())
    assert "The provider cannot be reached." in told.text
    answer = await page.get(f"/callback?state={await state_of(page)}")
    assert (answer.status_code, asked_in(answer)["status"]) == (303, "opened")
    services.outgoing.is_down = False
    await services.later(60)
    assert (await page.stored())["status"] == "connected"
    assert asked_in(await page.get(f"/callback?state={await state_of(page)}"))["status"] == "connected"


async def test_a_provider_that_sends_people_back_ends_the_flow_by_itself(
    services_with_redirects: RunningServices,
) -> None:
    ada = User(services_with_redirects, "ada")
    page = await ada.browser()
    user = await page.connect()
    back = user.last.headers["location"]
    assert back.startswith(f"{SERVICE_URL}/callback?state=")
    answer = await page.get(back)
    reported = asked_in(answer)
    connection = await ada.newest()
    assert (reported["status"], reported["connectionId"]) == ("connected", connection["id"])
    assert asked_in(user.last)["connectionId"] == connection["id"]


async def test_a_provider_that_sends_people_back_inside_the_frame_hands_over(
    services_with_redirects: RunningServices,
) -> None:
    ada = User(services_with_redirects, "ada")
    page = await ada.frame()
    user: ProviderUser = await page.connect()
    answer = await services_with_redirects.web().get(user.last.headers["location"], headers=IFRAME)
    assert answer.status_code == 200
    check_page(answer, ancestors=f"'self' {HOST_URL}")
    await services_with_redirects.drain()
    assert (await page.view())["status"] == "connected"


async def test_the_first_browser_at_the_providers_return_must_still_be_the_page(
    services_with_redirects: RunningServices,
) -> None:
    ada = User(services_with_redirects, "ada")
    page = await ada.browser()
    back = (await page.connect()).last.headers["location"]
    stranger = await services_with_redirects.web().get(back)
    assert (stranger.status_code, "location" in stranger.headers) == (200, False)
    assert asked_in(await page.get(back))["status"] == "connected"


async def test_without_the_switch_links_carry_no_way_back(services: RunningServices, ada: User) -> None:
    page = FramePage(services, await ada.session())
    await page.start()
    user = await page.connect()
    assert user.screen.step == "done"
    noted = (await services.sandbox.plain("GET", "/_control/requests")).text
    assert "redirect_uri" not in noted

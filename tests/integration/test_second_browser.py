"""A second browser of a session: what a script's start answers there, and a confirmation of what has ended."""

import pytest

from tests.support.services import RunningServices
from tests.support.users import NAVIGATION, SCRIPT, WRONG, TopPage, User, asked_in


@pytest.mark.parametrize("end", ["connected", "revoked"])
async def test_a_confirmation_of_what_has_ended_reports_it_and_binds_no_page(
    services: RunningServices, ada: User, end: str
) -> None:
    page = await ada.browser()
    state = str((await page.view())["doneUrl"]).removeprefix("/callback?state=")
    if end == "connected":
        await page.connect()
        await page.finish()
    else:
        await services.post(f"/v1/sessions/{page.id}/revoke")
    before = await page.event_types()
    answer = await services.web().post("/callback", data={"state": state}, headers=NAVIGATION)
    assert (answer.status_code, asked_in(answer)["status"]) == (303, end)
    assert "set-cookie" not in answer.headers
    assert await page.event_types() == before


async def test_a_start_by_a_script_answers_with_the_view_and_takes_over_only_when_it_says_so(ada: User) -> None:
    page = await ada.browser()
    other = TopPage(page.services, page.session)
    answer = await other.http.post(f"{page.path}/start", json={}, headers=SCRIPT)
    assert (answer.status_code, answer.json()["code"]) == (409, "already_open")
    answer = await other.http.post(f"{page.path}/start", json={"takeOver": True}, headers=SCRIPT)
    assert answer.status_code == 200
    assert "__Host-" in answer.headers["set-cookie"]
    assert (await other.view())["status"] == "opened"


async def test_a_finished_link_does_not_say_that_nothing_is_left_to_do_where_another_account_needs_its_user(
    services: RunningServices, ada: User
) -> None:
    page = await ada.browser(link="magic_link")
    await page.connect()
    await page.finish()
    stranger = TopPage(services, page.session)
    assert "There is nothing more to do." in (await stranger.get()).text
    await page.connect(WRONG)
    await services.later(60)
    assert len((await page.stored())["connections"]) == 2
    finished = (await stranger.get()).text
    assert "Your account is connected." in finished
    assert "There is nothing more to do." not in finished

"""An error page of a session that its caller knows has the session's language, look, help and way back; of no other."""

import httpx
import pytest

from tests.support.phone import Phone, offered
from tests.support.services import RETURN_URL, RunningServices
from tests.support.users import NAVIGATION, TopPage, User, refused_page

HELP_URL = "https://help.example.com/utilities"
LOOK = {"locale": "fr", "supportUrl": HELP_URL, "theme": {"name": "Prairie"}}


def is_of_the_session(answer: httpx.Response) -> bool:
    known = ('lang="fr"' in answer.text, f'href="{HELP_URL}"' in answer.text, "Prairie" in answer.text)
    assert len(set(known)) == 1, known
    return known[0]


async def test_a_page_that_was_taken_over_looks_like_its_session(services: RunningServices, ada: User) -> None:
    first = await ada.browser(**LOOK)
    back = (await first.view())["doneUrl"]
    await TopPage(services, first.session).press_start({"takeOver": "true"})
    for answer in (await first.get(back), await first.post("finished")):
        refused_page(answer, 409, "taken_over")
        assert is_of_the_session(answer)
    forged = await first.get(f"{back}x")
    refused_page(forged, 400, "bad_state")
    assert not is_of_the_session(forged)


async def test_a_form_that_comes_too_often_is_refused_in_the_sessions_language(ada: User) -> None:
    page = await ada.browser(**LOOK)
    answers = [await page.post("heartbeat") for _ in range(121)]
    refused_page(answers[-1], 429, "rate_limited")
    assert is_of_the_session(answers[-1])
    unknown = await page.get("/connect/unknown")
    refused_page(unknown, 404, "not_found")
    assert not is_of_the_session(unknown)


@pytest.mark.parametrize("way", ["finished", "callback", "confirmed"])
async def test_what_came_too_late_leads_back_to_the_host(services: RunningServices, ada: User, way: str) -> None:
    page = await ada.browser(expiresIn=60, **LOOK)
    back = (await page.view())["doneUrl"]
    services.clock.advance(60 + 15 * 60 + 1)  # and the job that expires the session has not run yet
    if way == "finished":
        answer = await page.post("finished")
    elif way == "callback":
        answer = await page.get(back)
    else:
        fields = {"state": back.rpartition("=")[2]}
        answer = await services.web().post("/callback", data=fields, headers=NAVIGATION)
    refused_page(answer, 410, "expired")
    assert is_of_the_session(answer)
    assert f'href="{RETURN_URL}?sessionId={page.id}&amp;status=expired&amp;state=' in answer.text


@pytest.mark.parametrize("end", ["expired", "revoked"])
async def test_the_phone_is_refused_in_the_sessions_language_without_a_way_to_the_host(
    services: RunningServices, ada: User, end: str
) -> None:
    page = await ada.frame(returnUrl=RETURN_URL, expiresIn=60, **LOOK)
    offer = await offered(page)
    if end == "revoked":
        await services.post(f"/v1/sessions/{page.id}/revoke")
    else:
        await services.later(60 + 16 * 60)
    phone = Phone(services, offer["url"])
    for answer in (await phone.open(), await phone.type(offer["code"])):
        refused_page(answer, 410, end)
        assert is_of_the_session(answer)
        assert RETURN_URL not in answer.text

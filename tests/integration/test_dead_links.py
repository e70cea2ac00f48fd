"""A dead redirect link leads somewhere: one button takes the person back to the host, which reads the outcome."""

import re
from html import unescape
from urllib.parse import parse_qsl, urlsplit

from tests.support.services import HOST_URL, RunningServices
from tests.support.users import TopPage, User, refused_page

RETURN_URL = f"{HOST_URL}/utilities/done"


async def onward(page: TopPage, code: str) -> dict[str, str]:
    answer = await page.get()
    refused_page(answer, 410, code)
    (address,) = re.findall(r'<a class="button main[^"]*"[^>]* href="([^"]+)"', answer.text)
    assert unescape(address).startswith(RETURN_URL)
    return dict(parse_qsl(urlsplit(unescape(address)).query))


async def test_an_expired_link_offers_a_way_to_a_new_one(services: RunningServices, ada: User) -> None:
    page = TopPage(services, await ada.session(expiresIn=60, returnUrl=RETURN_URL))
    services.clock.advance(61)
    reported = await onward(page, "expired")
    assert (reported["sessionId"], reported["status"]) == (page.id, "expired")
    result = await services.post("/v1/verify", {"state": reported["state"], "userId": "ada"})
    assert (result["sessionId"], result["status"]) == (page.id, "expired")


async def test_a_revoked_link_offers_it_too(services: RunningServices, ada: User) -> None:
    page = TopPage(services, await ada.session(returnUrl=RETURN_URL))
    await services.post(f"/v1/sessions/{page.id}/revoke")
    assert (await onward(page, "revoked"))["status"] == "revoked"


async def test_an_old_url_of_a_connected_session_names_no_connection_and_signs_nothing(
    services: RunningServices, ada: User
) -> None:
    page = await ada.browser(expiresIn=3600, returnUrl=RETURN_URL)
    await page.connect()
    await page.finish()
    await services.post(f"/v1/sessions/{page.id}/renew")
    services.clock.advance(3700)
    reported = await onward(TopPage(services, page.session), "expired")
    assert reported == {"sessionId": page.id, "status": "connected"}


async def test_pressing_the_button_of_a_dead_page_says_the_same(services: RunningServices, ada: User) -> None:
    page = TopPage(services, await ada.session(expiresIn=60, returnUrl=RETURN_URL))
    services.clock.advance(61)
    answer = await page.post("start")
    refused_page(answer, 410, "expired")
    assert RETURN_URL in unescape(answer.text)


async def test_without_a_way_back_a_dead_link_offers_none(services: RunningServices, ada: User) -> None:
    page = TopPage(services, await ada.session(expiresIn=60, returnUrl=None))
    services.clock.advance(61)
    answer = await page.get()
    refused_page(answer, 410, "expired")
    assert "button main" not in answer.text

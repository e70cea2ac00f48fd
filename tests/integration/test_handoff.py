"""Going on with a phone: the address and the code that a started page offers, what each refuses, and who follows."""

from service.domain.model import SessionId
from service.domain.timing import HANDOFF_SECONDS
from service.domain.tokens import HandoffToken
from service.signing import Signer
from tests.support.phone import Phone, offered
from tests.support.services import SECRET_KEY, RunningServices, refused
from tests.support.users import NAVIGATION, FramePage, User, check_page, refused_page

OVER = "This code no longer works."
NOT_THE_CODE = "That is not the code."


def other_than(code: str, step: int = 1) -> str:
    return f"{(int(code) + step) % 1_000_000:06d}"


async def is_over(phone: Phone, code: str) -> None:
    """It starts nothing any more, whatever is typed, and says so."""
    for answer in (await phone.open(), await phone.type(code)):
        assert (answer.status_code, OVER in answer.text) == (410, True)
        assert "set-cookie" not in answer.headers


async def test_an_offer_needs_the_page_key_of_the_page_that_is_bound(ada: User) -> None:
    page = await ada.frame()
    key, page.key = page.key, None
    refused(await page.post("handoff"), 404, "not_found")
    page.key = "x" * 43
    refused(await page.post("handoff"), 409, "taken_over")
    page.key = key
    refused(await page.post("handoff", None, **{"Sec-Fetch-Site": "cross-site"}), 403, "forbidden")
    assert set(await offered(page)) == {"id", "url", "code", "qr", "secondsLeft"}


async def test_an_offer_of_a_closed_or_finished_session_is_refused(services: RunningServices, ada: User) -> None:
    page = await ada.frame()
    await page.connect()
    await page.finish()
    refused(await page.post("handoff"), 409, "session_closed")
    revoked = await ada.frame()
    await services.post(f"/v1/sessions/{revoked.id}/revoke")
    refused(await revoked.post("handoff"), 410, "revoked")


async def test_an_address_that_we_did_not_sign_or_signed_for_something_else_leads_nowhere(
    services: RunningServices, ada: User
) -> None:
    page = await ada.frame()
    good = (await offered(page))["url"].rpartition("/")[2]
    embed, connect = (page.session[name].rpartition("/")[2] for name in ("embedUrl", "redirectUrl"))
    for token in (embed, connect, good[:-2], f"x{good}", "nothing"):
        refused_page(await Phone(services, f"/handoff/{token}").open(), 404, "not_found")
        refused_page(await Phone(services, f"/handoff/{token}").type("000000"), 404, "not_found")
    for path in (f"/connect/{good}", f"/embed/{good}"):
        refused_page(await services.web().get(path, headers={"Accept": "text/html"}), 404, "not_found")
    refused(await services.web().get(f"/live/{good}", headers={"Accept": "application/json"}), 404, "not_found")


async def test_the_address_names_company_and_masked_user_and_nothing_else(services: RunningServices, ada: User) -> None:
    page = await ada.frame(userLabel="ada@example.com")
    offer = await offered(page)
    answer = await Phone(services, offer["url"]).open()
    assert answer.status_code == 200
    check_page(answer)
    for words in ("Acme Ltd", "a•••@example.com"):
        assert words in answer.text
    link = (await page.view())["link"]["url"]
    secrets = (link, offer["code"], "ada@", "/connect/", "/embed/", page.session["redirectUrl"])
    assert [secret for secret in secrets if secret in answer.text] == []
    assert "set-cookie" not in answer.headers


async def test_a_stolen_address_does_not_reach_the_link(services: RunningServices, ada: User) -> None:
    page = await ada.frame()
    offer = await offered(page)
    mallory = Phone(services, offer["url"])
    await mallory.open()
    for answer in (await mallory.type(other_than(offer["code"])), await mallory.type("")):
        assert (answer.status_code, NOT_THE_CODE in answer.text) == (422, True)
        assert "set-cookie" not in answer.headers
    refused(await mallory.http.get(page.live, headers={"Accept": "application/json"}), 404, "not_found")
    assert (await page.view())["link"]["url"]


async def test_after_five_wrong_codes_the_right_one_is_refused_too(services: RunningServices, ada: User) -> None:
    page = await ada.frame()
    offer = await offered(page)
    phone = Phone(services, offer["url"])
    await phone.open()
    statuses = [(await phone.type(other_than(offer["code"], step))).status_code for step in range(1, 6)]
    assert statuses == [422, 422, 422, 422, 410]
    await is_over(phone, offer["code"])
    assert (await page.view())["spentHandoff"] == offer["id"]
    again = await offered(page)
    assert ((await page.view())["spentHandoff"], again["id"] != offer["id"]) == (None, True)
    assert again["url"] != offer["url"]
    assert (await Phone(services, again["url"]).type(again["code"])).status_code == 303


async def test_who_goes_on_guessing_wakes_the_page_no_more(services: RunningServices, ada: User) -> None:
    page = await ada.frame()
    offer = await offered(page)
    phone = Phone(services, offer["url"])
    async with services.parts.pubsub.subscribe(page.id) as signal:
        for step in range(1, 6):
            assert not signal.is_set()
            await phone.type(other_than(offer["code"], step))
        assert await signal.wait(0)
        assert (await phone.type(other_than(offer["code"]))).status_code == 410
        assert not signal.is_set()


async def test_an_address_is_good_for_five_minutes(services: RunningServices, ada: User) -> None:
    page = await ada.frame()
    offer = await offered(page)
    assert offer["secondsLeft"] == HANDOFF_SECONDS == 300
    services.clock.advance(HANDOFF_SECONDS - 2)
    assert (await Phone(services, offer["url"]).open()).status_code == 200
    services.clock.advance(2)
    await is_over(Phone(services, offer["url"]), offer["code"])


async def test_an_address_is_good_once(services: RunningServices, ada: User) -> None:
    page = await ada.frame()
    offer = await offered(page)
    assert (await Phone(services, offer["url"]).type(offer["code"])).status_code == 303
    await is_over(Phone(services, offer["url"]), offer["code"])
    # The page that made the offer waits now, and offers no other code before its user goes on there.
    assert "choose “Continue here instead” there first" in (await Phone(services, offer["url"]).open()).text


async def test_a_new_offer_ends_the_one_before(services: RunningServices, ada: User) -> None:
    page = await ada.frame()
    first, second = await offered(page), await offered(page)
    await is_over(Phone(services, first["url"]), first["code"])
    assert (await Phone(services, second["url"]).type(first["code"])).status_code == 422
    assert (await Phone(services, second["url"]).type(second["code"])).status_code == 303


async def test_an_offer_ends_when_its_page_leaves_or_another_page_takes_over(
    services: RunningServices, ada: User
) -> None:
    left = await ada.frame()
    offer = await offered(left)
    await left.post("exit", {"stage": "page", "reason": "closed"})
    await is_over(Phone(services, offer["url"]), offer["code"])
    page = await ada.frame()
    offer = await offered(page)
    await FramePage(services, page.session).start(take_over=True)
    await is_over(Phone(services, offer["url"]), offer["code"])


async def test_the_address_of_a_revoked_session_says_so(services: RunningServices, ada: User) -> None:
    page = await ada.frame()
    offer = await offered(page)
    await services.post(f"/v1/sessions/{page.id}/revoke")
    for answer in (await Phone(services, offer["url"]).open(), await Phone(services, offer["url"]).type(offer["code"])):
        refused_page(answer, 410, "revoked")


async def test_the_code_is_taken_from_our_own_page_only_and_within_limits(services: RunningServices, ada: User) -> None:
    offer = await offered(await ada.frame())
    phone = Phone(services, offer["url"])
    refused_page(await phone.type(offer["code"], **{"Sec-Fetch-Site": "cross-site"}), 403, "forbidden")
    refused_page(await phone.type("1" * 5000), 413, "too_large")
    odd = await phone.http.post(phone.path, content=b"{}", headers=NAVIGATION | {"Content-Type": "application/xml"})
    refused_page(odd, 415, "unsupported_media_type")
    for code in ("\ud800".encode("utf-8", "surrogatepass"), b"%00", "١٢٣٤٥٦".encode()):
        body = b"code=" + code
        headers = NAVIGATION | {"Content-Type": "application/x-www-form-urlencoded"}
        assert (await phone.http.post(phone.path, content=body, headers=headers)).status_code == 422


async def test_the_address_has_a_limit_of_its_own_which_stops_no_page_of_the_session(
    services: RunningServices, ada: User
) -> None:
    page = await ada.frame()
    offer = await offered(page)
    phone = Phone(services, offer["url"])
    answers = [(await phone.open()).status_code for _ in range(130)]
    assert set(answers) == {200, 429}
    refused_page(await phone.type(offer["code"]), 429, "rate_limited")
    assert (await page.post("heartbeat")).is_success
    again = Phone(services, (await offered(page))["url"])
    assert (await again.open()).status_code == 200


async def test_an_offer_of_an_unknown_session_is_not_found(services: RunningServices) -> None:
    token = Signer([SECRET_KEY]).sign_handoff(HandoffToken(SessionId("ses_unknown"), "n", int(services.clock.now())))
    refused_page(await Phone(services, f"/handoff/{token}").open(), 404, "not_found")
    refused_page(await Phone(services, f"/handoff/{token}").type("000000"), 404, "not_found")

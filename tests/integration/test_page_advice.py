"""What pages say that helps: steps, pages of help, hints of utilities, and the account that a reconnect is for."""

from typing import Any

import httpx
import pytest

from service.domain.status_words import all_words, words_for
from service.sandbox.wire.enums import STATUSES
from tests.support.connection_steps import broken, claim, reconnecting
from tests.support.sandbox_client import GUIDE, JsonObject
from tests.support.services import RunningServices
from tests.support.shown_text import shown_text
from tests.support.users import TopPage, User

CON_EDISON = "https://www.coned.com/login"
HELP = {
    "upload": "https://help.example.com/bills",
    "login": "mailto:help@example.com",
    "mfa": "https://help.example.com/2",
}
LADDER = [step.text for step in words_for("MFA_TOKEN_EXPIRED").steps]


async def arrives_as(services: RunningServices, page: TopPage, status: str) -> str:
    """Connect an account that the provider reports with this status, and finish; return what the page shows."""
    await page.connect()
    company = (await page.stored())["company"]["id"]
    await services.sandbox.trouble("status_change", status=status, times=1, companyId=company)
    await page.finish()
    return shown_text((await page.get()).text)


async def reconnect_page(services: RunningServices, connection: JsonObject, **fields: Any) -> TopPage:
    made = await services.post(f"/v1/connections/{connection['id']}/reconnect", fields)
    await services.drain()
    return TopPage(services, made)


def at_utility(url: str | None, name: str | None = None) -> Any:
    """Every connection of the provider is of this utility."""

    def reshape(_: httpx.Request, body: Any) -> Any:
        listed = body.get("connections", ()) if isinstance(body, dict) else ()
        for one in listed:
            one["url"] = url
            one["datasource"] = (one.get("datasource") or {}) | {"name": name, "url": url}
        return body

    return reshape


def places(text: str, needles: list[str]) -> list[int]:
    return [text.index(needle) for needle in needles]


@pytest.mark.parametrize("status", sorted({*STATUSES} - {"CONNECTED", "INCORRECT_PASSWORD"}))
async def test_the_page_shows_the_words_of_the_status_and_its_steps_in_their_order(
    services: RunningServices, ada: User, status: str
) -> None:
    page = await ada.browser(helpUrls={"upload": HELP["upload"]}, supportUrl="https://help.example.com/us")
    shown, words = await arrives_as(services, page, status), words_for(status)
    assert words.sentence in shown
    found = places(shown, [step.text for step in words.steps])
    assert found == sorted(found)
    others = [one for one in all_words() if one.state not in {words.state, "working"} and one.sentence in shown]
    assert [one.status for one in others] == []
    assert "enter the code" not in shown.lower()


async def test_bills_are_not_offered_where_the_host_does_not_say_how(services: RunningServices, ada: User) -> None:
    shown = await arrives_as(services, await ada.browser(), "MFA_TOKEN_EXPIRED")
    assert (LADDER[0] in shown, LADDER[1] in shown) == (False, True)


async def test_the_steps_lead_to_the_hosts_pages_of_help(services: RunningServices, ada: User) -> None:
    page = await ada.browser(helpUrls=HELP)
    assert LADDER[0] in await arrives_as(services, page, "MFA_TOKEN_EXPIRED")
    source = (await page.get()).text
    assert f'href="{HELP["upload"]}"' in source
    assert f'href="{HELP["mfa"]}"' in source


async def test_the_ladder_is_there_before_anything_has_failed(ada: User) -> None:
    shown = shown_text((await (await ada.browser(helpUrls=HELP)).get()).text)
    assert "Does your utility ask for a second step when you sign in?" in shown
    assert places(shown, LADDER) == sorted(places(shown, LADDER))


@pytest.mark.parametrize("help_urls", [HELP, {}])
async def test_the_sign_in_details_are_explained_where_the_host_does(
    services: RunningServices, ada: User, help_urls: dict[str, str]
) -> None:
    shown = await arrives_as(services, await ada.browser(helpUrls=help_urls), "PASSWORD_INCORRECT")
    assert ("Where do I find my sign-in details?" in shown) == bool(help_urls)


@pytest.mark.parametrize(
    ("url", "hinted"), [(CON_EDISON, True), ("https://coned.com.evil.example", False), (GUIDE["url"], False)]
)
async def test_a_hint_is_shown_before_the_sign_in_where_the_utility_is_known(
    ada: User, url: str, *, hinted: bool
) -> None:
    made = await ada.session(prefill={"url": url})
    page = TopPage(ada.services, made)
    before = shown_text((await page.get()).text)
    assert ("Con Edison: Have the answers to your two or three security questions at hand." in before) == hinted
    shown = shown_text((await page.press_start()).text)
    assert ("Con Edison" in shown) == hinted
    assert [one["utility"] for one in (await page.view())["hints"]] == (["Con Edison"] if hinted else [])


async def test_a_hint_is_shown_after_a_failure_of_the_connections_own_utility(
    services: RunningServices, ada: User
) -> None:
    services.outgoing.reshape = at_utility("https://fpl.com")
    page = await ada.browser()
    assert (await page.view())["hints"] == []
    assert "Florida Power & Light: The second step cannot" in await arrives_as(services, page, "MFA_TOKEN_EXPIRED")


async def test_no_hint_is_shown_of_a_utility_whose_account_is_being_checked(
    services: RunningServices, ada: User
) -> None:
    services.outgoing.reshape = at_utility("https://fpl.com")
    assert "Florida" not in await arrives_as(services, await ada.browser(), "PENDING")


async def test_a_hint_blocks_nothing(ada: User) -> None:
    page = await ada.browser(prefill={"url": CON_EDISON})
    await page.connect()
    await page.finish()
    assert (await page.stored())["status"] == "submitted"
    assert (await page.view())["hints"] == []


async def test_hints_are_switched_off_by_the_setting(clock: Any, database_url: str) -> None:
    services = RunningServices(clock, database_url, utility_hints=None)
    await services.open()
    page = await User(services, "ada").browser(prefill={"url": CON_EDISON})
    assert (await page.view())["hints"] == []
    await services.close()


async def test_a_reconnect_says_which_account_and_why_and_what_to_do_before_the_sign_in(
    services: RunningServices, ada: User
) -> None:
    services.outgoing.reshape = at_utility(CON_EDISON, "Con Edison of New York")
    connection = await broken(ada)
    await services.drain()
    page = await reconnect_page(services, connection, helpUrls=HELP)
    words = words_for("PASSWORD_INCORRECT")
    needles = ["Reconnect your utility account", "Con Edison of New York", "coned.com", "Headquarters", words.title]
    before = shown_text((await page.get()).text)
    needles += [words.sentence, *(step.text for step in words.steps)]
    assert places(before, needles) == sorted(places(before, needles))
    assert before.index(words.steps[-1].text) < before.index("Continue")
    assert "security questions at hand" in before
    shown = shown_text((await page.press_start()).text)
    assert places(shown, needles[1:]) == sorted(places(shown, needles[1:]))
    assert (await page.view())["account"] == {
        "name": "Con Edison of New York",
        "place": "coned.com, Headquarters",
        "words": "PASSWORD_INCORRECT",
    }


async def test_a_reconnect_for_the_second_step_shows_the_ladder(services: RunningServices, ada: User) -> None:
    connection = await ada.connected()
    await services.sandbox.trouble("status_change", status="MFA_TOKEN_EXPIRED", times=1)
    await services.later(86_400)
    page = await reconnect_page(services, connection, helpUrls=HELP)
    before = shown_text((await page.get()).text)
    assert places(before, LADDER) == sorted(places(before, LADDER))
    assert "security code" not in before


async def test_a_mended_account_is_told_as_being_checked_and_no_longer_as_refused(
    services: RunningServices, ada: User
) -> None:
    page = await reconnecting(services, await broken(ada))
    assert (await page.view())["account"]["words"] == "PASSWORD_INCORRECT"
    await services.sandbox.trouble("status_change", status="PENDING", times=1)
    await services.later(86_400)
    assert (await page.view())["account"]["words"] == "PENDING"


async def test_an_account_that_was_settled_for_somebody_else_is_no_longer_named(
    services: RunningServices, ada: User, bob: User
) -> None:
    hers, his = await ada.frame(link="magic_link"), await bob.session(link="magic_link")
    await hers.connect()
    await hers.finish()
    connection = await ada.newest()
    page = await reconnect_page(services, connection)
    assert "Headquarters" in shown_text((await page.get()).text)
    assert (await claim(services, connection, his["id"])).status_code == 200
    await services.drain()
    assert "Headquarters" not in shown_text((await page.get()).text)


async def test_a_page_that_was_left_leads_back_to_the_secure_page(services: RunningServices, ada: User) -> None:
    page = await ada.browser(returnUrl=None)
    await arrives_as(services, page, "PASSWORD_INCORRECT")
    left = await page.post("exit")
    assert left.status_code == 200
    assert f'href="{page.path}"' in left.text
    assert "Open the secure page again" in left.text


async def test_a_link_that_can_no_longer_be_used_is_not_offered_again(services: RunningServices, ada: User) -> None:
    page = await ada.browser(returnUrl=None)
    await page.connect()
    await page.finish()
    await services.sandbox.trouble("status_change", status="PASSWORD_INCORRECT", times=1)
    await services.later(86_400)
    told = shown_text((await page.post("exit")).text)
    assert "To go on, ask for a new link where you got this one." in told
    assert not [words for words in ("open your link again", "Open the secure page again") if words in told]

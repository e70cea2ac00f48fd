""" "I have finished" tells no lie: the provider is asked at once, and the page says what is known, in both flows."""

from typing import Any

import httpx
import pytest

from tests.support.connection_steps import connect_at
from tests.support.services import RunningServices
from tests.support.shown_text import shown_text
from tests.support.users import FramePage, TopPage, User, asked_in


def words_of(answer: httpx.Response) -> str:
    """What a page shows without a script."""
    assert answer.status_code == 200, answer.text
    return shown_text(answer.text)


async def finished(page: FramePage) -> dict[str, Any]:
    """The answer to "I have finished" itself: nothing else is run first."""
    answer = await page.post("finished")
    assert answer.status_code == 200, answer.text
    view: dict[str, Any] = answer.json()
    return view


async def test_a_user_who_did_nothing_is_told_that_nothing_has_arrived_and_goes_back(ada: User) -> None:
    page = await ada.frame()
    view = await finished(page)
    assert (view["waiting"], view["seen"], view["finished"], view["status"]) == ("nothing", False, True, "opened")
    assert view["link"]["url"]  # the way back
    assert await page.event_types() == [
        "session.created",
        "session.link_ready",
        "session.opened",
        "session.finished",
    ]


async def test_without_a_script_the_page_says_so_and_leads_back(ada: User) -> None:
    page = await ada.browser()
    told = await page.finish()
    assert "Nothing has arrived yet." in words_of(told)
    assert "Did the page say it was done?" in words_of(told)
    assert "Asking the provider" not in words_of(told)
    back = await page.get(f"{page.path}?back=1")
    assert '<section class="provider" data-show="provider">' in back.text
    assert '<iframe src="http' in back.text
    await page.connect()
    assert asked_in(await page.finish())["status"] == "connected"


async def test_the_provider_is_asked_at_once_and_the_answer_is_in_the_answer(ada: User) -> None:
    page = await ada.frame()
    await page.connect()
    view = await finished(page)
    assert (view["status"], view["waiting"], view["seen"]) == ("connected", None, True)


async def test_a_user_who_finishes_again_is_told_what_is_true_then(services: RunningServices, ada: User) -> None:
    page = await ada.frame()
    assert (await finished(page))["waiting"] == "nothing"
    services.clock.advance(5)
    await page.connect()
    assert (await finished(page))["status"] == "connected"
    assert (await page.event_types()).count("session.finished") == 1


async def test_a_provider_that_cannot_be_reached_is_named_with_the_time_since_when(
    services: RunningServices, ada: User
) -> None:
    page = await ada.frame()
    services.outgoing.is_down = True
    view = await finished(page)
    assert (view["waiting"], view["unreachableSince"]) == ("unreachable", "2027-01-15T08:00:00.000Z")
    await services.later(60)
    assert (await page.view())["unreachableSince"] == "2027-01-15T08:00:00.000Z"
    services.outgoing.is_down = False
    await services.later(60)
    view = await page.view()
    assert (view["waiting"], view["unreachableSince"]) == ("nothing", None)


@pytest.mark.parametrize("status", [400, 403, 500])
async def test_a_provider_that_answers_with_errors_cannot_be_reached_either(
    services: RunningServices, ada: User, status: int
) -> None:
    page = await ada.browser()
    services.outgoing.instead = lambda _request: httpx.Response(status, json={})
    told = await page.finish()
    assert "The provider cannot be reached." in words_of(told)
    assert "08:00 UTC" in told.text


async def test_a_used_link_whose_account_is_not_listed_has_brought_something(
    services: RunningServices, ada: User
) -> None:
    page = await ada.frame()
    await page.connect()
    services.outgoing.reshape = _unlisted
    view = await finished(page)
    assert (view["waiting"], view["seen"]) == ("used", True)


def _unlisted(_request: httpx.Request, body: Any) -> Any:
    if isinstance(body, dict) and "invitations" in body:
        for one in body["invitations"]:
            one["createdConnections"] = []
    if isinstance(body, dict) and "connections" in body:
        body["connections"], body["total"] = [], 0
    return body


async def test_an_account_whose_owner_is_not_known_yet_is_being_settled_and_then_ambiguous(
    services: RunningServices, ada: User, bob: User
) -> None:
    pages = [await user.frame(link="magic_link") for user in (ada, bob)]
    await connect_at(services, (await pages[0].view())["link"]["url"])
    await services.drain()
    assert [(await page.view())["seen"] for page in pages] == [False, False]  # only who finished may learn
    assert (await finished(pages[0]))["waiting"] == "ambiguous"
    assert (await pages[1].view())["waiting"] is None


@pytest.mark.parametrize(
    ("status", "waiting", "session"),
    [("COMPANY_INACTIVE", "arrived", "opened"), ("PENDING", None, "submitted"), ("WEBSITE_DOWN", None, "submitted")],
)
async def test_an_account_that_is_not_checked_is_not_told_as_being_checked(
    services: RunningServices, ada: User, status: str, waiting: str | None, session: str
) -> None:
    page = await ada.browser()
    await page.connect()
    company = (await page.stored())["company"]["id"]
    await services.sandbox.trouble("status_change", status=status, times=1, companyId=company)
    await page.finish()
    view = await page.view()
    assert (view["waiting"], view["status"]) == (waiting, session)
    shown = words_of(await page.get())
    assert ("The provider checks it" in shown) == (status == "PENDING")
    assert ("Your utility's website is down." in shown) == (status == "WEBSITE_DOWN")
    assert ("Your organisation is not active at the provider." in shown) == (status == "COMPANY_INACTIVE")


OUTCOMES = {
    "COMPANY_INACTIVE": "Your account has arrived.",
    "PENDING": "The provider checks it",
    "WEBSITE_DOWN": "The app that you came from is told when the account works again.",
    "OTHER_ERROR": "has trouble reading it",
    "NO_ACCOUNTS_FOUND": "No accounts were found.",
    "PASSWORD_INCORRECT": "The sign-in did not work.",
}


@pytest.mark.parametrize("status", OUTCOMES)
async def test_the_done_page_says_what_became_of_the_account(services: RunningServices, ada: User, status: str) -> None:
    page = await ada.browser(returnUrl=None)
    await page.connect()
    company = (await page.stored())["company"]["id"]
    await services.sandbox.trouble("status_change", status=status, times=1, companyId=company)
    told = await page.finish()
    assert OUTCOMES[status] in shown_text(told.text)
    assert ("Being checked" in told.text) == (status == "PENDING")


async def test_the_done_page_of_a_user_who_did_nothing_says_so(services: RunningServices, ada: User) -> None:
    page: TopPage = await ada.browser(returnUrl=None)
    told = await page.get((await page.view())["doneUrl"])
    assert "<h1>Nothing has arrived yet.</h1>" in told.text
    services.outgoing.is_down = True
    told = await page.get((await page.view())["doneUrl"])
    assert "since 08:00 UTC" in told.text

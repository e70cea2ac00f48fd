"""The table of messages, row by row: what provokes each, what it says, and that it ends its flow once."""

import re
from typing import Any
from uuid import uuid4

import pytest
from playwright.async_api import Route, expect

from tests.support.browser_services import Api, BrowserServices, Json
from tests.support.browser_user import BrowserUser, FlowPage, NewUser
from tests.support.flow_messages import follow_the_rules, is_closed, told

LIVE = re.compile(r"/live/")
START = re.compile(r"/embed/[^/]+/start$")


@pytest.fixture
async def ada(new_user: NewUser) -> BrowserUser:
    ada = await (await new_user()).sign_in()
    await ada.page.get_by_role("button", name="Connect a utility account", exact=True).focus()
    return ada


async def _opened(ada: BrowserUser, api: Api, **more: Any) -> tuple[FlowPage, Json]:
    session = await api.create("ada", f"message-{uuid4().hex[:8]}", **more)
    flow = await ada.open(session)
    await flow.opens()
    return flow, session


async def _trouble(api: Api, session: Json, name: str, **more: Any) -> None:
    await api.trouble("PUT", name, (await api.session(session["id"]))["company"]["id"], **more)


async def _shown_again(ada: BrowserUser) -> None:
    """Our page reports its presence as soon as its tab is shown again, and not only every 20 s."""
    (frame,) = [one for one in ada.page.frames if one.url.startswith(ada.services.service)]
    await frame.evaluate("document.dispatchEvent(new Event('visibilitychange'))")


async def test_ready_open_finished_connected_event_and_closed(ada: BrowserUser, api: Api) -> None:
    flow, session = await _opened(ada, api)
    await flow.provider.connect()
    await flow.shows("Your account is connected.")
    await flow.press("Done")
    connection = await api.only_connection(session["id"])
    ready, opened, connected, closed = await told(ada, "ready", "open", "connected", "closed")
    assert ready["sessionId"] == session["id"]
    assert opened["way"] == "frame"
    assert connected["connections"] == [{"id": connection["id"], "status": "CONNECTED", "state": "working"}]
    assert closed["outcome"] == "connected"
    events = [one["event"] for one in await ada.messages() if one["type"] == "event"]
    assert {"connection.recorded", "session.connected"} <= set(events)
    once = [one for one in events if one != "session.progress"]  # which comes for each step that the log names
    assert len(once) == len(set(once))
    await is_closed(ada)


async def test_open_names_the_window_where_the_screen_is_small(new_user: NewUser, api: Api) -> None:
    ada = await (await new_user(width=320)).sign_in()
    flow = await ada.open(await api.create("ada", "message-window"))
    async with ada.page.context.expect_page() as opened:
        await flow.where.get_by_role("link", name="Open the secure page").click()
    await (await opened.value).close()
    assert (await told(ada, "ready", "open"))[-1]["way"] == "window"


async def test_finished_and_then_exit_with_what_is_left_behind(ada: BrowserUser, api: Api) -> None:
    flow, _ = await _opened(ada, api)
    await flow.press("I have finished")
    await flow.shows("Nothing has arrived yet.")
    await flow.press("Leave")
    left = (await told(ada, "ready", "open", "finished", "exit"))[-1]
    assert (left["stage"], left["reason"], left["outcome"]) == ("confirming", "left", "confirming")
    await is_closed(ada)


@pytest.mark.whole_chromium
async def test_exit_says_how_far_the_provider_tells_that_the_user_came(ada: BrowserUser, api: Api) -> None:
    await _opened(ada, api)
    await ada.page.wait_for_function("() => window.messages.some(({ event }) => event === 'session.progress')")
    await ada.page.keyboard.press("Escape")
    left = (await told(ada, "ready", "open", "exit"))[-1]
    assert left["stage"] == "provider_viewed"


async def test_submitted_ends_the_flow_and_connected_follows_as_news(ada: BrowserUser, api: Api) -> None:
    flow, session = await _opened(ada, api)
    await _trouble(api, session, "status_change", status="PENDING", times=1)
    await flow.provider.connect()
    await flow.shows("Your account has been handed over.")
    submitted = (await told(ada, "ready", "open", "submitted"))[-1]
    assert [one["state"] for one in submitted["connections"]] == ["checking"]
    assert submitted["uploads"] == []
    await _trouble(api, session, "status_change", status="CONNECTED", times=1)
    await flow.shows("Your account is connected.", seconds=40)
    await flow.press("Done")
    assert (await told(ada, "ready", "open", "submitted", "connected", "closed"))[-1]["outcome"] == "connected"


async def test_attention_once_for_each_time_and_exit_where_nothing_came_of_it(ada: BrowserUser, api: Api) -> None:
    flow, session = await _opened(ada, api)
    await flow.provider.choose_provider()
    await flow.provider.sign_in("wrong")
    await expect(flow.words("The sign-in did not work.")).to_be_visible()
    await flow.press("Leave")
    _, _, attention, left = await told(ada, "ready", "open", "attention", "exit")
    refused = await api.only_connection(session["id"])
    assert attention["connections"] == [{"id": refused["id"], "status": "PASSWORD_INCORRECT", "state": "action_needed"}]
    assert attention["reason"] == "action_needed"
    assert left["outcome"] == "attention"


async def test_attention_follows_an_ended_flow_where_the_account_is_refused_later(ada: BrowserUser, api: Api) -> None:
    flow, session = await _opened(ada, api)
    await flow.provider.connect()
    await flow.shows("Your account is connected.")
    await _trouble(api, session, "status_change", status="PASSWORD_INCORRECT")
    await flow.shows("Your account needs attention.")
    await flow.press("Done")
    assert (await told(ada, "ready", "open", "connected", "attention", "closed"))[-1]["outcome"] == "connected"


async def test_ambiguous_is_for_the_page_that_has_finished(ada: BrowserUser, new_user: NewUser, api: Api) -> None:
    company = f"message-{uuid4().hex[:8]}"
    flow = await ada.open(await api.create("ada", company, link="magic_link"))
    await flow.opens()
    bob = await (await new_user()).sign_in("Bob Fisher")
    await (await bob.open(await api.create("bob", company, link="magic_link"))).opens()
    await flow.provider.connect()
    await flow.press("I have finished")
    await flow.shows("An account has arrived.")
    ambiguous = (await told(ada, "ready", "open", "finished", "ambiguous"))[-1]
    assert set(ambiguous) == {"type", "sessionId", "seq", "at"}
    await told(bob, "ready", "open")


async def test_expired_at_the_start_and_asked_for_a_new_link(
    ada: BrowserUser, api: Api, services: BrowserServices
) -> None:
    session = await api.create("ada", "message-expired")
    services.let_expire(session["id"])
    flow = await ada.open(session)
    await flow.press("Ask for a new link")
    over, asked = await told(ada, "expired", "expired")
    assert (over["asked"], asked["asked"]) == (False, True)
    await flow.press("Close")
    assert (await told(ada, "expired", "expired", "closed"))[-1]["outcome"] == "expired"
    await is_closed(ada)


async def test_expired_while_the_page_is_open(ada: BrowserUser, api: Api) -> None:
    flow, _ = await _opened(ada, api)
    gone = {"status": 410, "content_type": "application/problem+json", "body": '{"code": "expired"}'}
    await ada.page.route(re.compile("/heartbeat$"), lambda route: route.fulfill(**gone))
    await _shown_again(ada)
    await flow.shows("This link has expired.")
    assert (await told(ada, "ready", "open", "expired"))[-1]["asked"] is False


@pytest.mark.parametrize("when", ["before", "while open"])
async def test_an_error_says_that_the_session_was_revoked(ada: BrowserUser, api: Api, when: str) -> None:
    session = await api.create("ada", f"message-revoked-{when[:2]}")
    if when == "before":
        await api.revoke(session["id"])
    flow = await ada.open(session)
    if when == "while open":
        await flow.opens()
        await api.revoke(session["id"])
    await flow.shows("This link was withdrawn.")
    before = ["ready", "open"] if when == "while open" else []
    error = (await told(ada, *before, "error"))[-1]
    assert (error["code"], error["retryable"]) == ("revoked", False)
    await flow.press("Close")
    assert (await told(ada, *before, "error", "closed"))[-1]["outcome"] == "revoked"


async def test_already_open_can_be_continued_and_the_other_page_is_taken_over(
    ada: BrowserUser, new_user: NewUser, api: Api
) -> None:
    _, session = await _opened(ada, api)
    other = await (await new_user()).sign_in()
    flow = await other.open(session)
    await flow.shows("This was opened in another window.")
    error = (await told(other, "error"))[-1]
    assert (error["code"], error["retryable"]) == ("already_open", True)
    await flow.press("Continue here")
    await flow.opens()
    await told(other, "error", "ready", "open")
    await ada.embedded.shows("You continued in another window.")
    error = (await told(ada, "ready", "open", "error"))[-1]
    assert (error["code"], error["retryable"]) == ("taken_over", False)
    await ada.embedded.press("Continue here")
    await ada.embedded.opens()
    await told(ada, "ready", "open", "error", "ready", "open")


async def test_leaving_the_question_whether_to_continue_here_is_an_exit(
    ada: BrowserUser, new_user: NewUser, api: Api
) -> None:
    _, session = await _opened(ada, api)
    other = await (await new_user()).sign_in()
    flow = await other.open(session)
    await flow.shows("This was opened in another window.")
    await flow.press("Leave")
    assert (await told(other, "error", "exit"))[-1]["stage"] == "elsewhere"


@pytest.mark.parametrize("when", ["before", "while open"])
async def test_a_failed_session_has_its_own_code(ada: BrowserUser, api: Api, when: str) -> None:
    unknown = {"id": str(uuid4())}
    session = await api.create("ada", f"message-failed-{when[:2]}", sites=[unknown], prepare="background")
    if when == "before":
        await api.becomes(session["id"], "failed")
    flow = await ada.open(session)
    await flow.shows("The secure page is not available.")
    failure = (await api.session(session["id"]))["failure"]["code"]
    assert failure != "session_closed"
    await flow.press("Close")
    messages = await ada.messages()
    follow_the_rules(messages)
    (error,) = [one for one in messages if one["type"] == "error"]
    assert (error["code"], error["retryable"], messages[-1]["outcome"]) == (failure, False, failure)


async def test_a_link_of_another_origin_is_refused_by_the_page_itself(ada: BrowserUser, api: Api) -> None:
    async def altered(route: Route) -> None:
        answer = await route.fetch()
        body = await answer.json()
        body["view"]["link"]["url"] = "https://evil.example/p/i/x"
        await route.fulfill(response=answer, json=body)

    await ada.page.route(START, altered)
    await ada.page.route(LIVE, lambda route: route.abort())
    flow = await ada.open(await api.create("ada", "message-refused"))
    await flow.shows("The secure page is not available.")
    error = next(one for one in await ada.messages() if one["type"] == "error")
    assert (error["code"], error["retryable"]) == ("link_refused", False)
    follow_the_rules(await ada.messages())


async def test_a_network_that_is_lost_is_an_error_that_a_retry_can_help(ada: BrowserUser, api: Api) -> None:
    await ada.fails_until_pressed(START)
    flow = await ada.open(await api.create("ada", "message-lost"))
    await expect(flow.words("The connection is interrupted.")).to_be_visible()
    error = (await told(ada, "error"))[-1]
    assert (error["code"], error["retryable"], error["requestId"]) == ("unavailable", True, None)
    await flow.press("Try now")
    await flow.opens()
    await told(ada, "error", "ready", "open")


async def test_the_element_sends_each_as_an_event_of_its_own(ada: BrowserUser, api: Api) -> None:
    session = await api.create("ada", "message-element")
    await ada.page.evaluate(
        """(url) => {
            window.messages = [];
            const element = document.createElement("magic-link");
            for (const type of ["ready", "open", "exit"]) {
                element.addEventListener(type, ({ detail }) => window.messages.push(detail));
            }
            element.url = url;
            document.body.prepend(element);
        }""",
        session["embedUrl"],
    )
    await ada.embedded.opens()
    await ada.embedded.press("Leave")
    await told(ada, "ready", "open", "exit")
    await ada.embedded.press("Continue")
    await ada.embedded.opens()
    await told(ada, "ready", "open", "exit", "ready", "open")

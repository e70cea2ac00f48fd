"""A page that starts again: the same page is not asked, whoever else has the URL is, whatever became of the first."""

from collections.abc import Awaitable, Callable

import pytest

from service.domain.timing import PRESENCE_SECONDS
from tests.support.sandbox_client import JsonObject
from tests.support.services import RunningServices, refused
from tests.support.users import NAVIGATION, FramePage, TopPage, User, asked_in, screen

Leave = Callable[[FramePage], Awaitable[None]]


async def _stays(_page: FramePage) -> None:
    """The page is open."""


async def _leaves(page: FramePage) -> None:
    assert (await page.post("exit", {"stage": "page", "reason": "closed"})).status_code == 204


async def _disappears(page: FramePage) -> None:
    await page.services.later(PRESENCE_SECONDS + 1)
    assert (await page.stored())["status"] == "exited"


FIRST = {"open": _stays, "left": _leaves, "gone": _disappears}


async def _opened(services: RunningServices, page: FramePage | TopPage) -> list[JsonObject]:
    events = await services.rows(f"/v1/sessions/{page.id}/events")
    return [event["data"] for event in events if event["type"] == "session.opened" and "back" not in event["data"]]


@pytest.mark.parametrize("became", FIRST.values(), ids=FIRST)
async def test_a_stolen_url_is_asked_and_then_crossdevice_in_the_evidence_whatever_became_of_the_first_page(
    services: RunningServices, ada: User, became: Leave
) -> None:
    first = await ada.frame()
    await became(first)
    mallory = FramePage(services, first.session)
    refused(await mallory.ask_to_start(), 409, "already_open")
    await mallory.start(take_over=True)
    await mallory.connect()
    await mallory.finish()
    evidence = (await ada.newest())["evidence"]
    assert (evidence["crossDevice"], "resumedBy" in evidence) == (True, False)
    assert await _opened(services, first) == [{"crossDevice": False}, {"crossDevice": True}]


@pytest.mark.parametrize("became", FIRST.values(), ids=FIRST)
async def test_a_reloaded_page_is_not_asked_and_ends_the_page_before(ada: User, became: Leave) -> None:
    first = await ada.frame()
    await became(first)
    again = first.reloaded()
    assert (await again.start())["link"]["url"]
    assert again.key != first.key
    refused(await first.ask(), 409, "taken_over")
    await again.connect()
    await again.finish()
    evidence = (await ada.newest())["evidence"]
    assert (evidence["crossDevice"], "resumedBy" in evidence) == (False, False)


async def test_a_start_whose_answer_never_came_may_be_repeated_as_often_as_it_takes(
    services: RunningServices, ada: User
) -> None:
    page = FramePage(services, await ada.session())
    for _ in range(3):
        assert (await page.ask_to_start()).status_code == 200
    assert {one["crossDevice"] for one in await _opened(services, page)} == {False}


async def test_a_page_without_a_value_is_asked_after_a_reload(services: RunningServices, ada: User) -> None:
    page = FramePage(services, await ada.session())
    page.resume = None
    await page.start()
    refused(await page.reloaded().ask_to_start(), 409, "already_open")


async def test_what_the_hosts_page_kept_is_named_in_the_evidence(services: RunningServices, ada: User) -> None:
    page = FramePage(services, await ada.session())
    page.kept_by = "host"
    await page.start()
    await _leaves(page)
    again = page.reloaded()
    again.kept_by = "frame"  # what a script that read the host's storage would say
    await again.start()
    await again.connect()
    await again.finish()
    evidence = (await ada.newest())["evidence"]
    assert (evidence["crossDevice"], evidence["resumedBy"]) == (False, "host")
    assert await _opened(services, page) == [{"crossDevice": False}, {"crossDevice": False, "resumedBy": "host"}]


async def test_the_value_opens_nothing_but_a_start_of_this_session(services: RunningServices, ada: User) -> None:
    page = await ada.frame()
    thief = FramePage(services, page.session)
    thief.key = page.resume
    for verb in ("finished", "exit", "heartbeat"):
        refused(await thief.post(verb), 409, "taken_over")
    refused(await thief.ask(), 409, "taken_over")
    other = await ada.frame()
    other_page = other.reloaded()
    other_page.resume = page.resume
    refused(await other_page.ask_to_start(), 409, "already_open")


async def test_the_value_is_nowhere_in_the_database(services: RunningServices, ada: User) -> None:
    page = await ada.frame()
    assert page.resume is not None
    engine = services.parts.store.engine
    (row,) = await engine.read(lambda tx: tx.all("SELECT * FROM sessions"))
    assert page.resume not in repr(dict(row))


@pytest.mark.parametrize("value", ["", "short", "x" * 42, "x" * 44, "x" * 42 + "=", "x" * 42 + "\n", 1, ["x" * 43]])
async def test_a_value_of_another_shape_is_refused_by_name_and_starts_nothing(
    services: RunningServices, ada: User, value: object
) -> None:
    page = FramePage(services, await ada.session())
    refused(await page.post("start", {"resume": value}), 422, "invalid_request", "/resume")
    refused(await page.post("start", {"keptBy": "cookie"}), 422, "invalid_request", "/keptBy")
    assert (await page.stored())["status"] == "created"


# the redirect flow


async def test_a_browser_that_left_comes_back_with_its_cookie_and_is_not_asked(
    services: RunningServices, ada: User
) -> None:
    page = await ada.browser()
    assert (await page.post("exit")).status_code == 303
    (form,) = screen(await page.get()).forms
    assert form.action == f"{page.path}/start"
    await page.press_start()
    assert (await page.view())["link"]["url"]
    assert await _opened(services, page) == [{"crossDevice": False}] * 2


async def test_another_browser_is_asked_after_the_first_left_and_then_is_crossdevice(
    services: RunningServices, ada: User
) -> None:
    first = await ada.browser()
    await first.post("exit")
    second = TopPage(services, first.session)
    asked = await second.post("start")
    assert asked.status_code == 409
    await second.press_start({"takeOver": "true"})
    assert [one["crossDevice"] for one in await _opened(services, first)] == [False, True]
    assert (await first.post("start")).status_code == 409


async def test_a_button_pressed_twice_starts_one_page(services: RunningServices, ada: User) -> None:
    page = TopPage(services, await ada.session())
    (form,) = screen(await page.get()).forms
    # The second press leaves before the first answer's cookie has come.
    headers = NAVIGATION | {"Cookie": ""}
    answers = [await services.web().post(f"{page.path}/start", data=form.values, headers=headers) for _ in range(2)]
    assert [answer.status_code for answer in answers] == [303, 303]
    first, second = (answer.headers["set-cookie"].partition(";")[0] for answer in answers)
    assert first == second
    (other,) = screen(await page.get()).forms
    assert other.values != form.values
    assert (await services.web().post(f"{page.path}/start", data=other.values, headers=headers)).status_code == 409


async def test_a_browser_that_left_and_comes_back_from_the_provider_is_not_asked_who_it_is(ada: User) -> None:
    page = await ada.browser()
    await page.connect()
    way_back = (await page.view())["doneUrl"]
    await page.post("exit")
    answer = await page.get(way_back)
    assert answer.status_code == 303
    assert asked_in(answer)["status"] == "connected"
    assert (await ada.newest())["evidence"]["crossDevice"] is False

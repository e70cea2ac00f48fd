"""After its time a session shows its outcome only, on every route; and a day after its end its pages sign nothing."""

import re
from collections.abc import Awaitable, Callable
from urllib.parse import parse_qs, urlsplit

import pytest

from tests.support.services import RETURN_URL, RunningServices, refused
from tests.support.streams import EventStream
from tests.support.users import NAVIGATION, SCRIPT, FramePage, TopPage, User

MINUTE, HOUR, DAY = 60, 3600, 86_400
GRACE = 15 * MINUTE
STATUSES = {"PENDING": "submitted", "CONNECTED": "connected"}
PROVIDER_LINK = re.compile(r"127\.0\.0\.1:9000/p/|127\.0\.0\.1:9000/create-datasource")
SIGNED = re.compile(r"[?&]state=")

Route = Callable[[TopPage], Awaitable[str]]


async def achieved(services: RunningServices, ada: User, status: str = "CONNECTED") -> TopPage:
    """A page of the redirect flow whose account the provider reports with this status; its magic link never ends."""
    page = await ada.browser(link="magic_link")
    await page.connect()
    company = (await page.stored())["company"]["id"]
    await services.sandbox.trouble("status_change", status=status, times=1, companyId=company)
    await page.finish()
    await services.drain()
    assert (await page.stored())["status"] == STATUSES[status]
    return page


async def by_start(page: TopPage) -> str:
    answer = await page.http.post(f"{page.path}/start", json={"takeOver": True}, headers=SCRIPT)
    return answer.text


async def by_plain_start(page: TopPage) -> str:
    answer = await page.post("start", {"takeOver": "true"})
    return answer.headers["location"] + (await page.get()).text


async def by_frame_start(page: TopPage) -> str:
    answer = await FramePage(page.services, page.session).post("start", {"takeOver": True})
    return answer.text


async def by_frame_finished(page: TopPage) -> str:
    frame = FramePage(page.services, page.session)
    await frame.start(take_over=True)
    return (await frame.post("finished")).text


async def by_script_finished(page: TopPage) -> str:
    return (await page.http.post(f"{page.path}/finished", json={}, headers=SCRIPT)).text


async def by_finished(page: TopPage) -> str:
    return (await page.post("finished")).headers["location"]


async def by_exit(page: TopPage) -> str:
    return (await page.post("exit")).headers["location"]


async def by_page(page: TopPage) -> str:
    return (await page.get()).text


async def by_embed_page(page: TopPage) -> str:
    path = FramePage(page.services, page.session).path
    return (await page.http.get(path, headers={"Sec-Fetch-Dest": "iframe"})).text


async def by_poll(page: TopPage) -> str:
    return (await page.http.get(page.live, headers=SCRIPT)).text


async def by_stream(page: TopPage) -> str:
    async with EventStream(page.services, page) as stream:
        return str(stream.first.data)


ROUTES: dict[str, Route] = {
    "GET /connect": by_page,
    "GET /embed": by_embed_page,
    "POST /connect/start by script": by_start,
    "POST /connect/start": by_plain_start,
    "POST /embed/start": by_frame_start,
    "POST /connect/finished by script": by_script_finished,
    "POST /connect/finished": by_finished,
    "POST /embed/finished": by_frame_finished,
    "POST /connect/exit": by_exit,
    "GET /live, the poll": by_poll,
    "GET /live, the stream": by_stream,
}
SHOW_THE_LINK = set(ROUTES) - {"GET /embed", "POST /connect/finished", "POST /connect/exit"}
SIGN = set(ROUTES) - {"GET /embed", "POST /embed/start", "POST /embed/finished"}


@pytest.mark.parametrize("route", sorted(SHOW_THE_LINK))
async def test_within_its_time_an_achieved_session_shows_its_magic_link(
    services: RunningServices, ada: User, route: str
) -> None:
    page = await achieved(services, ada)
    services.clock.advance(HOUR + GRACE - 1)
    assert PROVIDER_LINK.search(await ROUTES[route](page))


@pytest.mark.parametrize("status", STATUSES)
@pytest.mark.parametrize("route", ROUTES)
async def test_no_route_shows_the_link_after_the_time_and_the_grace(
    services: RunningServices, ada: User, route: str, status: str
) -> None:
    page = await achieved(services, ada, status)
    services.clock.advance(HOUR + GRACE)
    assert not PROVIDER_LINK.search(await ROUTES[route](page))
    await services.drain()
    assert (await page.stored())["status"] == STATUSES[status]
    assert not PROVIDER_LINK.search(await by_frame_start(page))


@pytest.mark.parametrize("seconds", [DAY - 1, DAY])
@pytest.mark.parametrize("route", sorted(SIGN))
async def test_every_route_signs_until_a_day_after_the_users_part_was_done(
    services: RunningServices, ada: User, route: str, seconds: int
) -> None:
    page = await achieved(services, ada, "PENDING")
    await services.later(HOUR)
    company = (await page.stored())["company"]["id"]
    await services.sandbox.trouble("status_change", status="CONNECTED", times=1, companyId=company)
    await page.finish()
    assert (await page.stored())["status"] == "connected"  # the day is counted from `submitted`
    await services.later(seconds - HOUR)
    assert bool(SIGNED.search(await ROUTES[route](page))) == (seconds < DAY)


@pytest.mark.parametrize("route", sorted(SIGN))
async def test_no_route_of_a_revoked_session_signs_or_shows_a_link(
    services: RunningServices, ada: User, route: str
) -> None:
    page = await achieved(services, ada)
    await services.post(f"/v1/sessions/{page.id}/revoke")
    answer = await page.http.request("GET", page.path) if route == "GET /connect" else None
    text = answer.text if answer is not None else await _if_answered(ROUTES[route], page)
    assert not SIGNED.search(text)
    assert not PROVIDER_LINK.search(text)


async def _if_answered(route: Route, page: TopPage) -> str:
    try:
        return await route(page)
    except KeyError:  # no redirect: a page says what is wrong
        return ""


@pytest.mark.parametrize("ended", ["expired", "revoked", "settled"])
async def test_the_callback_signs_no_result_for_what_ended_too_long_ago(
    services: RunningServices, ada: User, ended: str
) -> None:
    page = await ada.browser() if ended == "expired" else await achieved(services, ada)
    back = str((await page.view())["doneUrl"])
    assert back.startswith("/callback?state=")
    if ended == "revoked":
        await services.post(f"/v1/sessions/{page.id}/revoke")
    else:
        await services.later(DAY + HOUR + GRACE)
    answers = [await page.get(back), await services.web().post("/callback", data=_state(back), headers=NAVIGATION)]
    for answer in answers:
        if ended == "expired":
            assert answer.status_code == 400
            continue
        assert answer.headers["location"].startswith(RETURN_URL)
        query = parse_qs(urlsplit(answer.headers["location"]).query)
        assert query["status"] == ["revoked" if ended == "revoked" else "connected"]
        assert "state" not in query


def _state(address: str) -> dict[str, str]:
    return {"state": parse_qs(urlsplit(address).query)["state"][0]}


@pytest.mark.parametrize("days", [0, 1])
async def test_the_page_of_a_closed_link_leads_to_the_host_with_a_result_for_a_day(
    services: RunningServices, ada: User, days: int
) -> None:
    page = TopPage(services, await ada.session())
    await services.later(HOUR + days * DAY)
    shown = await page.get()
    assert shown.status_code == 410
    assert f"{RETURN_URL}?sessionId={page.id}&amp;status=expired" in shown.text
    assert ("&amp;state=" in shown.text) == (days == 0)


async def test_the_page_of_a_revoked_link_leads_to_the_host_without_a_result(
    services: RunningServices, ada: User
) -> None:
    page = TopPage(services, await ada.session())
    await services.post(f"/v1/sessions/{page.id}/revoke")
    shown = await page.get()
    assert f"{RETURN_URL}?sessionId={page.id}&amp;status=revoked" in shown.text
    assert "&amp;state=" not in shown.text


async def test_a_page_whose_session_signs_no_more_still_leads_back_to_the_host(
    services: RunningServices, ada: User
) -> None:
    page = await achieved(services, ada)
    await services.later(DAY + 1)
    shown = (await page.get()).text
    assert re.search(rf'action="{page.path}/exit" data-show="unsigned">', shown)
    assert (await by_exit(page)).startswith(f"{RETURN_URL}?sessionId={page.id}&status=connected&connectionId=")


async def test_an_open_stream_takes_the_link_away_when_the_grace_is_over(services: RunningServices, ada: User) -> None:
    page = await achieved(services, ada)
    services.parts.pubsub.keep_alive_seconds = 0.05
    async with EventStream(services, page) as stream:
        assert stream.first.data["view"]["link"]["url"]
        services.clock.advance(HOUR + GRACE)
        (changed,) = [one for one in await stream.until("view") if one.type]
        assert (changed.id, changed.data["view"]["link"]["url"]) == (None, None)
        assert changed.data["view"]["status"] == "connected"


async def test_a_page_that_was_never_started_learns_nothing_of_a_session_that_is_over(
    services: RunningServices, ada: User
) -> None:
    page = await achieved(services, ada)
    await services.later(HOUR + GRACE)
    refused(await services.web().get(page.live, headers=SCRIPT), 404, "not_found")

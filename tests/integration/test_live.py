"""GET /live/{token}: one session's events as they happen; the view first, nothing twice, nothing missed."""

import asyncio

import pytest

from service.telemetry.logs import request_id
from tests.support.services import RunningServices, refused
from tests.support.streams import EventStream
from tests.support.users import SCRIPT, FramePage, User

STREAM = {"Accept": "text/event-stream"}


@pytest.mark.parametrize("token", ["x", "ses_x.y", "%00", "é"])
async def test_a_token_that_nobody_here_signed_opens_no_stream(services: RunningServices, token: str) -> None:
    for headers in (STREAM, SCRIPT):
        refused(await services.web().get(f"/live/{token}", headers=headers), 404, "not_found")


async def test_a_page_without_its_key_gets_no_event(services: RunningServices, ada: User) -> None:
    page = await ada.frame()
    refused(await services.web().get(page.live, headers=STREAM), 404, "not_found")
    wrong = STREAM | {"X-Page-Key": "made-up"}
    refused(await services.web().get(page.live, headers=wrong), 409, "taken_over")


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE"])
async def test_a_stream_can_only_be_read(services: RunningServices, ada: User, method: str) -> None:
    page = await ada.frame()
    answer = await services.web().request(method, page.live, headers=SCRIPT)
    refused(answer, 405, "method_not_allowed")


async def test_the_first_frame_is_the_whole_view(services: RunningServices, ada: User) -> None:
    page = await ada.frame()
    async with EventStream(services, page) as stream:
        assert stream.status == 200
        assert stream.headers["content-type"] == "text/event-stream; charset=utf-8"
        assert stream.headers["cache-control"] == "no-store"
        assert stream.first.type == "view"
        assert stream.first.data["sessionId"] == page.id
        assert stream.first.data["view"] == await page.view()


async def test_an_open_stream_keeps_none_of_the_app_s_middlewares_waiting(services: RunningServices, ada: User) -> None:
    page = await ada.frame()
    async with EventStream(services, page) as stream:
        assert stream.waiting_in()[:4] == [
            *("Starlette.__call__", "OutsideOfApp.__call__", "EventStream._run", "EventStream._follow")
        ]


async def test_what_a_stream_logs_has_the_id_of_its_request(
    services: RunningServices, ada: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    page, noted = await ada.frame(), asyncio.Queue[str | None]()

    async def note_request_id(*_: object) -> list[object]:
        noted.put_nowait(request_id())
        return []

    async with EventStream(services, page) as stream:
        monkeypatch.setattr(services.parts.pages, "events_after", note_request_id)
        services.parts.pubsub.publish({page.id})
        assert await noted.get() == stream.headers["x-request-id"]


async def test_every_event_comes_once_in_order_with_the_view_that_goes_with_it(
    services: RunningServices, ada: User
) -> None:
    page = await ada.frame()
    async with EventStream(services, page) as stream:
        await page.connect()
        await page.finish()
        reported = await stream.until("session.connected")
        assert [one.type for one in reported] == ["session.finished", "connection.recorded", "session.connected"]
        assert [one.id for one in reported] == [
            event["id"] for event in (await services.rows(f"/v1/sessions/{page.id}/events"))[3:6]
        ]
        assert [one.data["seq"] for one in reported] == sorted(one.data["seq"] for one in reported)
        assert reported[-1].data["view"]["status"] == "connected"
        assert reported[-1].data["view"]["connections"][0]["status"] == "CONNECTED"


async def test_a_link_that_is_made_later_reaches_the_page_that_waits(services: RunningServices, ada: User) -> None:
    services.outgoing.is_down = True
    page = await ada.frame()
    async with EventStream(services, page) as stream:
        assert stream.first.data["view"]["link"]["status"] == "pending"
        services.outgoing.is_down = False
        await services.later(5)
        (ready,) = await stream.until("session.link_ready")
        assert ready.data["view"]["link"]["url"].startswith("http://127.0.0.1:9000/p/i/")


async def test_the_last_event_id_replays_what_came_after_it(services: RunningServices, ada: User) -> None:
    page = await ada.frame()
    await page.connect()
    await page.finish()
    events = await services.rows(f"/v1/sessions/{page.id}/events")
    async with EventStream(services, page, events[2]["id"]) as stream:
        reported = await stream.until("session.progress") + await stream.until("session.progress")
        assert [one.id for one in reported] == [event["id"] for event in events[3:]]


@pytest.mark.parametrize("last", ["nonsense", "evt_00000000", "99999999", "é", "x" * 4000])
async def test_a_last_event_id_that_is_not_this_sessions_replays_all_of_it(
    services: RunningServices, ada: User, last: str
) -> None:
    page = await ada.frame()
    events = await services.rows(f"/v1/sessions/{page.id}/events")
    async with EventStream(services, page, last) as stream:
        assert [one.id for one in await stream.until("session.opened")] == [event["id"] for event in events]


async def test_another_sessions_event_id_is_no_place_in_this_one(
    services: RunningServices, ada: User, bob: User
) -> None:
    other, page = await bob.frame(), await ada.frame()
    foreign = (await services.rows(f"/v1/sessions/{other.id}/events"))[-1]["id"]
    async with EventStream(services, page, foreign) as stream:
        assert len(await stream.until("session.opened")) == 3


async def test_a_page_gets_no_event_of_another_session(services: RunningServices, ada: User, bob: User) -> None:
    page = await ada.frame()
    async with EventStream(services, page) as stream:
        await bob.connected()
        await page.post("finished")
        assert (await stream.next()).type == "session.finished"


async def test_a_page_that_is_taken_over_gets_that_event_and_no_more(services: RunningServices, ada: User) -> None:
    first = await ada.frame()
    async with EventStream(services, first) as stream:
        second = FramePage(services, first.session)
        await second.start(take_over=True)
        reported = await stream.next()
        assert (reported.type, reported.id, reported.data) == (
            "taken_over",
            None,
            {"type": "taken_over", "sessionId": first.id},
        )
        assert (await stream.next()).type == "ended"
    assert (await second.view())["status"] == "opened"


async def test_a_revoked_session_emits_its_event_at_once_and_its_link_is_gone(
    services: RunningServices, ada: User
) -> None:
    page = await ada.frame()
    async with EventStream(services, page) as stream:
        await services.post(f"/v1/sessions/{page.id}/revoke")
        reported = await stream.next()
        assert reported.type == "session.revoked"
        assert reported.data["view"]["status"] == "revoked"
        assert reported.data["view"]["link"]["url"] is None


async def test_a_session_that_expires_emits_an_event(services: RunningServices, ada: User) -> None:
    page = await ada.frame(expiresIn=60)
    async with EventStream(services, page) as stream:
        await services.later(61)
        reported = await stream.until("session.expired")
        assert reported[-1].data["view"]["status"] == "expired"


async def test_a_wrong_password_reaches_the_page_as_whose_turn_it_is(services: RunningServices, ada: User) -> None:
    page = await ada.frame()
    async with EventStream(services, page) as stream:
        await page.connect("not-the-password")
        await page.finish()
        reported = await stream.until("connection.needs_attention")
        assert reported[-1].data["view"]["connections"][0]["needsAttention"] is True


async def test_fifty_pages_listen_at_once_and_each_gets_its_own_events(services: RunningServices, ada: User) -> None:
    pages = [await ada.frame() for _ in range(50)]
    streams = [await EventStream(services, page).__aenter__() for page in pages]
    await asyncio.gather(*(page.post("finished") for page in pages))
    for page, stream in zip(pages, streams, strict=True):
        # A view may come before the event: a stream that has been open for a while reads it at its keep-alive too.
        reported = await stream.until("session.finished")
        assert {one.data["sessionId"] for one in reported} == {page.id}
        assert {one.type for one in reported} <= {"view", "session.finished"}
        await stream.__aexit__(None, None, None)


async def test_the_redirect_flows_page_listens_with_its_cookie(services: RunningServices, ada: User) -> None:
    page = await ada.browser()
    async with EventStream(services, page) as stream:
        assert stream.first.data["view"]["doneUrl"].startswith("/callback?state=")
        await page.connect()
        await page.post("finished")
        await services.drain()
        assert (await stream.until("session.connected"))[-1].data["view"]["doneUrl"]


async def test_every_stream_ends_when_the_service_stops(services: RunningServices, ada: User) -> None:
    page = await ada.frame()
    async with EventStream(services, page) as stream:
        await services.die()
        assert (await stream.next()).type == "ended"


async def test_a_page_that_reconnects_after_a_restart_misses_nothing(services: RunningServices, ada: User) -> None:
    page = await ada.frame()
    await page.post("finished")
    last = (await services.rows(f"/v1/sessions/{page.id}/events"))[-1]["id"]
    await services.die()
    await page.connect()
    await services.later(5)
    async with EventStream(services, page, last) as stream:
        reported = [one.type for one in await stream.until("session.connected")]
        assert reported == ["connection.recorded", "session.connected"]


async def test_a_database_that_goes_away_ends_the_stream_in_words_and_the_next_goes_on(
    services: RunningServices, ada: User
) -> None:
    page = await ada.frame()
    async with EventStream(services, page) as stream:
        await services.parts.store.close()
        services.parts.pubsub.publish({page.id})
        assert [(await stream.next()).type for _ in range(2)] == ["unavailable", "ended"]
    await services.parts.store.open()
    async with EventStream(services, page) as stream:
        assert stream.first.type == "view"

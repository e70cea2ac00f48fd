"""An open stream shows that its page is there, and reads no more than that needs."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import httpx
import pytest

from service.domain.changes import Changes
from service.domain.model import SessionId
from service.domain.timing import GRACE_SECONDS, PRESENCE_SECONDS, SETTLE_SECONDS, STREAM_COMMENT_SECONDS
from service.store.presence import Heartbeat, KeptAlive
from service.usecases import pages
from service.web.pages import sse
from tests.support.connection_steps import broken, claim
from tests.support.patience import PATIENCE_SECONDS
from tests.support.services import HOST_URL, RunningServices
from tests.support.streams import EventStream
from tests.support.users import FramePage, User


async def test_a_silent_stream_is_kept_alive_and_shows_that_its_page_is_there(
    services: RunningServices, ada: User
) -> None:
    services.parts.pubsub.keep_alive_seconds = 0.02
    page = await ada.frame()
    async with EventStream(services, page) as stream:
        services.clock.advance(50)
        for _ in range(2):
            assert (await stream.next_or_comment()).type is None
        await services.later(50)
        assert (await page.stored())["status"] == "opened"


async def test_a_page_that_is_gone_without_a_word_is_noticed_at_once_and_exits_after_a_minute(
    services: RunningServices, ada: User
) -> None:
    page = await ada.frame()
    async with EventStream(services, page) as stream:
        await stream.disconnect()
    assert services.parts.pubsub.count_for(page.id) == 0
    await services.later(PRESENCE_SECONDS)
    assert (await page.stored())["status"] == "exited"


async def test_a_user_who_is_in_another_tab_for_ten_minutes_has_not_left_while_the_stream_is_open(
    services: RunningServices, ada: User
) -> None:
    services.parts.pubsub.keep_alive_seconds = 0.02
    page = await ada.frame()
    async with EventStream(services, page) as stream:
        for _ in range(20):  # a hidden tab's own timers may run once a minute, or not at all: no heartbeat comes
            services.clock.advance(30)
            for _ in range(2):
                assert (await stream.next_or_comment()).type is None
            await services.drain()
        assert (await page.stored())["status"] == "opened"
    await services.later(61)
    assert (await page.stored())["status"] == "exited"
    assert (await page.event_types()).count("session.exited") == 1


async def test_a_stream_with_many_events_shows_its_page_to_be_there_too(
    services: RunningServices, ada: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sse, "STREAM_COMMENT_SECONDS", 0.01)
    services.parts.pubsub.keep_alive_seconds = 0.05
    page = await ada.frame()
    async with EventStream(services, page) as stream, asyncio.timeout(PATIENCE_SECONDS):
        beats = _presences(monkeypatch, services)
        while not beats:
            assert (await stream.next_or_comment()).type is None
            services.parts.pubsub.publish({page.id})


async def test_a_stream_that_is_woken_for_nothing_all_the_time_is_not_silent(
    services: RunningServices, ada: User
) -> None:
    services.parts.pubsub.keep_alive_seconds = 1e6
    page = await ada.frame()
    async with EventStream(services, page) as stream, asyncio.timeout(PATIENCE_SECONDS):
        for _ in range(5):
            frame = asyncio.create_task(stream.next_or_comment())
            while not frame.done():
                services.parts.pubsub.publish({page.id})
                await asyncio.sleep(STREAM_COMMENT_SECONDS / 20)
            assert frame.result().type is None


async def test_comments_between_keep_alives_show_the_stream_alive_and_read_nothing(
    services: RunningServices, ada: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sse, "STREAM_COMMENT_SECONDS", 0.01)
    services.parts.pubsub.keep_alive_seconds = 1e6
    page = await ada.frame()
    async with EventStream(services, page) as stream:
        assert (await stream.next_or_comment()).type is None
        reads = _counted(monkeypatch, services, "snapshot", "events_after")
        beats = _presences(monkeypatch, services)
        for _ in range(5):
            assert (await stream.next_or_comment()).type is None
        assert (reads, beats) == ([], [])
        await page.post("finished")
        assert (await stream.until("session.finished"))[-1].data["view"]["finished"] is True


async def test_a_silent_stream_whose_session_does_not_change_reads_only_every_fourth_time(
    services: RunningServices, ada: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    services.parts.pubsub.keep_alive_seconds = 0.02
    page = await ada.frame()
    async with EventStream(services, page) as stream:
        reads, beats = _counted(monkeypatch, services, "snapshot", "events_after"), _presences(monkeypatch, services)
        while len(beats) < 9:
            assert (await stream.next_or_comment()).type is None
        assert reads.count("snapshot") == reads.count("events_after") == 2


async def test_a_silent_stream_hears_of_what_is_no_event(services: RunningServices, ada: User) -> None:
    page = await ada.frame()
    await page.finish()
    services.parts.pubsub.keep_alive_seconds = 0.02
    async with EventStream(services, page) as stream:
        assert stream.first.data["view"]["waiting"] == "nothing"
        company = (await services.parts.store.sessions.get(SessionId(page.id))).company.ref
        await services.parts.store.companies.note_failed_poll(company, services.clock.now())
        assert (await stream.until("view"))[-1].data["view"]["waiting"] == "unreachable"
        services.clock.advance(SETTLE_SECONDS)
        await services.parts.store.connections.change(company, [], [], lambda _: Changes(polled_at=1e10))
        assert (await stream.until("view"))[-1].data["view"]["waiting"] == "nothing"


async def test_a_page_to_mend_an_account_hears_of_what_becomes_of_it_elsewhere(
    services: RunningServices, ada: User
) -> None:
    services.parts.pubsub.keep_alive_seconds = 0.02
    made = await services.post(f"/v1/connections/{(await broken(ada))['id']}/reconnect", {"origin": HOST_URL})
    await services.drain()
    page = FramePage(services, made)
    await page.start()
    async with EventStream(services, page) as stream:
        assert stream.first.data["view"]["account"]["words"] == "PASSWORD_INCORRECT"
        services.outgoing.reshape = _locked
        await services.later(20)
        async with asyncio.timeout(PATIENCE_SECONDS):
            assert (await stream.until("view"))[-1].data["view"]["account"] == (await page.view())["account"]


def _locked(request: httpx.Request, body: Any) -> Any:
    for each in body["connections"] if request.url.path.endswith("/connection") else ():
        each["status"] = "NEW_PASSWORD_NEEDED"
    return body


async def test_a_link_whose_time_is_over_disappears_from_a_page_on_which_nothing_else_happens(
    services: RunningServices, ada: User
) -> None:
    services.parts.pubsub.keep_alive_seconds = 0.02
    page = await ada.frame(expiresIn=60)
    async with EventStream(services, page) as stream:
        assert stream.first.data["view"]["link"]["url"]
        services.clock.advance(60 + GRACE_SECONDS)  # no job runs meanwhile
        assert (await stream.until("view"))[-1].data["view"]["link"]["url"] is None


async def test_an_event_whose_wake_up_was_lost_comes_with_the_next_keep_alive(
    services: RunningServices, ada: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    services.parts.pubsub.keep_alive_seconds = 0.02
    page = await ada.frame()
    async with EventStream(services, page) as stream:
        monkeypatch.setattr(services.parts.pubsub, "_subscribers", {})
        await services.post(f"/v1/sessions/{page.id}/revoke")
        assert (await stream.until("session.revoked"))[-1].data["view"]["status"] == "revoked"


async def test_a_page_is_told_of_more_events_than_one_read_brings(
    services: RunningServices, ada: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pages, "_EVENTS_AT_ONCE", 2)
    page = await ada.frame()
    await page.connect()
    await page.finish()
    events = await services.rows(f"/v1/sessions/{page.id}/events")
    async with EventStream(services, page, "unknown") as stream:
        assert [(await stream.next()).id for _ in events] == [event["id"] for event in events]


def test_streams_that_open_together_are_due_at_different_times_and_none_later_than_the_others() -> None:
    due = sorted(15.0 - sse.first_quiet_seconds(SessionId(f"ses_{number:08}"), 15.0) for number in range(1_000))
    assert STREAM_COMMENT_SECONDS <= due[0] < due[-1] <= 15.0
    in_a_second = [sum(at <= other < at + 1 for other in due) for at in due]
    assert max(in_a_second) < 2 * len(due) / 13


async def test_a_page_left_open_after_its_end_records_no_presence_and_hears_what_changes(
    services: RunningServices, ada: User, bob: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    services.parts.pubsub.keep_alive_seconds = 0.02
    page = await ada.frame(link="magic_link")
    await page.connect()
    await page.finish()
    his = await bob.session(link="magic_link")
    async with EventStream(services, page) as stream:
        assert stream.first.data["view"]["status"] == "connected"
        beats = _presences(monkeypatch, services)
        for _ in range(3):
            assert (await stream.next_or_comment()).type is None
        assert set(beats) == {None}
        services.parts.pubsub.keep_alive_seconds = 5
        await claim(services, await ada.newest(), his["id"])
        reopened = (await stream.until("session.reopened"))[-1].data["view"]
        assert (reopened["status"], reopened["connections"]) == ("opened", [])


def _presences(monkeypatch: pytest.MonkeyPatch, services: RunningServices) -> list[str | None]:
    """Return a list that grows by the digest of a page's key whenever its presence is to be recorded, or by None."""
    asked: list[str | None] = []
    inner = services.parts.store.sessions.keep_alive

    async def call(heartbeats: Sequence[Heartbeat], now: float) -> KeptAlive:
        asked.extend(each.page_hash for each in heartbeats)
        return await inner(heartbeats, now)

    monkeypatch.setattr(services.parts.store.sessions, "keep_alive", call)
    return asked


def _counted(monkeypatch: pytest.MonkeyPatch, services: RunningServices, *names: str) -> list[str]:
    """Return a list that grows by the name of each of these use cases whenever it is called."""
    calls: list[str] = []

    def counting(name: str) -> Callable[..., Awaitable[Any]]:
        inner = getattr(services.parts.pages, name)

        async def call(*args: Any, **options: Any) -> Any:
            calls.append(name)
            return await inner(*args, **options)

        return call

    for name in names:
        monkeypatch.setattr(services.parts.pages, name, counting(name))
    return calls

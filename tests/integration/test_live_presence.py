"""An open stream shows that its page is there, and reads no more than that needs."""

from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from service.domain.timing import PRESENCE_SECONDS
from service.web.pages import sse
from tests.support.connection_steps import claim
from tests.support.services import RunningServices
from tests.support.streams import EventStream
from tests.support.users import User


async def test_a_silent_stream_is_kept_alive_and_shows_that_its_page_is_there(
    services: RunningServices, ada: User
) -> None:
    services.parts.pubsub.keep_alive_seconds = 0.02
    page = await ada.frame()
    async with EventStream(services, page) as stream:
        services.clock.advance(50)
        for _ in range(2):
            assert (await stream.next()).type is None
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
                assert (await stream.next()).type is None
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
    async with EventStream(services, page) as stream:
        beats = _counted(monkeypatch, services, "heartbeat")
        for _ in range(20):
            assert (await stream.next()).type is None
            services.parts.pubsub.publish({page.id})
        assert beats


async def test_comments_between_keep_alives_show_the_stream_alive_and_read_nothing(
    services: RunningServices, ada: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sse, "STREAM_COMMENT_SECONDS", 0.01)
    page = await ada.frame()
    async with EventStream(services, page) as stream:
        assert (await stream.next()).type is None
        reads = _counted(monkeypatch, services, "snapshot", "events_after", "heartbeat")
        for _ in range(5):
            assert (await stream.next()).type is None
        assert reads == []
        await page.post("finished")
        assert (await stream.until("session.finished"))[-1].data["view"]["finished"] is True


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
        calls = _counted(monkeypatch, services, "snapshot", "heartbeat")
        for _ in range(3):
            assert (await stream.next()).type is None
        assert set(calls) == {"snapshot"}
        services.parts.pubsub.keep_alive_seconds = 5
        await claim(services, await ada.newest(), his["id"])
        reopened = (await stream.until("session.reopened"))[-1].data["view"]
        assert (reopened["status"], reopened["connections"]) == ("opened", [])


def _counted(monkeypatch: pytest.MonkeyPatch, services: RunningServices, *names: str) -> list[str]:
    """Return a list that grows by the name of each of these use cases whenever it is called."""
    calls: list[str] = []

    def counting(name: str) -> Callable[..., Awaitable[Any]]:
        inner = getattr(services.parts.pages, name)

        async def call(*args: Any) -> Any:
            calls.append(name)
            return await inner(*args)

        return call

    for name in names:
        monkeypatch.setattr(services.parts.pages, name, counting(name))
    return calls

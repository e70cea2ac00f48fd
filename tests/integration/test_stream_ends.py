"""A stream that ends keeps neither its connection, nor the process, nor the database busy."""

import asyncio
from typing import Any

import pytest

from tests.support.patience import PATIENCE_SECONDS
from tests.support.services import RunningServices
from tests.support.streams import EventStream
from tests.support.users import User


async def test_a_head_of_a_stream_is_complete_at_once_and_opens_none(services: RunningServices, ada: User) -> None:
    page = await ada.frame()
    asks = {"Accept": "text/event-stream", "X-Page-Key": str(page.key)}
    async with asyncio.timeout(PATIENCE_SECONDS):
        answer = await services.web().head(page.live, headers=asks)
    assert (answer.status_code, answer.headers["content-type"]) == (200, "text/event-stream; charset=utf-8")
    assert services.parts.pubsub.count_for(page.id) == 0


async def test_a_process_that_stops_waits_for_no_read_of_its_streams(
    services: RunningServices, ada: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = await ada.frame()
    async with EventStream(services, page) as stream:
        assert (await stream.next_or_comment()).type is None  # it waits
        _stand_still(services, monkeypatch)
        services.parts.pubsub.close()
        assert (await stream.next()).type == "ended"


async def test_a_process_that_stops_waits_for_no_presence_of_its_streams(
    services: RunningServices, ada: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    services.parts.pubsub.keep_alive_seconds = 0.02
    page, asked = await ada.frame(), asyncio.Event()

    async def waits(*_: object) -> Any:
        asked.set()
        await asyncio.Event().wait()

    async with EventStream(services, page) as stream:
        monkeypatch.setattr(services.parts.store.sessions, "keep_alive", waits)
        async with asyncio.timeout(PATIENCE_SECONDS):
            await asked.wait()
        _stand_still(services, monkeypatch)
        services.parts.pubsub.close()
        assert (await stream.next()).type == "ended"


async def test_nothing_is_read_for_a_page_that_has_gone(
    services: RunningServices, ada: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = await ada.frame()
    async with EventStream(services, page) as stream:
        assert (await stream.next_or_comment()).type is None
        _stand_still(services, monkeypatch)
        await stream.disconnect()


def _stand_still(services: RunningServices, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let no read of a stream end, as while the database stands still."""

    async def waits(*_: object, **__: object) -> Any:
        await asyncio.Event().wait()

    for name in ("snapshot", "events_after"):
        monkeypatch.setattr(services.parts.pages, name, waits)

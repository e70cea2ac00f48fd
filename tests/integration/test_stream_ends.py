"""When a stream ends: it keeps its connection for nobody."""

import asyncio

from tests.support.patience import PATIENCE_SECONDS
from tests.support.services import RunningServices
from tests.support.users import User


async def test_a_head_of_a_stream_is_complete_at_once_and_opens_none(services: RunningServices, ada: User) -> None:
    page = await ada.frame()
    asks = {"Accept": "text/event-stream", "X-Page-Key": str(page.key)}
    async with asyncio.timeout(PATIENCE_SECONDS):
        answer = await services.web().head(page.live, headers=asks)
    assert (answer.status_code, answer.headers["content-type"]) == (200, "text/event-stream; charset=utf-8")
    assert services.parts.pubsub.count_for(page.id) == 0

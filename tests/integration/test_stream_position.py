"""Where a stream goes on after its connection broke: the first frame has a position, so that no event is missed."""

from tests.support.services import RunningServices
from tests.support.streams import EventStream
from tests.support.users import User


async def test_a_page_cut_off_before_its_first_event_misses_none(services: RunningServices, ada: User) -> None:
    page = await ada.frame()
    async with EventStream(services, page) as stream:
        first = stream.first
    assert first.id == (await services.rows(f"/v1/sessions/{page.id}/events"))[-1]["id"]
    await page.connect()
    await page.finish()  # while nobody listens
    async with EventStream(services, page, last_event_id=first.id) as stream:
        missed = await stream.until("session.connected")
    assert [one.type for one in missed] == ["session.finished", "connection.recorded", "session.connected"]


async def test_a_stream_that_goes_on_does_not_move_the_browsers_position(services: RunningServices, ada: User) -> None:
    page = await ada.frame()
    events = await services.rows(f"/v1/sessions/{page.id}/events")
    async with EventStream(services, page, last_event_id=events[0]["id"]) as stream:
        assert stream.first.id is None
        assert [one.id for one in await stream.until(events[-1]["type"])] == [one["id"] for one in events[1:]]

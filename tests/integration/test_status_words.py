"""What each status is told as, to host and user; and that the host hears when a delayed account works again."""

from typing import Any

import pytest

from service.domain.status_words import all_words, words_for
from service.domain.statuses import ConnectionState
from service.sandbox.wire.enums import STATUSES
from tests.support.endpoints import deliveries, endpoint
from tests.support.services import RunningServices
from tests.support.users import FramePage, User

DAY = 86_400
DELAYED = [words.status for words in all_words() if words.state is ConnectionState.DELAYED]


async def reports(services: RunningServices, page: FramePage, status: str) -> None:
    company = (await page.stored())["company"]["id"]
    await services.sandbox.trouble("status_change", status=status, times=1, companyId=company)


async def arrives_as(services: RunningServices, user: User, status: str, **fields: Any) -> FramePage:
    page = await user.frame(**fields)
    await page.connect()
    await reports(services, page, status)
    await page.finish()
    return page


@pytest.mark.parametrize("status", STATUSES)
async def test_a_host_gets_the_words_of_the_status(services: RunningServices, ada: User, status: str) -> None:
    await arrives_as(services, ada, status)
    row, words = await ada.newest(), words_for(status)
    assert row["words"] == {
        "label": words.label,
        "title": words.title,
        "sentence": words.sentence,
        "steps": [{"text": step.text, "place": step.place} for step in words.steps],
        "turn": words.turn,
    }
    assert row["state"] == words.state


@pytest.mark.parametrize("status", [status for status in DELAYED if status in STATUSES])
async def test_the_host_hears_when_a_delayed_account_works_again(
    services: RunningServices, ada: User, status: str
) -> None:
    page = await arrives_as(services, ada, status)
    before = await page.event_types()
    await reports(services, page, "CONNECTED")
    await services.later(2 * DAY)  # no webhook comes: the daily poll finds it
    back = [one for one in await services.rows("/v1/events", limit=100) if one["type"] == "connection.updated"]
    assert [one["data"] for one in back] == [{"status": "CONNECTED", "state": "working", "from": status}]
    assert back[0]["userId"] == "ada"
    assert (await page.event_types())[len(before) :] == ["connection.updated", "session.connected"]


async def test_an_account_that_worked_before_is_told_as_down_and_as_back(services: RunningServices, ada: User) -> None:
    made = await endpoint(services, types=["connection.updated"])
    page = await arrives_as(services, ada, "CONNECTED")
    for status in ("WEBSITE_DOWN", "CONNECTED"):
        await reports(services, page, status)
        await services.later(2 * DAY)
    told = [one for one in await services.rows("/v1/events", limit=100) if one["type"] == "connection.updated"]
    assert [(one["data"]["from"], one["data"]["status"]) for one in told] == [
        ("CONNECTED", "WEBSITE_DOWN"),
        ("WEBSITE_DOWN", "CONNECTED"),
    ]
    assert {one["eventId"] for one in await deliveries(services, made)} == {one["id"] for one in told}
    assert "connection.needs_attention" not in await page.event_types()

"""The script of docs/operating.md that copies an SQLite database to PostgreSQL: everything goes on there."""

import asyncio
import re
import sys
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from tests.support.clock import Clock
from tests.support.endpoints import endpoint
from tests.support.postgres import migrate_database
from tests.support.services import RunningServices
from tests.support.users import User

GUIDE = (Path(__file__).parents[2] / "docs" / "operating.md").read_text("utf-8")
(SCRIPT,) = re.findall(r"```python\n(.*?)```", GUIDE.partition("## From SQLite to PostgreSQL")[2], re.DOTALL)


@pytest.fixture
async def services(clock: Clock, tmp_path: Path) -> AsyncIterator[RunningServices]:
    """The service, on an SQLite file."""
    opened = RunningServices(clock, f"sqlite:///{tmp_path / 'magiclink.db'}")
    await opened.open()
    yield opened
    await opened.close()


async def copy(services: RunningServices, postgres_url: str) -> None:
    await migrate_database(postgres_url)
    await services.close()
    file = services.settings.database_url.removeprefix("sqlite:///")
    process = await asyncio.create_subprocess_exec(sys.executable, "-c", SCRIPT, file, postgres_url)
    assert await process.wait() == 0
    services.settings = replace(services.settings, database_url=postgres_url)
    await services.open()


async def test_everything_goes_on_in_the_other_database(services: RunningServices, empty_postgres_url: str) -> None:
    ada, bob = User(services, "ada"), User(services, "bob")
    await endpoint(services)
    connection = await ada.connected(userLabel="\\N Ada\\t", metadata={"plan": "gold; 100 %"})
    page = await bob.frame()
    before = await services.rows("/v1/events", limit=100)
    await copy(services, empty_postgres_url)
    assert await services.rows("/v1/events", limit=100) == before
    assert (await services.get(f"/v1/connections/{connection['id']}"))["userId"] == "ada"
    assert (await services.get("/v1/users/ada/export"))["sessions"][0]["userLabel"] == "\\N Ada\\t"
    await page.connect()
    assert (await page.finish())["status"] == "connected"
    after = await services.rows("/v1/events", after=str(before[-1]["seq"]))
    assert [event["seq"] for event in after] == list(range(len(before) + 1, len(before) + 1 + len(after)))
    for _ in range(4):
        await services.deliver()
    sent = {str(post.event["id"]) for post in services.receivers.main.posts}
    assert {event["id"] for event in [*before, *after]} <= sent

"""How many transactions each trip costs, as docs/architecture.md states them: a read that nobody needs shows here."""

from collections.abc import Callable
from typing import Any

import pytest

from service.store.engine import Unit
from tests.support.services import RunningServices
from tests.support.users import FramePage, User


class Transactions:
    """Counts the reads and writes of the running service's engine since the last `taken`."""

    def __init__(self, engine: Any, monkeypatch: pytest.MonkeyPatch) -> None:
        self.reads = self.writes = 0
        read, write = engine.read, engine.write

        async def counted_read(unit: Unit[Any], *, snapshot: bool = True) -> Any:
            self.reads += 1
            return await read(unit, snapshot=snapshot)

        async def counted_write(unit: Unit[Any]) -> Any:
            self.writes += 1
            return await write(unit)

        monkeypatch.setattr(engine, "read", counted_read)
        monkeypatch.setattr(engine, "write", counted_write)

    def taken(self) -> tuple[int, int]:
        counted = self.reads, self.writes
        self.reads = self.writes = 0
        return counted


@pytest.fixture
def transactions(services: RunningServices, monkeypatch: pytest.MonkeyPatch) -> Callable[[], tuple[int, int]]:
    return Transactions(services.parts.store.engine, monkeypatch).taken


async def test_creating_a_session_is_one_write(
    services: RunningServices, ada: User, transactions: Callable[[], tuple[int, int]]
) -> None:
    await services.post("/v1/sessions", ada.wants())
    assert transactions() == (0, 1)


async def test_a_key_adds_one_read_to_a_create_and_its_repeat_writes_as_often(
    services: RunningServices, ada: User, transactions: Callable[[], tuple[int, int]]
) -> None:
    for _ in range(2):
        await services.host.post("/v1/sessions", json=ada.wants(), headers={"Idempotency-Key": "k"})
        assert transactions() == (1, 1)


async def test_the_link_of_a_known_company_takes_three_reads_and_five_writes(
    services: RunningServices, ada: User, transactions: Callable[[], tuple[int, int]]
) -> None:
    await ada.session()
    await services.post("/v1/sessions", ada.wants())
    transactions()
    await services.drain()
    assert transactions() == (3, 5)


async def test_an_embed_page_is_one_read(
    services: RunningServices, ada: User, transactions: Callable[[], tuple[int, int]]
) -> None:
    session = await ada.session()
    transactions()
    await services.web().get(session["embedUrl"], headers={"Sec-Fetch-Dest": "iframe"})
    assert transactions() == (1, 0)


async def test_starting_a_page_is_one_write_after_one_read_and_before_another(
    services: RunningServices, ada: User, transactions: Callable[[], tuple[int, int]]
) -> None:
    page = FramePage(services, await ada.session())
    transactions()
    await page.start()
    assert transactions() == (2, 1)


async def test_a_started_page_is_viewed_with_one_read(ada: User, transactions: Callable[[], tuple[int, int]]) -> None:
    page = await ada.frame()
    transactions()
    await page.view()
    assert transactions() == (1, 0)


async def test_a_callback_reads_three_times_and_writes_seven_times(
    ada: User, transactions: Callable[[], tuple[int, int]]
) -> None:
    page = await ada.browser()
    await page.connect()
    url = (await page.view())["doneUrl"]
    transactions()
    assert (await page.http.get(url)).status_code == 303
    assert transactions() == (3, 7)


async def test_a_webhook_is_one_write_before_it_is_acknowledged(
    services: RunningServices, ada: User, transactions: Callable[[], tuple[int, int]]
) -> None:
    page = await ada.frame()
    await page.connect()
    transactions()
    await services.sandbox.deliver_webhooks()
    reads, writes = transactions()
    assert (reads, writes >= 1) == (0, True)

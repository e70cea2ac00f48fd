"""What somebody with bad intent, or a broken program, sends to our endpoints: it is refused and changes nothing."""

import asyncio
import base64
import json
import sqlite3
from contextlib import AsyncExitStack
from itertools import product
from pathlib import Path

import httpx
import pytest

from service.domain.model import ConnectionId, ProviderCompanyId
from service.errors import ProviderBroken, Unavailable
from service.provider import CallLimits, Provider, ProviderAccount
from service.store.engine import Transaction
from service.store.sqlite import SqliteEngine
from tests.support.clock import Clock
from tests.support.patience import PATIENCE_SECONDS
from tests.support.services import RunningServices, refused
from tests.support.streams import EventStream
from tests.support.users import NAVIGATION, SCRIPT, User, refused_page

_MANY = 150  # more than honest pages ask at once


async def test_a_page_that_comes_back_in_a_loop_does_not_make_us_ask_the_provider_in_a_loop(
    services: RunningServices, ada: User
) -> None:
    page = await ada.browser()
    way_back = str((await page.view())["doneUrl"])
    services.outgoing.calls.clear()
    answers = [await page.get(way_back) for _ in range(_MANY)]
    refused_page(answers[-1], 429, "rate_limited")
    assert services.outgoing.made("GET /connection") < _MANY
    services.clock.advance(60)
    assert (await page.get(way_back)).status_code == 303


async def test_the_page_of_a_session_that_is_long_over_does_not_make_us_ask_the_provider(
    services: RunningServices, ada: User
) -> None:
    page = await ada.frame(expiresIn=60)
    await services.later(86_400)
    before = len(services.outgoing.calls)
    for _ in range(20):
        refused(await page.post("finished"), 410, "expired")
        await services.later(15)
    assert len(services.outgoing.calls) == before
    assert (await page.event_types())[-1] == "session.expired"


async def test_nobody_presses_start_in_a_loop(ada: User) -> None:
    page = await ada.browser()
    statuses = [(await page.post("start")).status_code for _ in range(_MANY)]
    assert statuses[-1] == 429


async def test_a_page_that_starts_all_the_time_writes_few_events(services: RunningServices, ada: User) -> None:
    page = await ada.frame()
    before = len(await page.event_types())
    statuses = set()
    for _ in range(300):
        services.clock.advance(1)
        statuses.add((await page.ask_to_start(take_over=True)).status_code)
    assert statuses == {200, 429}
    assert len(await page.event_types()) - before < 100
    services.clock.advance(10)
    assert (await page.ask_to_start(take_over=True)).status_code == 200


async def test_nobody_confirms_in_a_loop(services: RunningServices, ada: User) -> None:
    page = await ada.browser()
    state = str((await page.view())["doneUrl"]).removeprefix("/callback?state=")
    elsewhere = services.web()
    answers = [await elsewhere.post("/callback", data={"state": state}, headers=NAVIGATION) for _ in range(_MANY)]
    assert answers[-1].status_code in {409, 429}


@pytest.mark.parametrize("row_id", ["\x00", "ses_1'--", "", "x" * 101])
async def test_a_cursor_that_names_no_row_is_refused(services: RunningServices, row_id: str) -> None:
    cursor = base64.urlsafe_b64encode(f"1800000000.0|{row_id}".encode()).decode().rstrip("=")
    for path in ("/v1/sessions", "/v1/connections"):
        answer = await services.host.get(path, params={"after": cursor})
        refused(answer, 422, "invalid_request", "/after")


async def test_a_scanner_adds_no_series_to_what_is_counted(clock: Clock, database_url: str) -> None:
    services = RunningServices(clock, database_url, metrics_key="scrape-me")
    await services.open()
    web, words = services.web(), ("v1", "live", "embed", "start", "callback", "x", "")
    await web.get("/healthz")
    for path in product(words, repeat=3):
        await web.request("PROPFIND-" + path[0], "/" + "/".join(path))
    page = (await web.get("/metrics", headers={"Authorization": "Bearer scrape-me"})).text
    await services.close()
    series = [line for line in page.splitlines() if line.startswith("magiclink_requests_total{")]
    assert 'magiclink_requests_total{method="GET",route="/healthz",status="200"} 1.0' in series
    assert len(series) < 20


def reported(**fields: str) -> Provider:
    """A provider that lists one connection, like this."""
    row = {"id": "con-1", "created": "2026-01-01T00:00:00Z", "status": "CONNECTED"} | fields
    content = json.dumps({"connections": [row], "hasNext": False})
    http = httpx.AsyncClient(transport=httpx.MockTransport(lambda _: httpx.Response(200, content=content)))
    return Provider(
        http, ProviderAccount("https://provider.example", "https://pages.example", "key"), CallLimits(lambda: 0.0)
    )


@pytest.mark.parametrize("odd", ["\x00", "\ud800"])
async def test_a_providers_name_that_no_database_holds_spoils_no_list(odd: str) -> None:
    (seen,) = await reported(url=f"Mill {odd}!", status=f"{odd}").connections(ProviderCompanyId("company-1"))
    assert (seen.provider_url, seen.status) == ("Mill \ufffd!", "UNKNOWN")


async def test_what_merely_looks_odd_stays() -> None:
    text = "\\u0000 \U0001f4a1"
    (seen,) = await reported(url=text).connections(ProviderCompanyId("company-1"))
    assert seen.provider_url == text


@pytest.mark.parametrize("created", ["9999-12-31T23:59:59-14:00", "0001-01-01T00:00:00+14:00"])
async def test_a_time_that_cannot_be_formatted_again_is_no_time(created: str) -> None:
    assert await reported(created=created).connections(ProviderCompanyId("company-1")) == ()
    with pytest.raises(ProviderBroken):
        await reported(created=created).connection(ConnectionId("connection-1"))


async def test_one_page_opens_no_streams_without_end(services: RunningServices, ada: User) -> None:
    page = await ada.frame()
    async with AsyncExitStack() as open_streams:
        for _ in range(8):
            await open_streams.enter_async_context(services.parts.pubsub.subscribe(page.id))
        headers = SCRIPT | {"X-Page-Key": str(page.key), "Accept": "text/event-stream"}
        refused(await page.http.get(page.live, headers=headers), 429, "rate_limited")
        assert (await page.ask()).status_code == 200


async def test_streams_that_are_asked_for_at_once_are_no_more_than_one_after_the_other(
    services: RunningServices, ada: User
) -> None:
    page = await ada.frame()
    streams = [EventStream(services, page, "evt_unknown") for _ in range(40)]
    await asyncio.gather(*(one.__aenter__() for one in streams), return_exceptions=True)  # some get no first frame
    open_ones = services.parts.pubsub.count_for(page.id)
    for one in streams:
        await one.__aexit__(None, None, None)
    assert 0 < open_ones <= 8


async def test_a_connection_that_can_neither_commit_nor_roll_back_does_not_keep_the_database(
    tmp_path: Path, clock: Clock
) -> None:
    engine = SqliteEngine(str(tmp_path / "magiclink.db"), clock.now)
    await engine.open()
    await engine.write(lambda tx: tx.run("CREATE TABLE t (id INTEGER)"))

    def spoil(tx: Transaction) -> None:
        tx.run("INSERT INTO t VALUES (1)")
        connection: sqlite3.Connection = tx._cursor.connection  # type: ignore[attr-defined]  # noqa: SLF001 - a disk's part
        connection.set_authorizer(lambda action, *_: sqlite3.SQLITE_DENY if action == sqlite3.SQLITE_TRANSACTION else 0)

    with pytest.raises(Unavailable):
        await engine.write(spoil)
    await engine.write(lambda tx: tx.run("INSERT INTO t VALUES (2)"))
    assert [row["id"] for row in await engine.read(lambda tx: tx.all("SELECT id FROM t"))] == [2]
    await engine.close()


async def test_the_worker_goes_on_after_any_error_of_the_database(
    services: RunningServices, ada: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    worker, said = services.parts.worker, [ValueError("database disk image is malformed"), None]

    async def next_in_seconds() -> float | None:
        trouble = said.pop(0)
        if trouble is not None:
            worker.wake()
            raise trouble
        await worker.stop(0.0)
        return None

    monkeypatch.setattr(services.parts.store.queue, "next_in_seconds", next_in_seconds)
    await ada.session()
    async with asyncio.timeout(PATIENCE_SECONDS):
        await worker.run()
    assert said == []

"""What every released version wrote is read and gone on with by this one, on both databases."""

import json
import os
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from service.store import engine_for, migrate, pending
from tests.support.clock import Clock
from tests.support.connection_steps import claim, reconnecting, repair
from tests.support.sandbox_client import JsonObject
from tests.support.services import RunningServices, refused
from tests.support.streams import EventStream
from tests.support.users import FramePage, TopPage, check_page
from tests.upgrade.contents import HOST_KEY, OTHER_KEY, user
from tests.upgrade.release import RELEASED, Release, digest_of, migrations

VERSIONS = sorted(folder.name for folder in RELEASED.iterdir())


@pytest.fixture
async def services(release: Release, database_url: str, tmp_path: Path) -> AsyncIterator[RunningServices]:
    """This version, started on what that one left."""
    release.restore_provider(tmp_path)
    opened = RunningServices(Clock(release.held["at"]), database_url, sandbox={"data_dir": tmp_path})
    await opened.open()
    opened.host = opened.backend(HOST_KEY)
    yield opened
    await opened.close()


def unlike(reported: Any, before: Any, place: str = "") -> list[str]:
    """Where an answer lacks or contradicts the earlier one; more than that is allowed."""
    if isinstance(reported, dict) and isinstance(before, dict):
        parts = [(reported.get(name), value, f"{place}/{name}") for name, value in before.items()]
        return [found for part in parts for found in unlike(*part)]
    if isinstance(reported, list) and isinstance(before, list) and len(reported) == len(before):
        return [
            found
            for n, pair in enumerate(zip(reported, before, strict=True))
            for found in unlike(*pair, f"{place}/{n}")
        ]
    return [] if reported == before else [f"{place}: {reported!r} was {before!r}"]


def page_of(services: RunningServices, held: JsonObject) -> FramePage:
    """A page that was open while the service was replaced."""
    page = FramePage(services, held["session"])
    page.key = held["pageKey"]
    return page


@pytest.mark.parametrize("version", VERSIONS)
def test_a_migration_that_was_released_never_changes(version: str) -> None:
    reported = Release(version).held["migrations"]
    assert {name: digest_of(name) for name in reported} == reported


async def test_only_what_is_newer_is_applied(release: Release, database_url: str) -> None:
    engine = engine_for(database_url, Clock().now)
    await engine.open()
    newer = [name for name in migrations() if name not in release.held["migrations"]]
    assert await migrate(engine) == newer
    assert await pending(engine) == []
    await engine.close()


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_of_processes_that_migrate_at_once_one_does(kind: str, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    sqlite = f"sqlite:///{tmp_path / 'magiclink.db'}"
    environ = {
        "MAGICLINK_DATABASE_URL": sqlite if kind == "sqlite" else str(request.getfixturevalue("empty_postgres_url")),
        "MAGICLINK_SECRET_KEYS": "k" * 32,
        "MAGICLINK_PUBLIC_URL": "http://localhost:8000",
        "MAGICLINK_PROVIDER_API_KEY": "provider-key",
    }
    command = [sys.executable, "-m", "service", "migrate"]
    processes = [subprocess.Popen(command, env=os.environ | environ, stdout=subprocess.PIPE) for _ in range(3)]
    said = sorted(process.communicate(timeout=60)[0].decode() for process in processes)
    assert [process.returncode for process in processes] == [0, 0, 0]
    assert said == ["Nothing to do.\n"] * 2 + ["".join(f"applied {name}\n" for name in migrations())]


def _renamed(answer: Any) -> Any:
    """What was answered, with the name that an event has had since: ids and positions stay."""
    return json.loads(json.dumps(answer).replace('"session.submitted"', '"session.finished"'))


@pytest.mark.parametrize(("answers", "key"), [("hostAnswers", HOST_KEY), ("otherAnswers", OTHER_KEY)])
async def test_every_address_answers_each_tenant_as_before(
    services: RunningServices, release: Release, answers: str, key: str
) -> None:
    host = services.backend(key)
    held = {path: _renamed(reported) for path, reported in release.held[answers].items()}
    found = {path: unlike((await host.get(path)).json(), reported) for path, reported in held.items()}
    assert {path: differences for path, differences in found.items() if differences} == {}


async def test_another_tenants_session_is_still_not_there(services: RunningServices, release: Release) -> None:
    refused(await services.host.get(f"/v1/sessions/{release.held['otherSession']['id']}"), 404, "not_found")


async def test_an_equal_call_gets_the_answer_that_it_got(services: RunningServices, release: Release) -> None:
    repeated = release.held["repeated"]
    headers = {"Idempotency-Key": repeated["key"]}
    again = await services.host.post("/v1/sessions", json=repeated["body"], headers=headers)
    assert (again.status_code, unlike(again.json(), repeated["answer"])) == (201, [])
    other = await services.host.post("/v1/sessions", json=repeated["body"] | {"locale": "fr"}, headers=headers)
    refused(other, 422, "idempotency_key_reused")


async def test_addresses_that_were_given_out_open_their_pages(services: RunningServices, release: Release) -> None:
    made = release.held["repeated"]["answer"]
    check_page(await TopPage(services, made).get())
    frame = FramePage(services, made)
    view = await frame.start()
    assert view["link"]["url"].startswith(services.settings.provider_pages_url)


async def test_an_open_page_goes_on_to_its_connection(services: RunningServices, release: Release) -> None:
    page = page_of(services, release.held["opened"])
    async with EventStream(services, page, release.held["opened"]["lastEventId"]) as stream:
        assert stream.first.type == "view"
        await page.connect()
        assert (await page.finish())["status"] == "connected"
        reported = [frame.type for frame in await stream.until("session.connected") if frame.type]
    assert reported == ["session.finished", "connection.recorded", "session.connected"]
    assert (await _recorded(services, page))["evidence"]["kind"] == "invitation"


async def _recorded(services: RunningServices, page: FramePage) -> JsonObject:
    """The one connection that the page's session made."""
    (made,) = (await page.stored())["connections"]
    found: JsonObject = await services.get(f"/v1/connections/{made['id']}")
    assert found["sessionId"] == page.id
    return found


async def test_the_log_goes_on_where_it_ended(services: RunningServices, release: Release) -> None:
    feed = release.held["hostAnswers"]["/v1/events?limit=100"]
    last = (await services.get("/v1/events", after=feed["next"]))["data"]
    await services.post("/v1/sessions", user(services, "ada", "acme").wants())
    (reported,) = await services.rows("/v1/events", after=feed["next"])
    assert (last, reported["type"]) == ([], "session.created")
    everybodys = [event for answers in _feeds(release) for event in answers]
    assert reported["seq"] == max(event["seq"] for event in everybodys) + 1


def _feeds(release: Release) -> list[list[JsonObject]]:
    return [release.held[name]["/v1/events?limit=100"]["data"] for name in ("hostAnswers", "otherAnswers")]


async def test_a_webhook_that_was_stored_is_worked_off_and_its_connection_recorded(
    services: RunningServices, release: Release
) -> None:
    page = page_of(services, release.held["finished"])
    await services.drain()
    assert (await page.stored())["status"] == "connected"
    assert (await _recorded(services, page))["evidence"]["kind"] == "invitation"


async def test_a_link_that_was_still_to_be_made_is_made(services: RunningServices, release: Release) -> None:
    await services.drain()
    page = FramePage(services, release.held["pending"])
    assert (await page.start())["link"]["url"]


async def test_a_call_whose_answer_was_lost_is_not_made_twice(services: RunningServices, release: Release) -> None:
    for _ in range(3):
        await services.later(61)
    assert (await services.get(f"/v1/sessions/{release.held['lost']['id']}"))["link"]["status"] == "ready"
    names = [company["externalId"] for company in await services.sandbox.get("/company")]
    assert names.count("vandelay") == 1


async def test_a_claim_is_undone_and_given_to_the_other(services: RunningServices, release: Release) -> None:
    settled = release.held["settled"]
    undone = await services.host.delete(f"/v1/connections/{settled['claimed']['connection']}/claim")
    assert (undone.status_code, undone.json()["userId"]) == (200, None)
    (other,) = [one for one in undone.json()["candidates"] if one["sessionId"] != settled["claimed"]["session"]]
    given = await claim(services, undone.json(), other["sessionId"])
    assert given.json()["userId"] == other["userId"]


async def test_a_connection_without_an_owner_is_claimed(services: RunningServices, release: Release) -> None:
    nobodys = release.held["settled"]["nobodys"]
    given = await claim(services, {"id": nobodys["connection"]}, nobodys["session"])
    assert (given.json()["sessionId"], given.json()["evidence"]["kind"]) == (nobodys["session"], "claimed")


async def test_a_presumed_owner_is_overturned_by_a_claim(services: RunningServices, release: Release) -> None:
    bobs = await user(services, "bob", "globex").session()
    given = await claim(services, {"id": release.held["settled"]["presumed"]}, bobs["id"])
    assert given.json()["userId"] == "bob"


async def test_a_connection_is_reconnected_once_more(services: RunningServices, release: Release) -> None:
    stored = await services.get(f"/v1/sessions/{release.held['settled']['reconnected']}")
    page = await reconnecting(services, {"id": stored["connectionId"]})
    await repair(page)
    services.clock.advance(5)
    assert (await page.finish())["status"] == "connected"


async def test_days_later_everything_that_was_due_is_done(services: RunningServices) -> None:
    for _ in range(8):
        await services.later(11 * 3600)
    rows = await services.parts.store.engine.read(lambda tx: tx.all("SELECT kind FROM work WHERE attempts > 0"))
    assert [row["kind"] for row in rows] == []
    open_ones = await services.rows("/v1/sessions", status="created")
    assert open_ones == []

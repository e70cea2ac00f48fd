"""What earlier versions stored with a user's id refers to the user's row after the migration, and is erased with it."""

import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.support.clock import Clock
from tests.support.services import RunningServices
from tests.support.stored_rows import rows_with
from tests.upgrade.contents import HOST_KEY
from tests.upgrade.older import OlderDatabase
from tests.upgrade.release import Release, migrations

# All that those versions stored about Ada beside random ids: her label, her metadata, her address, her id in JSON.
ADAS = ("'ada'", '"ada"', "Ada L.", "gold; 100 %", "ada@example.com")


@pytest.fixture
def older(database_url: str) -> OlderDatabase:
    return OlderDatabase(database_url)


@pytest.fixture
async def services(release: Release, older: OlderDatabase, tmp_path: Path) -> AsyncIterator[RunningServices]:
    """Not opened yet: the test may change the database before."""
    release.restore_provider(tmp_path)
    made = RunningServices(Clock(release.held["at"]), older.url, sandbox={"data_dir": tmp_path})
    made.host = made.backend(HOST_KEY)
    yield made
    await made.close()


async def test_each_user_of_each_tenant_gets_one_row_with_a_random_ref(
    services: RunningServices, older: OlderDatabase
) -> None:
    before = set(older.rows("SELECT DISTINCT tenant, user_id FROM sessions"))
    await services.open()
    rows = older.rows("SELECT tenant, user_id, ref FROM users")
    assert sorted((tenant, user) for tenant, user, _ in rows) == sorted(before)
    refs = [ref for _, _, ref in rows]
    assert len(set(refs)) == len(refs) == len({ref[:20] for ref in refs})
    assert older.one("SELECT COUNT(*) FROM sessions WHERE user_ref NOT IN (SELECT ref FROM users)") == 0


async def test_who_is_erased_after_the_upgrade_is_stored_nowhere(services: RunningServices) -> None:
    await services.open()
    other = await services.stranger()  # a tenant of the released database: it has an Ada of its own or none
    assert (await services.host.delete("/v1/users/ada")).status_code == 204
    assert (await other.delete("/v1/users/ada")).status_code in {204, 404}
    await services.drain()
    assert await rows_with(services, *ADAS) == []


async def test_candidates_are_the_users_that_they_were(services: RunningServices, release: Release) -> None:
    await services.open()
    nobodys = release.held["settled"]["nobodys"]["connection"]
    path = f"/v1/connections/{nobodys}"
    found = await services.get(path)
    assert found["candidates"] == release.held["hostAnswers"][path]["candidates"]
    assert nobodys in [one["id"] for one in await services.rows("/v1/connections", attributed="false", userId="bob")]


async def test_a_reassignment_names_the_users_that_it_named(services: RunningServices, older: OlderDatabase) -> None:
    sides = {
        user: older.one(f"SELECT id FROM sessions WHERE user_id = '{user}' AND tenant = 'default'")  # noqa: S608
        for user in ("ada", "bob")
    }
    bob = sides["bob"]
    data = {"from": {"sessionId": sides["ada"], "userId": "ada"}, "to": {"sessionId": sides["bob"], "userId": "bob"}}
    halves = '{"from": {}, "to": {"sessionId": "ses_unknown", "userId": "eve"}}'
    for name, seq, text in (("evt_moved", 9999, json.dumps(data)), ("evt_halved", 10000, halves)):
        values = f"'{name}', {seq}, {seq}, 'default', 'connection.reassigned', 5, '{bob}', 'bob', '{text}'"
        names = "id, seq, drawn, tenant, type, at, session_id, user_id, data"
        older.run(f"INSERT INTO events ({names}) VALUES ({values})")  # noqa: S608
    await services.open()
    moved, halved = await services.rows("/v1/events", after="9998")
    assert (moved["userId"], moved["data"]) == ("bob", data)
    assert halved["data"] == {"from": {}, "to": {"sessionId": "ses_unknown", "userId": None}}
    assert (await services.host.delete("/v1/users/ada")).status_code == 204
    (moved, _) = await services.rows("/v1/events", after="9998", limit=2)
    assert moved["data"]["from"] == {"sessionId": sides["ada"], "userId": None}
    assert moved["data"]["to"] == {"sessionId": sides["bob"], "userId": "bob"}


async def test_whom_results_were_presented_for_is_named_by_refs(
    services: RunningServices, release: Release, older: OlderDatabase
) -> None:
    before = [name for name in migrations() if name < "0008"]
    older.apply(*(name for name in before if name not in release.held["migrations"]))
    session = older.one("SELECT id FROM sessions WHERE user_id = 'ada' AND tenant = 'default'")
    older.run(f"INSERT INTO refused_results (session_id, user_id, at) VALUES ('{session}', 'eve', 5)")  # noqa: S608
    values = f"'evt_eve', 9999, 9999, 'default', 'session.verify_failed', 5, '{session}', 'ada', "
    names = "id, seq, drawn, tenant, type, at, session_id, user_id, data"
    older.run(f"""INSERT INTO events ({names}) VALUES ({values}'{{"presentedFor": "eve"}}')""")  # noqa: S608
    await services.open()
    (event,) = await services.rows("/v1/events", after="9998")
    assert (event["data"], event["userId"]) == ({"presentedFor": "eve"}, "ada")
    assert (await services.host.delete("/v1/users/eve")).status_code == 204
    assert await rows_with(services, "'eve'", '"eve"') == []
    assert older.one("SELECT COUNT(*) FROM refused_results") == 1


async def test_addresses_are_encrypted_by_a_job_and_read_as_before(
    services: RunningServices, older: OlderDatabase
) -> None:
    stored = older.rows("SELECT id, user_email FROM sessions WHERE user_email IS NOT NULL")
    assert stored
    await services.open()
    await services.drain()
    assert await rows_with(services, *(email for _, email in stored)) == []
    for session_id, email in stored:
        assert (await services.parts.store.sessions.get(session_id)).user_email == email


async def test_bodies_of_processed_webhooks_are_deleted_and_others_kept(
    services: RunningServices, older: OlderDatabase
) -> None:
    waiting = older.one("SELECT COUNT(*) FROM inbox WHERE done_at IS NULL")
    assert waiting
    await services.open()
    assert older.one("SELECT COUNT(*) FROM inbox WHERE sealed_body <> ''") == waiting


async def test_what_is_long_over_is_deleted_after_the_upgrade(services: RunningServices, release: Release) -> None:
    await services.open()
    expired, connected = release.held["settled"]["expired"], release.held["settled"]["presumed"]
    await services.drain()
    for _ in range(2):
        await services.later(401 * 86_400)
    assert (await services.host.get(f"/v1/sessions/{expired}")).status_code == 404
    assert (await services.get(f"/v1/connections/{connected}"))["userId"] == "ada"

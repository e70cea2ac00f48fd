"""Sessions that earlier versions stored are judged anew by the migration, without events, on both databases."""

import pytest

from service.domain.model import SessionId, Tenant
from service.domain.statuses import ConnectionState
from service.store import Store, engine_for
from tests.support.clock import Clock
from tests.support.services import SECRET_KEY
from tests.upgrade.older import OlderDatabase
from tests.upgrade.release import Release


class Older(OlderDatabase):
    """A database as a released version left it, before this one opens it."""

    def __init__(self, url: str) -> None:
        super().__init__(url)
        self.attached = self.one(
            "SELECT j.session_id FROM session_connections j JOIN sessions s ON s.id = j.session_id "
            "WHERE s.status = 'connected' AND s.mode = 'connect' ORDER BY j.session_id LIMIT 1"
        )

    async def judged(self, session_id: str) -> str:
        """The status of a session after the migration: in its row, and as the service computes it."""
        clock = Clock()
        engine = engine_for(self.url, clock.now)
        store = Store(engine, clock=clock.now, new_id=lambda prefix: f"{prefix}_new", keys=[SECRET_KEY])
        await store.open()
        computed = (await store.sessions.get(SessionId(session_id))).status
        await store.close()
        status = str(self.one(f"SELECT status FROM sessions WHERE id = '{session_id}'"))  # noqa: S608
        assert computed == status
        return status


@pytest.fixture
def older(database_url: str) -> Older:
    return Older(database_url)


@pytest.mark.parametrize(
    ("before", "status"),
    [
        ("status = 'connected'", "connected"),
        ("status = 'opened'", "connected"),
        ("status = 'expired'", "connected"),
        ("status = 'revoked', revoked_at = 5", "revoked"),
    ],
)
async def test_a_session_is_judged_by_what_is_attached_to_it(older: Older, before: str, status: str) -> None:
    older.run(f"UPDATE sessions SET {before} WHERE id = '{older.attached}'")  # noqa: S608 - the test's own words
    assert await older.judged(older.attached) == status


@pytest.mark.parametrize(
    ("provider_status", "status"),
    [
        ("NO_ACCOUNTS_FOUND", "opened"),
        ("PASSWORD_INCORRECT", "opened"),
        ("PENDING", "submitted"),
        ("SOMETHING_NEW", "submitted"),
        ("CONNECTED", "connected"),
    ],
)
async def test_it_is_judged_by_what_its_connection_says(older: Older, provider_status: str, status: str) -> None:
    older.run(f"UPDATE connections SET status = '{provider_status}'")  # noqa: S608
    older.run("UPDATE events SET data = '{}'")
    assert await older.judged(older.attached) == status


async def test_the_states_of_connections_are_those_that_the_service_computes(older: Older) -> None:
    await older.judged(older.attached)
    clock = Clock()
    assert older.one("SELECT COUNT(*) FROM connections WHERE state = 'delayed' AND status = 'CONNECTED'") == 0
    store = Store(engine_for(older.url, clock.now), clock=clock.now, new_id=lambda prefix: prefix, keys=[SECRET_KEY])
    await store.open()
    for state in ConnectionState:
        rows = await store.connections.list_page(Tenant("default"), {"state": state.value}, None, 100)
        assert {row.state for row in rows} <= {state}
    await store.close()


async def test_one_that_has_been_connected_stays_so_though_its_password_was_refused_since(older: Older) -> None:
    older.run("UPDATE connections SET status = 'PASSWORD_INCORRECT'")
    assert await older.judged(older.attached) == "connected"


async def test_one_whose_connection_was_taken_from_it_is_no_longer_connected(older: Older) -> None:
    older.run(f"DELETE FROM session_connections WHERE session_id = '{older.attached}'")  # noqa: S608
    assert await older.judged(older.attached) == "opened"


async def test_one_that_is_no_longer_connected_and_whose_time_is_over_is_expired(older: Older) -> None:
    older.run(f"DELETE FROM session_connections WHERE session_id = '{older.attached}'")  # noqa: S608
    older.run(f"UPDATE sessions SET expires_at = 100 WHERE id = '{older.attached}'")  # noqa: S608
    assert await older.judged(older.attached) == "expired"


async def test_judging_writes_no_event(older: Older) -> None:
    before = older.one("SELECT COUNT(*) FROM events")
    await older.judged(older.attached)
    assert older.one("SELECT COUNT(*) FROM events") == before
    assert older.one("SELECT COUNT(*) FROM events WHERE type = 'session.submitted'") == 0


async def test_candidates_of_unattributed_connections_are_found(older: Older, release: Release) -> None:
    unowned = release.held["settled"]["nobodys"]
    await older.judged(unowned["session"])
    where = f"connection_id = '{unowned['connection']}' AND session_id = '{unowned['session']}'"
    assert older.one(f"SELECT COUNT(*) FROM connection_candidates WHERE {where}") == 1  # noqa: S608

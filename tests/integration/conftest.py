"""The services that the use cases run on, and their users."""

import shutil
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.support.clock import Clock
from tests.support.services import RunningServices
from tests.support.users import User

# Use cases that decide what is recorded, and for whom, run on both databases; pages, failures and texts on one.
ON_BOTH = {
    "attribution",
    "callback",
    "candidates",
    "claim",
    "company_names",
    "create_session",
    "deliveries",
    "delivery_replays",
    "endpoint_health",
    "earlier_connections",
    "erasure_races",
    "idempotency",
    "key_rotation",
    "leases",
    "listed_elsewhere",
    "lost_invitations",
    "missing_keys",
    "reconnect",
    "repeated_calls",
    "retention_days",
    "revoke",
    "session_life",
    "session_status",
    "unlisted",
    "user_export",
    "users",
    "verify",
    "webhooks",
}
if missing := [name for name in ON_BOTH if not Path(__file__).with_name(f"test_{name}.py").exists()]:
    raise pytest.UsageError(f"renamed or gone: {missing}")  # or it would run on SQLite alone, and nobody would see it


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """`make quick` leaves PostgreSQL to `make test`."""
    for item in items:
        if Path(__file__).parent in item.path.parents and _is_on_postgresql(item):
            item.add_marker(pytest.mark.postgresql)


def _is_on_postgresql(item: pytest.Item) -> bool:
    assert isinstance(item, pytest.Function)
    database = item.callspec.params.get("database_url") if hasattr(item, "callspec") else None
    return database == "postgresql" or "migrated_postgres_url" in item.fixturenames


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "database_url" in metafunc.fixturenames:
        scenario = metafunc.module.__name__.rpartition(".test_")[2]
        kinds = ["sqlite", "postgresql"] if scenario in ON_BOTH else ["sqlite"]
        metafunc.parametrize("database_url", kinds, indirect=True)


@pytest.fixture
def database_url(request: pytest.FixtureRequest, tmp_path: Path, migrated_sqlite_file: Path) -> str:
    """Our tables without a row."""
    if request.param == "postgresql":
        return str(request.getfixturevalue("migrated_postgres_url"))
    return f"sqlite:///{shutil.copy(migrated_sqlite_file, tmp_path / 'magiclink.db')}"


@pytest.fixture
async def services(clock: Clock, database_url: str) -> AsyncIterator[RunningServices]:
    opened = RunningServices(clock, database_url)
    await opened.open()
    yield opened
    await opened.close()


@pytest.fixture
async def services_with_redirects(clock: Clock, database_url: str) -> AsyncIterator[RunningServices]:
    """The provider sends users back to where they came from, which its documentation does not promise."""
    opened = RunningServices(clock, database_url, sandbox={"redirects": True}, provider_redirects=True)
    await opened.open()
    yield opened
    await opened.close()


@pytest.fixture
def ada(services: RunningServices) -> User:
    return User(services, "ada")


@pytest.fixture
def bob(services: RunningServices) -> User:
    return User(services, "bob")


@pytest.fixture
def mallory(services: RunningServices) -> User:
    return User(
        services, "mallory", {"externalId": "evil", "name": "Evil Inc"}, [{"externalId": "lair", "name": "Lair"}]
    )

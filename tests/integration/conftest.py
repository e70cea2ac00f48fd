"""The street of these stories and its people."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.support.clock import Clock
from tests.support.people import User
from tests.support.services import RunningServices

# Stories of what is recorded, and for whom, are told on both databases; those of pages, troubles and words on one.
ON_BOTH = {
    "attribution",
    "callback",
    "claim",
    "company_names",
    "create_session",
    "earlier_connections",
    "idempotency",
    "key_rotation",
    "lost_invitations",
    "reconnect",
    "revoke",
    "session_life",
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
        story = metafunc.module.__name__.rpartition(".test_")[2]
        kinds = ["sqlite", "postgresql"] if story in ON_BOTH else ["sqlite"]
        metafunc.parametrize("database_url", kinds, indirect=True)


@pytest.fixture
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "postgresql":
        return str(request.getfixturevalue("migrated_postgres_url"))
    return f"sqlite:///{tmp_path / 'magiclink.db'}"


@pytest.fixture
async def street(clock: Clock, database_url: str) -> AsyncIterator[RunningServices]:
    opened = RunningServices(clock, database_url)
    await opened.open()
    yield opened
    await opened.close()


@pytest.fixture
async def redirecting(clock: Clock, database_url: str) -> AsyncIterator[RunningServices]:
    """A street whose provider sends people back to where they came from, which its documentation does not promise."""
    opened = RunningServices(clock, database_url, sandbox={"redirects": True}, provider_redirects=True)
    await opened.open()
    yield opened
    await opened.close()


@pytest.fixture
def ada(street: RunningServices) -> User:
    return User(street, "ada")


@pytest.fixture
def bob(street: RunningServices) -> User:
    return User(street, "bob")


@pytest.fixture
def mallory(street: RunningServices) -> User:
    return User(street, "mallory", {"externalId": "evil", "name": "Evil Inc"}, [{"externalId": "lair", "name": "Lair"}])

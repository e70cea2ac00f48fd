"""The store as a whole: which engine an address means."""

import re
import sys

import pytest

from service.errors import BadSettings
from service.store import engine_for
from service.store.postgres import PostgresEngine
from service.store.sqlite import SqliteEngine


def test_an_address_of_a_file_means_sqlite() -> None:
    assert isinstance(engine_for("sqlite:///magiclink.db", lambda: 0.0), SqliteEngine)


@pytest.mark.parametrize("scheme", ["postgresql", "postgres"])
def test_an_address_of_a_server_means_postgresql(scheme: str) -> None:
    assert isinstance(engine_for(f"{scheme}://somewhere/magiclink", lambda: 0.0), PostgresEngine)


@pytest.mark.parametrize("url", ["", "mysql://somewhere", "sqlite:/magiclink.db", "magiclink.db"])
def test_any_other_address_stops_the_start_and_is_not_repeated(url: str) -> None:
    with pytest.raises(BadSettings, match="MAGICLINK_DATABASE_URL") as refused:
        engine_for(url, lambda: 0.0)
    assert not url or url not in refused.value.detail


def test_without_the_driver_an_address_of_a_server_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "service.store.postgres", None)  # as Python marks what cannot be imported
    with pytest.raises(BadSettings, match=re.escape("install magiclink[postgres]")):
        engine_for("postgresql://somewhere/magiclink", lambda: 0.0)

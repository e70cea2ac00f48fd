"""Every released version, and its database on both engines."""

from pathlib import Path

import pytest

from tests.upgrade.release import RELEASED, Release

VERSIONS = sorted(folder.name for folder in RELEASED.iterdir())


@pytest.fixture(params=VERSIONS)
def release(request: pytest.FixtureRequest) -> Release:
    return Release(request.param)


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path, release: Release) -> str:
    is_sqlite = request.param == "sqlite"
    url = f"sqlite:///{tmp_path / 'magiclink.db'}" if is_sqlite else str(request.getfixturevalue("empty_postgres_url"))
    release.restore(url)
    return url

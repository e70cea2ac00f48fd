"""`magiclink doctor` notices that open sessions were signed with a key that the settings do not have."""

import shutil
from itertools import count
from pathlib import Path

import pytest

from service import store
from service.domain.model import DEFAULT_TENANT
from service.domain.tokens import key_id
from tests.support.clock import Clock
from tests.support.doctor import finding
from tests.support.store_cases import create, fresh

OLD, NEW = "the-first-key-0123456789-0123456789", "the-second-key-0123456789-012345678"
OPEN, OVER = 4e9, 2.0  # when their time is over


@pytest.fixture
async def url(tmp_path: Path, migrated_sqlite_file: Path, clock: Clock) -> str:
    url = f"sqlite:///{shutil.copy(migrated_sqlite_file, tmp_path / 'magiclink.db')}"
    numbers = count(1)
    found = store.Store(
        store.engine_for(url, clock.now), clock=clock.now, new_id=lambda prefix: f"{prefix}_{next(numbers)}", keys=[OLD]
    )
    await found.open()
    for name, key, ends_at in (("ses_1", OLD, OPEN), ("ses_2", OLD, OVER), ("ses_3", NEW, OPEN)):
        one = fresh("ada", name, tenant=DEFAULT_TENANT, key_id=key_id(key), issued_at=1, expires_at=ends_at)
        await create(found, one)
    await found.close()
    return url


async def test_all_keys_that_are_in_use_are_good(url: str) -> None:
    assert await finding("secret keys", url, NEW, OLD) is None


async def test_a_process_with_other_keys_than_those_that_signed_is_found(url: str) -> None:
    found = await finding("secret keys", url, NEW)
    assert found is not None
    assert found.level == "bad"
    assert "links of open sessions (1) are signed" in found.says
    assert "MAGICLINK_SECRET_KEYS" in found.says
    assert OLD not in found.says

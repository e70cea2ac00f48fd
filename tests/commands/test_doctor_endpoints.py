"""`magiclink doctor` names the webhook endpoints to which nothing can be signed."""

import shutil
from pathlib import Path
from uuid import uuid4

import pytest

from service import store
from service.commands.provider_probes import Finding
from service.domain.endpoints import Endpoint, EndpointChange, EndpointSecret
from tests.support.clock import Clock
from tests.support.doctor import finding
from tests.support.domain_values import TENANT

OLD, NEW = "the-first-key-0123456789-0123456789", "the-second-key-0123456789-012345678"


@pytest.fixture
def url(tmp_path: Path, migrated_sqlite_file: Path) -> str:
    return f"sqlite:///{shutil.copy(migrated_sqlite_file, tmp_path / 'magiclink.db')}"


async def create_endpoints(url: str, clock: Clock, key: str, *names: str) -> None:
    engine = store.engine_for(url, clock.now)
    await engine.open()
    found = store.Store(engine, clock=clock.now, new_id=lambda prefix: f"{prefix}_{uuid4()}", keys=[key])
    for name in names:
        endpoint = Endpoint(f"whe_{name}", TENANT, "https://x.example.com", "", (), None, 1.0, "k", 1.0, "k")
        secret = EndpointSecret(f"whs_{name}", "whsec_x", "whsk_x", 1.0)
        await found.endpoints.create(EndpointChange(endpoint, "created", "k", secret))
    await engine.close()


async def test_without_endpoints_it_says_nothing_of_them(url: str) -> None:
    assert await finding("endpoints", url, NEW) is None


async def test_secrets_of_an_older_key_that_is_still_given_are_good(url: str, clock: Clock) -> None:
    await create_endpoints(url, clock, OLD, "a", "b")
    found = await finding("endpoints", url, NEW, OLD)
    assert found == Finding("good", "endpoints", "the secrets of all 2 webhook endpoints can be read")


async def test_endpoints_whose_secret_no_key_reads_are_named(url: str, clock: Clock) -> None:
    await create_endpoints(url, clock, OLD, "a", "b")
    await create_endpoints(url, clock, NEW, "c")
    found = await finding("endpoints", url, NEW)
    assert found is not None
    assert found.level == "bad"
    assert "2 of 3 webhook endpoints" in found.says
    assert found.says.endswith("whe_a, whe_b")


async def test_of_many_five_are_named(url: str, clock: Clock) -> None:
    await create_endpoints(url, clock, OLD, *"abcdef")
    found = await finding("endpoints", url, NEW)
    assert found is not None
    assert found.says.endswith("whe_a, whe_b, whe_c, whe_d, whe_e, …")

"""A sandbox, and somebody in front of its pages; and the service, each of whose answers is as described."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from service.web.docs.openapi import document
from tests.support.api_description import CheckedServices, Description
from tests.support.clock import Clock
from tests.support.provider_bench import Bench
from tests.support.provider_user import ProviderUser
from tests.support.sandbox_client import Sandbox


@pytest.fixture
def sandbox(clock: Clock) -> Sandbox:
    return Sandbox(clock)


@pytest.fixture
def user(sandbox: Sandbox) -> ProviderUser:
    return ProviderUser(sandbox)


@pytest.fixture
def bench(clock: Clock) -> Bench:
    return Bench(Sandbox(clock), clock)


@pytest.fixture
async def described(clock: Clock, tmp_path: Path) -> AsyncIterator[CheckedServices]:
    description = Description(document("https://link.example.com"))
    running = CheckedServices(description, clock, f"sqlite:///{tmp_path / 'magiclink.db'}")
    await running.open()
    yield running
    await running.close()

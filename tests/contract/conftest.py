"""A sandbox, and somebody in front of its pages."""

import pytest

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

from collections.abc import AsyncIterator

import httpx
import pytest

from service.demo.app import create_app
from tests.support.fake_service import OWN_URL, SETTINGS, FakeService


@pytest.fixture
def service() -> FakeService:
    return FakeService()


@pytest.fixture
async def browser(service: FakeService) -> AsyncIterator[httpx.AsyncClient]:
    app = create_app(SETTINGS, http=service.client())
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url=OWN_URL) as client:
        yield client


@pytest.fixture
async def ada(browser: httpx.AsyncClient) -> httpx.AsyncClient:
    await browser.post("/sign-in", data={"person": "ada"})
    return browser

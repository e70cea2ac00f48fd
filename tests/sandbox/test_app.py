"""The sandbox in its lifespan: its background loop sends, and it ends cleanly."""

from pathlib import Path

import anyio
import httpx
import pytest

from service.sandbox.app import create_app
from service.sandbox.settings import SandboxSettings
from service.sandbox.world.account_form import read_submission
from service.sandbox.world.sample_utility import PASSWORD, PROVIDER_URL, USERNAME
from tests.support.clock import Clock

SECRET = "whsec_c2FuZGJveC1zaWduaW5nLXNlY3JldC0wMTIzNDU2Nzg5"


async def test_it_needs_nothing_but_settings() -> None:
    app = create_app(SandboxSettings())
    client = httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://sandbox.test")
    async with app.router.lifespan_context(app), client:
        assert (await client.get("/readyz")).status_code == 200


async def test_its_background_loop_sends_what_is_due_until_it_stops(clock: Clock, tmp_path: Path) -> None:
    sent = anyio.Event()
    turns = anyio.Event()

    def receive(_: httpx.Request) -> httpx.Response:
        sent.set()
        return httpx.Response(204)

    async def sleep(_: float) -> None:
        turns.set()
        await anyio.lowlevel.checkpoint()

    settings = SandboxSettings(data_dir=tmp_path, webhook_url="http://receiver.test", webhook_secret=SECRET)
    http = httpx.AsyncClient(transport=httpx.MockTransport(receive))
    app = create_app(settings, clock=clock.now, http=http, sleep=sleep)
    world = app.state.world
    async with app.router.lifespan_context(app):
        with anyio.fail_after(5):
            await turns.wait()
            company = world.companies.create({"name": "Acme"})
            site = world.companies.create_site(company.id, {"name": "Site"})
            account = {"url": PROVIDER_URL, "username": USERNAME, "password": PASSWORD, "sites": [site.id]}
            world.submissions.create(company.id, read_submission(account))
            await sent.wait()
    assert http.is_closed
    with pytest.raises(Exception, match="closed"):
        world.companies.create({"name": "Too late"})

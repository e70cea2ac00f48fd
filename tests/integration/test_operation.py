"""Alive, ready, counted, and the static files: what those who operate the service and browsers ask for."""

import pytest
from starlette.routing import Mount

from service.web.audience import AudienceApp
from tests.support.clock import Clock
from tests.support.services import RunningServices
from tests.support.users import User


@pytest.mark.parametrize("path", ["/healthz", "/readyz"])
async def test_it_is_alive_and_ready_and_needs_no_key_to_say_so(services: RunningServices, path: str) -> None:
    answer = await services.web().get(path)
    assert answer.status_code == 200
    assert (await services.web().post(path)).status_code in {404, 405}


async def test_many_requests_of_the_api_in_progress_hold_background_jobs_back(
    services: RunningServices, monkeypatch: pytest.MonkeyPatch
) -> None:
    load = services.parts.worker.load
    await services.host.get("/v1/sessions")
    assert not load.holds_back_background_work()
    app = services.transport.app
    assert app is not None
    apps = {route.name: route.app for route in app.routes if isinstance(route, Mount)}
    monkeypatch.setattr(load, "_in_progress", 499)
    # A stranger could keep requests of pages in progress by sending slowly.
    assert isinstance(apps["pages"], AudienceApp)
    assert apps["pages"].load is None
    await services.web().get("/embed/unknown")
    assert not load.holds_back_background_work()
    await services.host.get("/v1/sessions")
    assert load.holds_back_background_work()


async def test_metrics_are_there_for_their_own_key_and_nobody_else(clock: Clock, database_url: str) -> None:
    services = RunningServices(clock, database_url, metrics_key="metrics-key")
    await services.open()
    await User(services, "ada").connected()
    assert (await services.web().get("/metrics")).status_code == 401
    assert (await services.host.get("/metrics")).status_code == 401
    odd = {b"authorization": "Bearer \xff".encode("latin-1")}
    assert (await services.web().get("/metrics", headers=odd)).status_code == 401
    answer = await services.web().get("/metrics", headers={"Authorization": "Bearer metrics-key"})
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("text/plain")
    assert "/v1/sessions" in answer.text
    for secret in ("ses_", "/embed/W", "ada"):
        assert secret not in answer.text
    await services.close()


async def test_without_a_metrics_key_there_are_no_metrics(services: RunningServices) -> None:
    assert (await services.host.get("/metrics")).status_code == 404


async def test_the_host_pages_script_may_be_loaded_by_other_sites(services: RunningServices) -> None:
    answer = await services.web().get("/embed.js")
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("text/javascript")
    assert answer.headers["cross-origin-resource-policy"] == "cross-origin"
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert "magic-link" in answer.text


@pytest.mark.parametrize(
    ("name", "media_type"),
    [
        ("frame.js", "text/javascript; charset=utf-8"),
        ("page.css", "text/css; charset=utf-8"),
        ("mark.svg", "image/svg+xml"),
    ],
)
async def test_what_the_pages_load_is_there_whatever_types_the_machine_knows(
    services: RunningServices, name: str, media_type: str
) -> None:
    answer = await services.web().get(f"/static/{name}")
    assert (answer.status_code, answer.headers["content-type"]) == (200, media_type)
    assert answer.headers["x-content-type-options"] == "nosniff"


@pytest.mark.parametrize(
    "path",
    [
        *("/static/", "/static/nothing.js", "/static/../app.py", "/static/%2e%2e/app.py", "/static/..%2fapp.py"),
        *("/static/%00", "/static//etc/passwd", "/static/....//app.py"),
    ],
)
async def test_nothing_else_of_the_disk_is(services: RunningServices, path: str) -> None:
    answer = await services.web().get(path)
    assert answer.status_code in {404, 405}
    assert "import" not in answer.text


async def test_a_log_line_names_no_token_and_no_key(
    services: RunningServices, ada: User, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(0)
    page = await ada.frame()
    await page.connect()
    await page.finish()
    secrets = [page.session["embedUrl"].rpartition("/")[2], page.key or "", "host-key", services.sandbox.key]
    written = [
        f"{record.getMessage()} {record.__dict__}" for record in caplog.records if record.name.startswith("service")
    ]
    assert written
    for line in written:
        assert not any(secret in line for secret in secrets), line

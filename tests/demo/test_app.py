from collections.abc import MutableMapping
from typing import Any

import httpx
import pytest

from service.demo.app import create_app
from tests.support.fake_service import CONNECTION_ID, KEY, OWN_URL, PUBLIC_URL, SETTINGS, FakeService


@pytest.mark.parametrize("path", ["/utilities", "/utilities/done?state=x"])
async def test_a_visitor_must_sign_in(browser: httpx.AsyncClient, path: str) -> None:
    answer = await browser.get(path)
    assert answer.status_code == 401
    assert "Please sign in first." in answer.text


@pytest.mark.parametrize("path", ["/utilities/connect", f"/utilities/{CONNECTION_ID}/reconnect"])
async def test_a_visitor_who_is_not_signed_in_starts_nothing(
    browser: httpx.AsyncClient, service: FakeService, path: str
) -> None:
    assert (await browser.post(path)).status_code == 401
    assert service.requests == []


async def test_an_unknown_person_cannot_sign_in(browser: httpx.AsyncClient) -> None:
    answer = await browser.post("/sign-in", data={"person": "eve"})
    assert answer.status_code == 400
    assert "set-cookie" not in answer.headers


async def test_a_forged_cookie_is_nobody(browser: httpx.AsyncClient) -> None:
    answer = await browser.get("/utilities", headers={"cookie": "meadow=eyJwZXJzb24iOiAiYWRhIn0=.aaaa.bbbb"})
    assert answer.status_code == 401


@pytest.mark.parametrize(
    "headers",
    [
        {"sec-fetch-site": "cross-site", "origin": OWN_URL},
        {"sec-fetch-site": "same-site"},
        {"origin": "https://evil.example"},
        {"origin": "null"},
    ],
)
async def test_a_write_from_another_site_is_refused(
    ada: httpx.AsyncClient, service: FakeService, headers: dict[str, str]
) -> None:
    answer = await ada.post("/utilities/connect", headers=headers)
    assert answer.status_code == 403
    assert service.asked("/v1/sessions") == []


async def test_an_unknown_address_has_a_page(browser: httpx.AsyncClient) -> None:
    answer = await browser.get("/nowhere")
    assert answer.status_code == 404
    assert "There is nothing at this address." in answer.text


async def test_a_wrong_method_is_refused(browser: httpx.AsyncClient) -> None:
    assert (await browser.get("/sign-in")).status_code == 405


def test_secrets_are_not_in_the_settings_repr() -> None:
    assert KEY not in repr(SETTINGS)
    assert "a secret of the demo" not in repr(SETTINGS)


async def test_a_client_given_to_the_app_is_not_closed(service: FakeService) -> None:
    lent = service.client()
    app = create_app(SETTINGS, http=lent)
    answered: list[str] = []
    sent = iter(["lifespan.startup", "lifespan.shutdown"])

    async def receive() -> dict[str, str]:
        return {"type": next(sent)}

    async def send(message: MutableMapping[str, Any]) -> None:
        answered.append(message["type"])

    await app({"type": "lifespan", "state": {}}, receive, send)
    assert answered == ["lifespan.startup.complete", "lifespan.shutdown.complete"]
    assert not lent.is_closed


async def test_the_first_page_offers_three_people(browser: httpx.AsyncClient) -> None:
    page = (await browser.get("/")).text
    assert all(name in page for name in ("Ada Byron", "Bob Fisher", "Mallory Reed"))


async def test_signing_in_sets_a_lax_cookie_and_signing_out_removes_it(browser: httpx.AsyncClient) -> None:
    answer = await browser.post("/sign-in", data={"person": "ada"})
    assert "samesite=lax" in answer.headers["set-cookie"].lower()
    assert "httponly" in answer.headers["set-cookie"].lower()
    assert "Ada Byron" in (await browser.get("/")).text
    assert (await browser.post("/sign-out")).status_code == 303
    assert (await browser.get("/utilities")).status_code == 401


@pytest.mark.parametrize("headers", [{"sec-fetch-site": "same-origin"}, {"origin": OWN_URL}, {}])
async def test_a_write_from_the_demos_own_page_is_accepted(ada: httpx.AsyncClient, headers: dict[str, str]) -> None:
    assert (await ada.post("/utilities/connect", headers=headers)).status_code == 303


async def test_every_page_has_a_policy_that_permits_only_the_service(browser: httpx.AsyncClient) -> None:
    headers = (await browser.get("/")).headers
    policy = headers["content-security-policy"]
    assert f"script-src 'self' {PUBLIC_URL};" in policy
    assert f"frame-src {PUBLIC_URL};" in policy
    assert "default-src 'none'" in policy
    assert "frame-ancestors 'none'" in policy
    assert "unsafe" not in policy
    assert headers["cache-control"] == "no-store"


async def test_it_reports_that_it_is_ready_and_serves_its_script(browser: httpx.AsyncClient) -> None:
    assert (await browser.get("/readyz")).status_code == 200
    assert "javascript" in (await browser.get("/static/meadow.js")).headers["content-type"]

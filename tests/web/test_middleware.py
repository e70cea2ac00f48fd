"""The headers that every answer has, whoever gives it: the routes, Starlette, or the handler of the last resort."""

import re
from collections.abc import Iterator, Sequence

import httpx
import pytest
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Mount, Route

from service.app import create_app
from service.settings import Settings
from service.web.api.problems import HANDLERS
from service.web.headers import headers_of_every_answer
from service.web.middleware import GuardedApp, template_of

HTTPS, HTTP = "https://link.example.com", "http://localhost:8000"


def client(public_url: str) -> httpx.AsyncClient:
    settings = Settings(secret_keys=("k" * 32,), public_url=public_url, provider_api_key="key", metrics_key="m" * 16)
    transport = httpx.ASGITransport(create_app(settings), raise_app_exceptions=False)  # no database is open
    return httpx.AsyncClient(transport=transport, base_url=public_url)


def served(routes: Sequence[BaseRoute], prefix: str = "") -> Iterator[str]:
    for route in routes:
        if isinstance(route, Mount):
            yield from served(route.routes or (), prefix + route.path)
        elif isinstance(route, Route):
            yield prefix + route.path


APP = create_app(Settings(secret_keys=("k" * 32,), public_url=HTTP, provider_api_key="key"))
PATHS = [
    *served(APP.routes),
    *(
        "/nothing",
        "/v1",
        "/v1/nothing",
        "/webhooks/other",
        "/static/frame.js",
        "/static/0123456789abcdef/frame.js",
        "/static/page.css",
        "/static/nothing",
    ),
]


@pytest.mark.parametrize("path", [*served(APP.routes)])
def test_every_route_is_counted_and_logged_by_a_template_of_its_own(path: str) -> None:
    parts = re.sub(r"\{digest\}", "0123456789abcdef", re.sub(r"\{(id|token|key)\}", "a-secret", path))
    assert template_of(parts) == re.sub(r"\{(id|token|key)\}", "{}", path)


@pytest.mark.parametrize(
    "path",
    ["/nothing", "/v1", "/v1/nothing", "/v1/sessions/deliveries", "/embed-Mallory.js", "/v1/deliveries/a/b/c", "//"],
)
def test_what_is_no_route_is_counted_as_other(path: str) -> None:
    assert template_of(path) == "other"


@pytest.mark.parametrize("path", PATHS)
async def test_every_answer_of_the_service_says_its_type_and_asks_for_https(path: str) -> None:
    async with client(HTTPS) as browser:
        for method in ("GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "ODD"):
            answer = await browser.request(method, path)
            assert answer.headers.get_list("x-content-type-options") == ["nosniff"], (method, answer.status_code)
            assert answer.headers.get_list("strict-transport-security") == ["max-age=31536000; includeSubDomains"]


@pytest.mark.parametrize("path", PATHS)
async def test_an_answer_that_is_no_page_may_load_and_be_framed_by_nothing(path: str) -> None:
    async with client(HTTPS) as browser:
        for method in ("GET", "POST"):
            policy = (await browser.request(method, path)).headers.get_list("content-security-policy")
            assert len(policy) == 1
            assert {"default-src 'none'", "base-uri 'none'", "frame-ancestors 'none'"} <= set(policy[0].split("; "))


SCRIPTS = {"/embed.js", "/embed-status.js"}


@pytest.mark.parametrize("path", PATHS)
async def test_no_answer_lets_another_origin_read_it(path: str) -> None:
    async with client(HTTPS) as browser:
        for method in ("GET", "POST", "OPTIONS"):
            headers = {"Origin": "https://mallory.example", "Access-Control-Request-Method": "POST"}
            answer = await browser.request(method, path, headers=headers)
            allowed = [name for name in answer.headers if name.startswith("access-control-")]
            # Scripts, the same for everybody: host pages load it as a module, and with `integrity`.
            assert allowed == (["access-control-allow-origin"] if method == "GET" and path in SCRIPTS else [])


@pytest.mark.parametrize(("peer", "known"), [("10.0.0.1", "198.51.100.9"), ("203.0.113.7", "203.0.113.7")])
async def test_only_a_trusted_proxy_says_who_calls(caplog: pytest.LogCaptureFixture, peer: str, known: str) -> None:
    settings = Settings(
        secret_keys=("k" * 32,), public_url=HTTPS, provider_api_key="key", trusted_proxies=("10.0.0.0/8",)
    )
    transport = httpx.ASGITransport(create_app(settings), client=(peer, 1))
    caplog.set_level("INFO")
    async with httpx.AsyncClient(transport=transport, base_url=HTTPS) as browser:
        await browser.get("/healthz", headers={"X-Forwarded-For": "198.51.100.9", "X-Real-IP": "198.51.100.10"})
    answered = [vars(record)["answered"] for record in caplog.records if record.name == "service.access"]
    assert [each.client for each in answered] == [known]


async def test_a_service_on_http_promises_no_https() -> None:
    async with client(HTTP) as browser:
        answer = await browser.get("/healthz")
        assert "strict-transport-security" not in answer.headers
        assert answer.headers["x-content-type-options"] == "nosniff"


async def test_the_answer_to_an_error_that_nothing_expected_has_them_too() -> None:
    async def fails(_request: Request) -> Response:
        raise RuntimeError

    app = GuardedApp(headers_of_every_answer(HTTPS), [Route("/", fails)], HANDLERS)
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app, raise_app_exceptions=False)) as browser:
        answer = await browser.get(f"{HTTPS}/")
    assert answer.status_code == 500
    assert (
        headers_of_every_answer(HTTPS).items()
        <= {name.title(): value for name, value in answer.headers.items()}.items()
    )

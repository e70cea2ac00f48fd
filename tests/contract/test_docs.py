"""The reference page: complete, without scripts, and cached by browsers."""

import re
from dataclasses import fields

import httpx
import pytest

from service.app import create_app
from service.settings import Settings
from service.web.api.problems import errors_by_code
from service.web.docs.openapi import document
from service.web.docs.reference_page import DocsPage, reference_page
from tests.support.templates import rendered, used_by

URL = "https://link.example.com"
SPEC = document(URL)
HTML = rendered(reference_page(SPEC))


@pytest.fixture
def anybody() -> httpx.AsyncClient:
    settings = Settings(secret_keys=("k" * 32,), public_url=URL, provider_api_key="key")
    return httpx.AsyncClient(transport=httpx.ASGITransport(create_app(settings)), base_url=URL)


def test_the_template_uses_exactly_the_fields_of_its_context() -> None:
    assert used_by(DocsPage.template) == {field.name for field in fields(DocsPage)}


def test_no_script_and_no_style_is_inline_and_nothing_comes_from_elsewhere() -> None:
    assert not any(word in HTML for word in ("<script", "<style", " style=", " onclick="))
    assert re.findall(r'(?:src|href)="(?!#|/)[^"]*"', HTML) == []


@pytest.mark.parametrize("code", errors_by_code())
def test_every_error_code_has_an_anchor(code: str) -> None:
    assert HTML.count(f'id="error-{code}"') == 1


def test_every_call_every_field_and_every_enum_value_is_on_it() -> None:
    for path, methods in SPEC["paths"].items():
        assert f"<code>{path}</code>" in HTML
        assert all(f'id="{operation["operationId"]}"' in HTML for operation in methods.values())
    for shape in SPEC["components"]["schemas"].values():
        words = [*shape.get("properties", ()), *(one["const"] for one in shape.get("oneOf", ()))]
        assert all(f"<code>{word}</code>" in HTML for word in words)
    assert all(f"<code>{one['if']['properties']['type']['const']}</code>" in HTML for one in events())


def events() -> list[dict[str, dict[str, dict[str, dict[str, str]]]]]:
    return list(SPEC["components"]["schemas"]["Event"]["allOf"])


def test_no_link_on_it_leads_nowhere_and_no_anchor_is_there_twice() -> None:
    anchors = re.findall(r' id="([^"]+)"', HTML)
    assert len(anchors) == len(set(anchors))
    assert set(re.findall(r'href="#([^"]+)"', HTML)) <= set(anchors)


def test_an_example_can_be_pasted_into_a_shell() -> None:
    (call,) = (
        call for _, _, calls in reference_page(SPEC).groups for call in calls if call.anchor == "claimConnection"
    )
    assert call.curl.splitlines() == [
        f"curl -X POST '{URL}/v1/connections/5f2b6c1e-8a3d-4f1e-9b57-0c2d4e6f8a10/claim' \\",
        "  -H 'Authorization: Bearer <key>' \\",
        "  -H 'Content-Type: application/json' \\",
        "  -d '{",
        '  "sessionId": "ses_9c1f0a4be2d36f7788aa01c4"',
        "}'",
    ]


@pytest.mark.parametrize("path", ["/docs", "/openapi.json"])
async def test_it_is_cached_and_revalidated(anybody: httpx.AsyncClient, path: str) -> None:
    first = await anybody.get(path)
    assert (first.status_code, first.headers["cache-control"]) == (200, "public, max-age=300")
    assert first.headers["x-content-type-options"] == "nosniff"
    for given in (first.headers["etag"], f'"other", W/{first.headers["etag"]}', "*"):
        again = await anybody.get(path, headers={"If-None-Match": given})
        assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", first.headers["etag"])
    assert (await anybody.get(path, headers={"If-None-Match": '"other"'})).status_code == 200


async def test_the_page_may_load_nothing_but_our_own_files(anybody: httpx.AsyncClient) -> None:
    answer = await anybody.get("/docs")
    policy = answer.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "frame-ancestors 'none'" in policy
    assert re.sub(r"\s", "", answer.text) == re.sub(r"\s", "", HTML)
    for path in re.findall(r'<link rel="stylesheet" href="([^"]+)"', HTML):
        assert (await anybody.get(path)).headers["content-type"].startswith("text/css")

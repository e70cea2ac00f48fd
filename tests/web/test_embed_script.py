"""The host pages' script: how it is loaded from elsewhere, its two addresses, and its size."""

import gzip
import hashlib
import re
from base64 import b64encode

import httpx

from service.app import create_app
from service.settings import Settings
from service.web.docs.messages import MESSAGES
from service.web.embed_script import EMBED_SCRIPT, STATUS_SCRIPT

LIMIT_BYTES = 6_000
SCRIPTS = (EMBED_SCRIPT, STATUS_SCRIPT)
SETTINGS = Settings(secret_keys=("k" * 32,), public_url="https://link.example.com", provider_api_key="key")


async def get(path: str, **headers: str) -> httpx.Response:
    transport = httpx.ASGITransport(create_app(SETTINGS))  # no database is open
    async with httpx.AsyncClient(transport=transport, base_url=SETTINGS.public_url) as browser:
        return await browser.get(path, headers=headers)


async def test_any_origin_may_load_it_as_a_module_and_under_an_embedder_policy() -> None:
    scripts = {f"/{script.name}{digest}.js": script for script in SCRIPTS for digest in ("", f"-{script.digest}")}
    for path, script in scripts.items():
        answer = await get(path, Origin="https://app.example.com")
        assert answer.status_code == 200
        assert answer.headers["content-type"] == "text/javascript; charset=utf-8"
        assert answer.headers["access-control-allow-origin"] == "*"
        assert answer.headers["cross-origin-resource-policy"] == "cross-origin"
        assert answer.content == script.content


async def test_the_newest_is_asked_for_again_and_the_pinned_one_never() -> None:
    for script in SCRIPTS:
        newest = await get(f"/{script.name}.js")
        pinned = await get(f"/{script.name}-{script.digest}.js")
        assert newest.headers["cache-control"] == "public, max-age=300"
        assert pinned.headers["cache-control"] == "public, max-age=31536000, immutable"


async def test_an_address_of_other_bytes_is_not_found() -> None:
    others = f"/embed-{STATUS_SCRIPT.digest}.js", f"/embed-status-{EMBED_SCRIPT.digest}.js"
    for path in ("/embed-0123456789abcdef.js", *others):
        answer = await get(path)
        assert answer.status_code == 404
        assert "immutable" not in answer.headers.get("cache-control", "")


async def test_only_the_script_and_no_page_is_readable_by_other_origins() -> None:
    for path in ("/static/frame.js", "/docs"):
        assert "access-control-allow-origin" not in (await get(path)).headers


def test_the_tag_names_the_bytes_that_it_loads() -> None:
    digest = b64encode(hashlib.sha384(EMBED_SCRIPT.content).digest()).decode()
    source = f"https://link.example.com/embed-{EMBED_SCRIPT.digest}.js"
    expected = f'<script src="{source}" integrity="sha384-{digest}" crossorigin defer></script>'
    assert EMBED_SCRIPT.tag("https://link.example.com/") == expected


def test_the_messages_that_it_passes_on_are_those_of_the_documentation() -> None:
    passed_on = dict(re.findall(r"(\w+): ?\"(on[A-Z]\w+)\"", EMBED_SCRIPT.content.decode()))
    assert list(passed_on) == [name for name, *_ in MESSAGES]
    assert passed_on == {name: f"on{name.title()}" for name in passed_on}


def test_it_has_six_kilobytes_at_most_and_no_comments() -> None:
    for script in SCRIPTS:
        assert len(gzip.compress(script.content, 9, mtime=0)) <= LIMIT_BYTES
        assert b" // " not in script.content

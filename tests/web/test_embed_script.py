"""The host pages' script: how it is loaded from elsewhere, its two addresses, and its size."""

import gzip
import hashlib
import re
from base64 import b64encode

import httpx
import pytest

from service.app import create_app
from service.settings import Settings
from service.web.docs.messages import MESSAGES
from service.web.embed_script import EMBED_SCRIPTS, STATUS_SCRIPTS
from service.web.languages import languages
from tests.support.languages import of_scripts

LIMIT_BYTES = 6_000
EMBED_SCRIPT, STATUS_SCRIPT = (scripts.by_language["en"] for scripts in (EMBED_SCRIPTS, STATUS_SCRIPTS))
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
    for script in (*EMBED_SCRIPTS.by_language.values(), *STATUS_SCRIPTS.by_language.values()):
        assert len(gzip.compress(script.content, 9, mtime=0)) <= LIMIT_BYTES
        assert b" // " not in script.content


@pytest.mark.parametrize(
    ("query", "accepted", "language"),
    [("", "", "en"), ("", "fr-CA, en;q=0.5", "fr"), ("?locale=es-MX", "fr", "es"), ("?locale=de", "de", "en")],
)
async def test_the_newest_speaks_as_its_address_or_its_browser_asks(query: str, accepted: str, language: str) -> None:
    for scripts in (EMBED_SCRIPTS, STATUS_SCRIPTS):
        script = scripts.by_language[language]
        answer = await get(f"/{script.name}.js{query}", **{"Accept-Language": accepted})
        assert answer.content == script.content
        assert answer.headers["vary"] == "Accept-Language"


async def test_a_pinned_one_is_the_same_for_every_browser() -> None:
    for script in (*EMBED_SCRIPTS.by_language.values(), *STATUS_SCRIPTS.by_language.values()):
        answer = await get(f"/{script.name}-{script.digest}.js", **{"Accept-Language": "es"})
        assert answer.content == script.content
        assert "vary" not in answer.headers


@pytest.mark.parametrize("code", [code for code in languages() if code != "en"])
def test_the_scripts_of_two_languages_differ_in_their_sentences_alone(code: str) -> None:
    language = languages()[code]
    for scripts in (EMBED_SCRIPTS, STATUS_SCRIPTS):
        script = scripts.by_language[code].content.decode()
        said = [one for one in of_scripts() if f'"{language.say(one)}"' in script]
        for sentence in said:
            script = script.replace(f'"{language.say(sentence)}"', f'"{sentence}"')
        assert script == scripts.by_language["en"].content.decode()
        assert len(said) >= 3


def test_no_mark_of_a_sentence_is_left() -> None:
    for script in (*EMBED_SCRIPTS.by_language.values(), *STATUS_SCRIPTS.by_language.values()):
        assert b"_(" not in script.content

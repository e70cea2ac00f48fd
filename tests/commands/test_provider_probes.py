"""What `doctor` says of the provider: each line says how it is known, and no call creates anything that stays."""

import re
from collections.abc import Mapping
from typing import Any

import httpx
import pytest

from service.commands import admin
from service.commands.provider_probes import ABOUT, Finding, framing_refusal
from service.settings import Settings
from tests.support.clock import Clock
from tests.support.sandbox_client import SECRET, Sandbox

PUBLIC_URL = "https://link.example.com"
SANDBOX_URL = "http://127.0.0.1:9000"


@pytest.fixture
def sandbox(clock: Clock) -> Sandbox:
    return Sandbox(clock)


def settings(folder: Any, **others: Any) -> Settings:
    known: dict[str, Any] = {
        "secret_keys": ("k" * 32,),
        "public_url": PUBLIC_URL,
        "provider_api_key": "sandbox-key",
        "provider_url": f"{SANDBOX_URL}/v2.2",
        "provider_pages_url": SANDBOX_URL,
        "database_url": f"sqlite:///{folder / 'magiclink.db'}",
        "provider_webhook_secrets": (SECRET,),
    }
    return Settings(**(known | others))


class Carried(httpx.AsyncBaseTransport):
    """To the sandbox; `instead` answers for it where it has an answer for "METHOD /path"."""

    def __init__(self, sandbox: Sandbox, instead: Mapping[str, httpx.Response] | None = None) -> None:
        self.sandbox = sandbox
        self.instead = instead or {}
        self.requests: list[httpx.Request] = []

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        for call, answer in self.instead.items():
            if f"{request.method} {request.url.path}".startswith(call):
                return answer
        path = request.url.raw_path.decode()
        answer = await self.sandbox.plain(request.method, path, headers=request.headers, content=await request.aread())
        return httpx.Response(answer.status_code, headers=answer.headers, content=answer.content)


async def findings(known: Settings, transport: Carried) -> dict[str, list[Finding]]:
    found: dict[str, list[Finding]] = {}
    await admin.migrate(known)
    for finding in await admin.examine(known, transport, patience_seconds=1.0):
        found.setdefault(finding.about, []).append(finding)
    return found


async def one(known: Settings, transport: Carried, about: str) -> Finding:
    (finding,) = (await findings(known, transport))[about]
    return finding


async def test_where_the_provider_does_not_answer_every_line_says_that_it_was_not_tested(
    tmp_path: Any, sandbox: Sandbox
) -> None:
    found = await findings(settings(tmp_path), Carried(sandbox, {"GET /v2.2/": httpx.Response(404, json={})}))
    assert found["provider"][0].level == "bad"
    assert {one.tested for about in ABOUT for one in found[about]} == {"not tested"}


async def test_where_the_provider_refuses_every_key_the_other_lines_say_that_they_were_not_tested(
    tmp_path: Any, sandbox: Sandbox
) -> None:
    found = await findings(settings(tmp_path, provider_api_key="wrong"), Carried(sandbox))
    assert found["provider"][0].level == "bad"
    untested = {about for about in ABOUT for one in found[about] if one.tested == "not tested"}
    assert untested == set(ABOUT) - {"key"}


async def test_it_creates_nothing_at_the_provider(tmp_path: Any, sandbox: Sandbox) -> None:
    company, sites = await sandbox.company()
    await sandbox.connect(company, sites)
    before = await everything(sandbox, company)
    transport = Carried(sandbox)
    await findings(settings(tmp_path), transport)
    assert await everything(sandbox, company) == before
    creating = [request for request in transport.requests if request.method != "GET"]
    assert creating
    assert all("/00000000-0000-4000-8000-000000000000" in request.url.path for request in creating)


async def everything(sandbox: Sandbox, company: str) -> list[Any]:
    lists = ("/company", f"/company/{company}/connection", f"/invitation/company/{company}")
    return [await sandbox.get(path) for path in lists]


async def test_the_key_does_not_travel_to_the_pages(tmp_path: Any, sandbox: Sandbox) -> None:
    transport = Carried(sandbox)
    await findings(settings(tmp_path), transport)
    (page,) = [request for request in transport.requests if request.url.path.startswith("/p/i/")]
    assert "x-api-key" not in page.headers


async def test_each_key_of_a_rotation_is_tested_and_none_is_shown(tmp_path: Any, sandbox: Sandbox) -> None:
    known = settings(tmp_path, provider_api_keys=("ended-key", "sandbox-key"), provider_api_key=None)
    first, second = (await findings(known, Carried(sandbox)))["key"]
    assert (first.level, second.level, first.tested) == ("note", "good", "tested")
    assert "key 1 of 2 is refused" in first.says
    assert "ended-key" not in first.says


async def test_the_generation_of_paths_is_unknown_without_a_company(tmp_path: Any, sandbox: Sandbox) -> None:
    assert (await one(settings(tmp_path), Carried(sandbox), "paths")).tested == "not tested"


@pytest.mark.parametrize(
    ("refused", "paths", "level", "says"),
    [
        ("/v2.2/nowhere", "auto", "good", "company and reference paths"),
        ("/v2.2/connection/company/", "auto", "good", "served: company paths"),
        ("/v2.2/company/", "auto", "good", "served: reference paths"),
        ("/v2.2/company/", "company", "note", "set it to auto"),
    ],
)
async def test_the_generation_of_paths_that_is_served_is_named(
    tmp_path: Any, sandbox: Sandbox, refused: str, paths: str, level: str, says: str
) -> None:
    await sandbox.company()
    transport = Carried(sandbox, {f"GET {refused}": httpx.Response(404, json={})})
    finding = await one(settings(tmp_path, provider_paths=paths), transport, "paths")
    assert (finding.level, finding.tested) == (level, "tested")
    assert says in finding.says


async def test_a_refused_method_is_tested_and_an_accepted_one_unknown(tmp_path: Any, sandbox: Sandbox) -> None:
    known = settings(tmp_path)
    assert (await one(known, Carried(sandbox), "method")).tested == "unknown"
    refusing = Carried(sandbox, {"POST /v2.2/connection/": httpx.Response(405, json={})})
    finding = await one(known, refusing, "method")
    assert finding.tested == "tested"
    assert "uses GET" in finding.says


@pytest.mark.parametrize(("link", "level"), [("auto", "note"), ("invitation", "bad")])
async def test_a_key_that_may_not_invite_is_found_without_inviting(
    tmp_path: Any, sandbox: Sandbox, link: str, level: str
) -> None:
    await sandbox.company()
    refusing = Carried(sandbox, {"POST /v2.2/invitation/": httpx.Response(403, json={})})
    finding = await one(settings(tmp_path, link=link), refusing, "invitations")
    assert (finding.level, finding.tested) == (level, "tested")


async def test_that_a_key_may_invite_stays_unknown(tmp_path: Any, sandbox: Sandbox) -> None:
    await sandbox.company()
    finding = await one(settings(tmp_path), Carried(sandbox), "invitations")
    assert (finding.level, finding.tested) == ("good", "unknown")


async def test_invitations_that_are_not_served_are_named(tmp_path: Any, sandbox: Sandbox) -> None:
    await sandbox.company()
    missing = Carried(sandbox, {"GET /v2.2/invitation/": httpx.Response(404, json={})})
    assert "answers 404" in (await one(settings(tmp_path), missing, "invitations")).says


async def test_a_page_that_may_not_be_framed_is_found(tmp_path: Any, sandbox: Sandbox) -> None:
    known = settings(tmp_path)
    allowed = await one(known, Carried(sandbox), "framing")
    assert (allowed.level, allowed.tested) == ("good", "unknown")
    refusing = Carried(sandbox, {"GET /p/i/": httpx.Response(404, headers={"x-frame-options": "DENY"})})
    refused = await one(known, refusing, "framing")
    assert (refused.level, refused.tested) == ("note", "tested")


@pytest.mark.parametrize(
    ("headers", "refusal"),
    [
        ({}, None),
        ({"x-frame-options": "DENY"}, "X-Frame-Options DENY"),
        ({"x-frame-options": "SAMEORIGIN\x1b[2J"}, "X-Frame-Options SAMEORIGIN…[2J"),
        ({"content-security-policy": "default-src 'self'"}, None),
        ({"content-security-policy": "default-src 'self'; Frame-Ancestors 'none'"}, "frame-ancestors 'none'"),
        ({"content-security-policy": "frame-ancestors https://other.example"}, "frame-ancestors https://other.example"),
        ({"content-security-policy": f"frame-ancestors 'self' {PUBLIC_URL}", "x-frame-options": "DENY"}, None),
        ({"content-security-policy": "frame-ancestors https:"}, None),
        ({"content-security-policy": "frame-ancestors *"}, None),
    ],
)
def test_the_headers_that_forbid_framing_are_read_as_a_browser_reads_them(
    headers: dict[str, str], refusal: str | None
) -> None:
    assert framing_refusal(headers, PUBLIC_URL) == refusal


@pytest.mark.parametrize("spelling", ["INCORRECT_PASSWORD", "PASSWORD_INCORRECT"])
async def test_the_spelling_of_a_wrong_password_is_read_from_a_connection(
    tmp_path: Any, clock: Clock, spelling: str
) -> None:
    sandbox = Sandbox(clock, wrong_password_status=spelling)
    company, sites = await sandbox.company()
    assert (await one(settings(tmp_path), Carried(sandbox), "wrong password")).tested == "unknown"
    await sandbox.connect(company, sites, password="wrong")
    finding = await one(settings(tmp_path), Carried(sandbox), "wrong password")
    assert finding.tested == "tested"
    assert spelling in finding.says


async def test_that_no_webhook_ever_came_says_where_to_send_them(tmp_path: Any, sandbox: Sandbox) -> None:
    finding = await one(settings(tmp_path), Carried(sandbox), "webhook")
    assert (finding.level, finding.tested) == ("note", "tested")
    assert f"{PUBLIC_URL}/webhooks/nectar" in finding.says


async def test_white_label_is_not_tested_and_says_whom_to_ask(tmp_path: Any, sandbox: Sandbox) -> None:
    finding = await one(settings(tmp_path), Carried(sandbox), "white label")
    assert finding.tested == "not tested"
    assert "set by the provider by hand: ask" in finding.says


@pytest.mark.parametrize(
    ("single", "several", "named"),
    [
        ("a" * 20, (), ["_API_KEY"]),
        ("", ("a" * 20, "b" * 20), ["_API_KEYS"]),
        ("c" * 20, ("a" * 20, "b" * 20), ["_API_KEYS", "_API_KEY"]),
    ],
)
async def test_keys_that_are_all_refused_are_each_said_with_the_variables_that_hold_them(
    tmp_path: Any, sandbox: Sandbox, single: str, several: tuple[str, ...], named: list[str]
) -> None:
    known = settings(tmp_path, provider_api_key=single, provider_api_keys=several)
    found = await findings(known, Carried(sandbox))
    assert re.findall(r"MAGICLINK_PROVIDER(\w+)", found["provider"][0].says) == named
    keys = found["key"]
    count = len(several) + bool(single)
    assert [key.says.partition(";")[0] for key in keys] == [f"key {n + 1} of {count} is refused" for n in range(count)]
    assert {key.tested for key in keys} == {"tested"}

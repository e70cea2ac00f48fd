"""POST /v1/sessions: every field at its limits, and everything that is refused by the name of its field."""

import re
from typing import Any

import pytest

from service.errors import BadSettings
from service.settings import read
from tests.support.clock import Clock
from tests.support.services import HOST_URL, RunningServices, refused
from tests.support.users import User

UUID = "01234567-89ab-4def-8123-456789abcdef"
COMPANY = {"externalId": "acme", "name": "Acme Ltd"}
SITE = {"externalId": "hq", "name": "Headquarters"}
AWAY = object()


def changed(ada: User, path: str, value: Any) -> dict[str, Any]:
    """A good body with one field set, or taken away."""
    body = ada.wants(company=dict(COMPANY), sites=[dict(SITE)])
    *way, last = path.split(".")
    place: Any = body
    for step in way:
        place = place[int(step)] if step.isdigit() else place.setdefault(step, {})
    if value is AWAY:
        del place[last]
    else:
        place[last] = value
    return body


@pytest.mark.parametrize(
    ("path", "values"),
    [
        ("userId", [AWAY, None, "", "x" * 256, 7, True, ["ada"], {"id": "ada"}, "a\x00b", "a\nb", "\x7f"]),
        ("company", [AWAY, None, {}, [], "acme", 7, {"id": UUID, "externalId": "a", "name": "A"}, {"externalId": "a"}]),
        ("company", [{"name": "A"}, {"id": UUID, "name": "A", "externalId": "a"}]),
        ("company.id", ["x", UUID[:-1], f"{UUID} ", f"{UUID}\n", 7, UUID.replace("-", "")]),
        ("company.externalId", ["", "x" * 256, 7, None, "a\x00"]),
        ("company.name", [AWAY, "", " ", "\u2003 ", "x" * 201, 7, "a\nb"]),
        ("company.unknown", [1]),
        ("sites", [AWAY, None, [], {}, "hq", [None], ["hq"], [{}], [SITE, SITE], [{"id": UUID}, {"id": UUID}]]),
        ("sites", [[{"externalId": str(number), "name": "x"} for number in range(101)]]),
        ("sites.0.id", ["x", UUID]),
        ("sites.0.externalId", ["", "x" * 256, None]),
        ("sites.0.name", [AWAY, "", "  ", "x" * 256]),
        ("sites.0.address", ["", "x" * 256, 7]),
        ("sites.0.unknown", [1]),
        ("link", ["", "Auto", "edit", "magic-link", 7, []]),
        ("prefill", ["x", [], {"unknown": 1}]),
        ("prefill.url", ["", "nectarclimate.com", "ftp://x.example", "javascript:alert(1)", "https://a@b.example", 7]),
        ("prefill.country", ["us", "USA", "", "U1", 7]),
        ("prefill.dataCollectionStartDate", ["2025-13-01", "2025-02-30", "0000-01-01", "01.01.2025", "", 20250101]),
        ("prefill.dataCollectionStartDate", ["٢٠٢٥-01-01", "2025-01-01T00:00:00Z", "2025-01-01\n", "2025-W01-1"]),
        ("expiresIn", [59, 2_592_001, 0, -1, 60.0, 60.5, "3600", True, 10**40, 1e300, []]),
        ("locale", ["", "e", "english", "en_", "en-", "en GB", 7, "en-GB\n"]),
        ("metadata", ["x", [], {"": "x"}, {"k" * 41: "x"}, {"k": "x" * 501}, {"k": 7}, {"k": None}, {"k": {}}]),
        ("metadata", [{str(number): "x" for number in range(21)}]),
        ("prepare", ["", "later", True, 7]),
        ("userEmail", ["", "ada", "ada@", "@x.example", "a b@x.example", "ada@x", "ada@x.example\n", 7]),
        ("userEmail", ["x" * 250 + "@x.yz"]),
        ("userLabel", ["", "x" * 256, 7, "a\nb"]),
        ("supportUrl", ["", "http://x.example", "javascript:alert(1)", "mailto:", "mailto:x", "data:text/html,x", 7]),
        ("theme", ["dark", [], {"unknown": 1}]),
        ("theme.mode", ["", "blue", "Dark", 7]),
        ("theme.accent", ["", "red", "0b6b5a", "#0b6b5", "#0b6b5a;", "#ffff00", "#888", "#ffffff", 7]),
        ("theme.radius", [-1, 25, 8.5, "8", True]),
        ("theme.logoUrl", ["", "logo.svg", "https://evil.example/logo.svg", "http://app.example.com/logo.svg", 7]),
        ("theme.logoUrl", ["data:image/svg+xml,<svg/>", "javascript:alert(1)", "https://app.example.com@x.example/l"]),
        ("theme.name", ["", "x" * 61, "a\nb", 7]),
        ("ancestors", [HOST_URL, {}, [HOST_URL] * 9]),
        ("ancestors", [[""], ["https://evil.example"], [HOST_URL, f"{HOST_URL}/"], ["*"], ["null"], [7]]),
        ("maxConnections", [0, -1, 21, 1.5, "2", True]),
        ("helpUrls", ["", "https://help.example.com", [], {"other": "https://help.example.com"}]),
        ("helpUrls.login", ["", "http://x.example", "javascript:alert(1)", "mailto:x", "https://x.example/\n", 7]),
        ("helpUrls.upload", ["data:text/html,x", "//x.example", "https://" + "x" * 2048]),
        ("helpUrls.mfa", ["https:x", "ftp://x.example"]),
        ("connectionId", [UUID, "x"]),
        ("unknown", [1]),
        ("UserId", ["ada"]),
    ],
)  # fmt: skip
async def test_a_field_that_is_wrong_is_refused_by_its_name_and_nothing_is_made(
    services: RunningServices, ada: User, path: str, values: list[Any]
) -> None:
    for value in values:
        answer = await services.host.post("/v1/sessions", json=changed(ada, path, value))
        problem = refused(answer, 422, "invalid_request")
        pointers = [one["pointer"] for one in problem["errors"]]
        first = "/" + path.split(".", maxsplit=1)[0]
        by_name = any(pointer.startswith(first) for pointer in pointers)
        assert by_name or any(first.lstrip("/") in one["detail"] for one in problem["errors"]), (value, problem)
    assert await services.rows("/v1/sessions") == []
    assert services.outgoing.calls == []


@pytest.mark.parametrize(
    "origin",
    [
        "https://evil.example",
        "http://app.example.com",
        "https://app.example.com/",
        "https://app.example.com:443",
        "https://APP.example.com",
        "https://app.example.com.evil.example",
        "https://app.example.com@evil.example",
        "https://evil.example#https://app.example.com",
        "https://sub.app.example.com",
        "//app.example.com",
        "null",
        "*",
        "",
        "https://app.example.com\\@evil.example",
        "https://\u0430pp.example.com",
    ],
)
async def test_an_origin_that_is_not_exactly_an_allowed_one_is_refused(
    services: RunningServices, ada: User, origin: str
) -> None:
    answer = await services.host.post("/v1/sessions", json=ada.wants(origin=origin))
    refused(answer, 422, "invalid_request", "/origin")


@pytest.mark.parametrize(
    "origin",
    ["https://app.example.com/", "https://*.example.com", "capacitor://localhost", "http://[::1]:8080", "null", "x"],
)
async def test_an_origin_is_refused_in_the_words_that_a_wrong_setting_has(
    services: RunningServices, ada: User, origin: str
) -> None:
    answer = await services.host.post("/v1/sessions", json=ada.wants(origin=origin))
    (problem,) = refused(answer, 422, "invalid_request", "/origin")["errors"]
    with pytest.raises(BadSettings, match=re.escape(f"MAGICLINK_ALLOWED_ORIGINS entry 1 {problem['detail']}")):
        read({"MAGICLINK_ALLOWED_ORIGINS": origin})


@pytest.mark.parametrize(
    "url",
    [
        "https://evil.example/done",
        "http://app.example.com/done",
        "https://app.example.com@evil.example/",
        "https://user:pass@app.example.com/",
        "https://app.example.com\\@evil.example/",
        "https:/app.example.com/",
        "//app.example.com/",
        "/done",
        "javascript:alert(1)",
        "data:text/html,x",
        "com.example.app:/done",
        "https://app.example.com/done#fragment",
        "https://app.example.com/done#",
        "https://app.example.com/do ne",
        "https://app.example.com/do\tne",
        "https://app.example.com/do\nne",
        "https://app.example.com/?state=x",
        "https://app.example.com/?sessionId=x",
        "https://app.example.com/?a=1&connectionId=x",
        "https://app.example.com/?a=1&connectionState=x",
        "https://app.example.com/?a=1;status=x",
        "https://app.example.com/?%73tate=x",
        "https://app.example.com:99999/",
        "https://app.example.com/" + "x" * 2048,
        "",
    ],
)
async def test_a_return_address_that_could_lead_elsewhere_is_refused(
    services: RunningServices, ada: User, url: str
) -> None:
    answer = await services.host.post("/v1/sessions", json=ada.wants(returnUrl=url))
    refused(answer, 422, "invalid_request", "/returnUrl")


async def test_every_wrong_field_is_named_in_one_answer(services: RunningServices, ada: User) -> None:
    body = ada.wants(userId="", expiresIn=1, link="letter", sites=[{"externalId": "hq"}], unknown=1)
    problem = refused(await services.host.post("/v1/sessions", json=body), 422, "invalid_request")
    pointers = {one["pointer"] for one in problem["errors"]}
    assert {"/userId", "/expiresIn", "/link", "/sites/0", "/unknown"} <= pointers
    outside = ada.wants(origin="https://evil.example", returnUrl="https://evil.example", userEmail="nobody")
    problem = refused(await services.host.post("/v1/sessions", json=outside), 422, "invalid_request")
    assert {one["pointer"] for one in problem["errors"]} == {"/origin", "/returnUrl", "/userEmail"}


@pytest.mark.parametrize(
    ("path", "values"),
    [
        ("userId", ["x", "x" * 255, "ada@example.com", "用户 42", "😀", "' OR 1=1 --", "<script>"]),
        ("company.name", ["A", "x" * 200, " A ", "Müller & Söhne <GmbH>"]),
        ("company.externalId", ["x" * 255, "a/b?c#d", "../.."]),
        ("sites", [[{"externalId": str(number), "name": "x"} for number in range(100)]]),
        ("sites.0.address", ["x" * 255]),
        ("expiresIn", [60, 2_592_000]),
        ("locale", ["en", "de-CH", "zh-Hant-TW"]),
        ("metadata", [{}, {str(number): "x" * 500 for number in range(20)}, {"k" * 40: ""}]),
        ("userLabel", ["A", "x" * 255, "<b>Ada</b>"]),
        ("supportUrl", ["https://help.example.com/?a=b", "mailto:help@example.com"]),
        ("theme", [{}, {"mode": "auto"}, {"mode": "dark", "accent": "#6CB"}, {"accent": "#7C3AED", "radius": 24}]),
        ("theme", [{"logoUrl": f"{HOST_URL}/logo.svg?v=2", "name": "x" * 60, "radius": 0}]),
        ("ancestors", [[], [HOST_URL]]),
        ("maxConnections", [1, 20]),
        ("helpUrls", [{}, {"login": None, "upload": "https://help.example.com", "mfa": "mailto:help@example.com"}]),
        ("returnUrl", [HOST_URL, f"{HOST_URL}/?a=1&b=2", f"{HOST_URL}/%F0%9F%98%80"]),
    ],
)
async def test_a_field_at_its_limits_is_taken(
    services: RunningServices, ada: User, path: str, values: list[Any]
) -> None:
    for value in values:
        answer = await services.host.post("/v1/sessions", json=changed(ada, path, value))
        assert answer.status_code == 201, (value, answer.text)
    made = answer.json()
    if path in {"userId", "metadata", "returnUrl"}:
        assert made[path] == values[-1]
        assert (await services.get(f"/v1/sessions/{made['id']}"))[path] == values[-1]


async def test_without_any_allowed_origin_there_is_no_frame_and_no_return(clock: Clock, database_url: str) -> None:
    services = RunningServices(clock, database_url, allowed_origins=())
    await services.open()
    ada = User(services, "ada")
    refused(await services.host.post("/v1/sessions", json=ada.wants(returnUrl=None)), 422, "invalid_request", "/origin")
    answer = await services.host.post("/v1/sessions", json=ada.wants(origin=None))
    refused(answer, 422, "invalid_request", "/returnUrl")
    assert (await services.host.post("/v1/sessions", json=ada.wants(origin=None, returnUrl=None))).status_code == 201
    await services.close()


async def test_an_app_scheme_that_is_listed_may_be_returned_to(clock: Clock, database_url: str) -> None:
    services = RunningServices(clock, database_url, allowed_origins=(HOST_URL, "com.example.app:"))
    await services.open()
    page = await User(services, "ada").browser(returnUrl="com.example.app:/done")
    await page.connect()
    answer = await page.finish()
    assert answer.headers["location"].startswith("com.example.app:/done?sessionId=")
    await services.close()

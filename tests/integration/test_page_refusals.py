"""What the page routes refuse, whichever flow they are of: in a page for people, in a problem for scripts."""

import httpx
import pytest

from tests.support.clock import Clock
from tests.support.services import HOST_URL, SERVICE_URL, RunningServices, refused
from tests.support.users import NAVIGATION, SCRIPT, TopPage, User, check_page, refused_page

VERBS = ("start", "finished", "exit", "heartbeat")
ALLOWED = {
    "/embed/{}": "GET",
    "/connect/{}": "GET",
    "/live/{}": "GET",
    **{f"/{flow}/{{}}/{verb}": "POST" for flow in ("embed", "connect") for verb in VERBS},
}
LARGEST = 256 * 1024


def tokens(made: dict[str, str]) -> dict[str, str]:
    return {flow: made[f"{name}Url"].rpartition("/")[2] for flow, name in (("embed", "embed"), ("connect", "redirect"))}


async def calls(ada: User) -> list[tuple[str, str]]:
    """Every page route of a session that is there."""
    found = tokens(await ada.session())
    return [(m, path.format(found["embed" if "connect" not in path else "connect"])) for path, m in ALLOWED.items()]


async def test_every_changed_letter_of_a_token_makes_it_unknown(services: RunningServices, ada: User) -> None:
    made = await ada.session()
    http = services.web()
    for flow, token in tokens(made).items():
        for i, webhook in enumerate(token):
            mutated = token[:i] + ("A" if webhook != "A" else "B") + token[i + 1 :]
            answer = await http.get(f"/{flow}/{mutated}", headers={"Sec-Fetch-Dest": "iframe"})
            assert answer.status_code == 404, (flow, i)
    assert (await services.get(f"/v1/sessions/{made['id']}"))["status"] == "created"


@pytest.mark.parametrize(
    "change", [lambda t: t + "A", lambda t: t[:-1], lambda t: t + ".A", lambda t: "." + t, str.upper]
)
async def test_a_token_that_was_lengthened_shortened_or_respelled_is_unknown(
    services: RunningServices, ada: User, change: object
) -> None:
    assert callable(change)
    for flow, token in tokens(await ada.session()).items():
        refused_page(await services.web().get(f"/{flow}/{change(token)}"), 404, "not_found")
        headers = SCRIPT if flow == "embed" else NAVIGATION
        assert (
            await services.web().post(f"/{flow}/{change(token)}/start", json={}, headers=headers)
        ).status_code == 404


async def test_a_token_signed_with_a_key_that_was_retired_is_unknown(clock: Clock, database_url: str) -> None:
    old = RunningServices(clock, database_url, secret_keys=("the-first-key-0123456789-0123456789",))
    await old.open()
    made = await User(old, "ada").session()
    await old.close()
    rotated = ("the-second-key-0123456789-012345678", "the-first-key-0123456789-0123456789")
    both = RunningServices(clock, database_url, secret_keys=rotated)
    await both.open()
    for flow, token in tokens(made).items():
        assert (await both.web().get(f"/{flow}/{token}")).status_code == 200
    await both.close()
    new = RunningServices(clock, database_url, secret_keys=rotated[:1])
    await new.open()
    for flow, token in tokens(made).items():
        refused_page(await new.web().get(f"/{flow}/{token}"), 404, "not_found")
    await new.close()


async def test_a_method_that_a_page_does_not_have_is_refused_with_those_it_has(
    services: RunningServices, ada: User
) -> None:
    for allowed, path in [*(await calls(ada)), ("GET", "/callback"), ("POST", "/callback")]:
        others = {"GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"} - {allowed}
        for method in others if path != "/callback" else {"PUT", "PATCH", "DELETE"}:
            answer = await services.web().request(method, path, headers=SCRIPT)
            refused(answer, 405, "method_not_allowed")
            assert allowed in answer.headers["allow"]
            seen = await services.web().request(method, path, headers=NAVIGATION)
            assert seen.status_code == 405


@pytest.mark.parametrize(
    "path",
    [
        "/embed",
        "/embed/",
        "/connect/",
        "/callback/",
        "/nothing",
        "/embed/a/b",
        "/connect/x/y/z",
        "/nothing//",
        "/.env",
    ],
)
async def test_a_path_that_is_not_there_is_a_page_that_says_so(services: RunningServices, path: str) -> None:
    refused_page(await services.web().get(path, headers={"Accept": "text/html"}), 404, "not_found")
    refused(await services.web().get(path, headers={"Accept": "application/json"}), 404, "not_found")


@pytest.mark.parametrize("verb", VERBS)
async def test_a_scripts_body_must_be_json(ada: User, verb: str) -> None:
    page = await ada.frame()
    before = await page.stored()
    headers = SCRIPT | {"X-Page-Key": page.key or ""}
    if verb in {"start", "exit"}:
        answer = await page.http.post(f"{page.path}/start", content=b"{}", headers=headers)
        refused(answer, 415, "unsupported_media_type")
        for body in (b"{", b'{"a": NaN}', b'{"takeOver": true, "takeOver": false}', b"\xff"):
            answer = await page.http.post(
                f"{page.path}/{verb}", content=body, headers=headers | {"Content-Type": "application/json"}
            )
            refused(answer, 400, "invalid_json")
    assert await page.stored() == before


@pytest.mark.parametrize(
    ("verb", "body", "pointer"),
    [
        ("start", {"takeOver": "true"}, "/takeOver"),
        ("start", {"takeOver": 1}, "/takeOver"),
        ("start", {"takeover": True}, "/takeover"),
        ("start", {"pageKey": "x"}, "/pageKey"),
        ("exit", {"unknown": 1}, "/unknown"),
    ],
)
async def test_a_scripts_wrong_field_is_refused_by_name(
    ada: User, verb: str, body: dict[str, object], pointer: str
) -> None:
    page = await ada.frame()
    refused(await page.post(verb, body), 422, "invalid_request", pointer)
    assert (await page.stored())["status"] == "opened"


async def test_a_body_over_256_kib_is_refused_by_every_page_that_reads_one(
    services: RunningServices, ada: User
) -> None:
    page, top = await ada.frame(), TopPage(services, await ada.session())
    refused(await page.post("start", {"takeOver": True, "padding": "x" * LARGEST}), 413, "too_large")
    refused(await page.post("exit", {"padding": "x" * LARGEST}), 413, "too_large")
    refused_page(await top.post("start", {"padding": "x" * LARGEST}), 413, "too_large")
    refused_page(await top.http.post("/callback", data={"state": "x" * LARGEST}, headers=NAVIGATION), 413, "too_large")


async def test_a_form_with_thousands_of_fields_is_refused(services: RunningServices, ada: User) -> None:
    top = TopPage(services, await ada.session())
    fields = {f"f{number}": "x" for number in range(2000)}
    assert (await top.post("start", fields)).status_code in {413, 415, 422}
    assert (await top.stored())["status"] == "created"


@pytest.mark.parametrize("cookie", ["x", "", "a" * 4000, '"', "%00", "é"])
async def test_a_cookie_that_is_not_ours_opens_nothing(services: RunningServices, ada: User, cookie: str) -> None:
    top = await ada.browser()
    (name,) = top.http.cookies
    other = TopPage(services, top.session)
    headers = {b"cookie": f"{name}={cookie}".encode("latin-1"), b"accept": b"text/html"}
    answer = await other.http.get(other.path, headers=headers)
    assert answer.status_code == 200
    assert "/p/i/" not in answer.text
    pressed = await other.http.post(f"{other.path}/finished", headers=headers | {b"origin": SERVICE_URL.encode()})
    refused_page(pressed, *((409, "taken_over") if cookie else (404, "not_found")))


async def test_a_page_that_asks_in_a_loop_is_slowed_down_and_nobody_else_is(
    services: RunningServices, ada: User, bob: User
) -> None:
    page, other = await ada.frame(), await bob.frame()
    answers = [await page.post("finished") for _ in range(140)]
    late = [answer for answer in answers if answer.status_code != 200]
    assert late
    for answer in late:
        refused(answer, 429, "rate_limited")
        assert int(answer.headers["retry-after"]) >= 1
    assert (await other.post("finished")).status_code == 200
    services.clock.advance(60)
    assert (await page.post("finished")).status_code == 200


async def test_every_page_has_its_headers_refusals_included(services: RunningServices, ada: User) -> None:
    made = await ada.session()
    token = tokens(made)
    http = services.web()
    iframe = {"Sec-Fetch-Dest": "iframe"}
    check_page(await http.get(f"/embed/{token['embed']}", headers=iframe), HOST_URL)
    for path in (f"/connect/{token['connect']}", "/embed/x", "/connect/x", "/callback", "/nothing"):
        check_page(await http.get(path, headers={"Accept": "text/html"}))
    for path in (f"/embed/{token['embed']}", "/embed/x"):
        check_page(await http.get(path, headers={"Sec-Fetch-Dest": "document"}))
    await services.post(f"/v1/sessions/{made['id']}/revoke")
    check_page(await http.get(f"/connect/{token['connect']}"))
    check_page(await http.get(f"/embed/{token['embed']}", headers=iframe), HOST_URL)


async def test_no_page_sets_a_cookie_but_the_started_redirect_flow(services: RunningServices, ada: User) -> None:
    frame = await ada.frame()
    answers: list[httpx.Response] = [
        await frame.http.get(frame.path, headers={"Sec-Fetch-Dest": "iframe"}),
        await frame.post("start"),
        await frame.post("finished"),
        await frame.ask(),
        await TopPage(services, await ada.session()).get(),
    ]
    assert all("set-cookie" not in answer.headers for answer in answers)


async def test_what_a_script_is_answered_is_kept_by_nobody(ada: User) -> None:
    page = await ada.frame()
    for answer in (await page.post("start"), await page.ask(), await page.post("finished")):
        assert answer.headers["content-type"] == "application/json"
        assert answer.headers["cache-control"] == "no-store"
        assert answer.headers["referrer-policy"] == "no-referrer"


async def test_html_in_what_the_host_sends_is_text_on_our_pages(services: RunningServices, ada: User) -> None:
    hostile = "<script>alert(1)</script><img src=x onerror=alert(1)>"
    made = await ada.session(company={"externalId": "x", "name": hostile}, userLabel=hostile, metadata={"a": hostile})
    for flow, token in tokens(made).items():
        answer = await services.web().get(f"/{flow}/{token}", headers={"Sec-Fetch-Dest": "iframe"})
        assert "<img src=x" not in answer.text
        assert "<script>alert" not in answer.text
        assert "&lt;script&gt;" in answer.text

"""Rules that hold on every route: methods, bodies, sizes, the number of errors, and addresses as people paste them."""

import re
from collections.abc import Iterator, Sequence

import pytest
from starlette.routing import BaseRoute, Mount, Route

from tests.support.services import RunningServices, refused
from tests.support.users import NAVIGATION, SCRIPT, TopPage, User, refused_page
from tests.support.webhooks import signed

METHODS = {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "PROPFIND"}
JSON = {"Content-Type": "application/json"}
MANY = {f"field{number}": 1 for number in range(80)}


def table(routes: Sequence[BaseRoute], prefix: str = "") -> Iterator[tuple[str, set[str]]]:
    for route in routes:
        if isinstance(route, Mount):
            yield from table(route.routes or (), prefix + route.path)
        elif isinstance(route, Route):
            yield re.sub(r"\{\w+\}", "x", prefix + route.path), route.methods or set()


async def test_a_wrong_method_is_refused_with_the_right_ones_on_every_route(services: RunningServices) -> None:
    assert services.transport.app is not None
    served = dict(table(services.transport.app.routes)) | {"/static/page.css": {"GET", "HEAD"}}
    assert {"/", "/healthz", "/metrics", "/docs", "/embed.js", "/webhooks/nectar", "/live/x"} <= set(served)
    for path, allowed in served.items():
        for method in METHODS - allowed:
            answer = await services.host.request(method, path)
            assert answer.status_code == 405, (method, path)
            assert {one.strip() for one in answer.headers["allow"].split(",")} == allowed, (method, path)


async def test_the_bare_address_says_what_this_is_and_where_its_documentation_is(services: RunningServices) -> None:
    answer = await services.web().get("/")
    assert (answer.status_code, answer.headers["content-type"]) == (200, "text/html; charset=utf-8")
    assert "This is magiclink." in answer.text
    assert 'href="/docs"' in answer.text
    assert "default-src 'none'" in answer.headers["content-security-policy"]
    again = await services.web().get("/", headers={"If-None-Match": answer.headers["etag"]})
    assert again.status_code == 304


@pytest.mark.parametrize("encoding", ["gzip", "br", "deflate", "zstd", "identity, gzip", "x"])
async def test_a_compressed_body_is_refused_wherever_a_body_is_read(
    services: RunningServices, ada: User, encoding: str
) -> None:
    page, top = await ada.frame(), TopPage(services, await ada.session())
    # The webhook's signature, without which its body is not read; the other routes ignore it.
    headers = JSON | dict(signed(services, b"{}")) | {"Content-Encoding": encoding}
    before = await services.event_types()
    for path in (
        "/v1/sessions",
        "/v1/verify",
        "/webhooks/nectar",
        f"/v1/sessions/{page.id}/revoke",
        f"{page.path}/start",
    ):
        refused(await services.host.post(path, content=b"{}", headers=headers), 415, "unsupported_media_type")
    form = NAVIGATION | {"Content-Encoding": encoding}
    for path in ("/callback", f"{top.path}/start"):
        refused_page(await top.http.post(path, data={"state": "x"}, headers=form), 415, "unsupported_media_type")
    assert await services.event_types() == before


async def test_a_body_that_says_it_is_not_compressed_is_read(services: RunningServices, ada: User) -> None:
    headers = {"Content-Encoding": "Identity"}
    assert (await services.host.post("/v1/sessions", json=ada.wants(), headers=headers)).status_code == 201


@pytest.mark.parametrize(
    "marks", [".", ",", ").", "...", "!", "%3F", ">", "'", "%22", "%E2%80%9D.", "%C2%BB", "*", "%20"]
)
async def test_punctuation_after_a_token_is_forgiven(services: RunningServices, ada: User, marks: str) -> None:
    top = TopPage(services, await ada.session())
    page = await top.http.get(top.path + marks, headers=NAVIGATION)
    assert page.status_code == 200
    assert f'action="{top.path}/start"' in page.text
    frame = await ada.frame()
    framed = await frame.http.get(frame.path + marks, headers={"Sec-Fetch-Dest": "iframe"})
    assert framed.status_code == 200
    assert frame.path in framed.text
    headers = SCRIPT | {"X-Page-Key": str(frame.key), "Accept": "application/json"}
    assert (await frame.http.get(frame.live + marks, headers=headers)).status_code == 200


@pytest.mark.parametrize("body", [b"{", b"[" * 4000, b"x" * 250_000, b'{"takeOver": 7}'])
async def test_without_a_token_no_body_is_looked_at(services: RunningServices, body: bytes) -> None:
    for verb in ("start", "finished", "exit", "heartbeat"):
        for flow in ("embed", "connect"):
            answer = await services.web().post(f"/{flow}/x/{verb}", content=body, headers=SCRIPT | JSON)
            refused(answer, 404, "not_found")


async def test_the_body_of_a_closed_page_is_not_looked_at(services: RunningServices, ada: User) -> None:
    page = await ada.frame()
    await services.post(f"/v1/sessions/{page.id}/revoke")
    answer = await page.http.post(f"{page.path}/start", content=b"{", headers=SCRIPT | JSON)
    refused(answer, 410, "revoked")


async def test_the_body_of_a_page_has_four_kibibytes_at_most(services: RunningServices, ada: User) -> None:
    page, top = await ada.frame(), TopPage(services, await ada.session())
    for verb in ("start", "exit"):
        kept = b'{"stage": "' + b"x" * (4096 - 13) + b'"}'
        assert len(kept) == 4096
        answer = await page.http.post(f"{page.path}/{verb}", content=kept, headers=SCRIPT | JSON | page_key(page.key))
        refused(answer, 422, "invalid_request")
        answer = await page.http.post(
            f"{page.path}/{verb}", content=kept + b" ", headers=SCRIPT | JSON | page_key(page.key)
        )
        problem = refused(answer, 413, "too_large")
        assert problem["detail"] == "The body is larger than 4 KiB"
    refused_page(await top.post("start", {"padding": "x" * 4096}), 413, "too_large")
    refused_page(await top.http.post("/callback", data={"state": "x" * 4096}, headers=NAVIGATION), 413, "too_large")


def page_key(key: str | None) -> dict[str, str]:
    return {"X-Page-Key": key or ""}


async def test_a_length_above_the_limit_is_refused_before_a_byte_is_read(services: RunningServices) -> None:
    for length in ("262145", "9" * 40):
        headers = JSON | {"Content-Length": length}
        refused(await services.host.post("/v1/sessions", content=b"{}", headers=headers), 413, "too_large")


async def test_twenty_errors_are_told_and_the_answer_stays_small(services: RunningServices, ada: User) -> None:
    page = await ada.frame()
    long = {"x" * 3000: 1}
    for path, client in (("/v1/sessions", services.host), (f"{page.path}/start", page.http)):
        answer = await client.post(path, json=MANY, headers=SCRIPT)
        problem = refused(answer, 422, "invalid_request", "/field0")
        assert len(problem["errors"]) == 20
        assert len((await client.post(path, json=long, headers=SCRIPT)).content) < 2000
    query = "&".join(f"{name}=1" for name in list(MANY)[:45])
    assert len(refused(await services.host.get(f"/v1/sessions?{query}"), 422, "invalid_request")["errors"]) == 20


async def test_an_object_with_thousands_of_fields_is_refused_as_a_whole(services: RunningServices, ada: User) -> None:
    many = {f"field{number}": "x" for number in range(10_000)}
    for body in (many, ada.wants(metadata=many)):
        problem = refused(await services.host.post("/v1/sessions", json=body), 422, "invalid_request")
        assert problem["detail"] == "An object in the body has more than 100 fields"


async def test_a_query_with_thousands_of_names_is_refused(services: RunningServices) -> None:
    query = "&".join(f"n{number}" for number in range(1000))
    for path in ("/v1/sessions", "/v1/events", "/v1/connections"):
        refused(await services.host.get(f"{path}?{query}"), 422, "invalid_request")
    for path in ("/v1/sessions", "/v1/verify"):
        refused(await services.host.post(f"{path}?{query}", json={}), 422, "invalid_request")
    refused_page(await services.web().get(f"/callback?{query}", headers=NAVIGATION), 400, "bad_state")
    refused_page(await services.web().get(f"/callback?state={'x' * 9000}", headers=NAVIGATION), 400, "bad_state")


async def test_static_files_are_cached_by_browsers(services: RunningServices) -> None:
    for path in ("/static/page.css", "/embed.js"):
        answer = await services.web().get(path)
        assert answer.headers["cache-control"] == "public, max-age=300"
        again = await services.web().get(path, headers={"If-None-Match": f'"other", W/{answer.headers["etag"]}'})
        assert (again.status_code, again.content) == (304, b"")
        partial = await services.web().get(path, headers={"Range": "bytes=0-0,2-2"})
        assert (partial.status_code, partial.content) == (200, answer.content)

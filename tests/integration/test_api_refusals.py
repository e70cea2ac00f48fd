"""What every route of `/v1` refuses, whatever it is for: strangers, wrong methods, wrong bodies, wrong queries."""

from collections.abc import AsyncIterator

import pytest

from tests.support.services import API_KEY, RunningServices, refused
from tests.support.users import User

SESSION = "ses_0123456789abcdef01234567"
CONNECTION = "00000000-0000-4000-8000-000000000000"
TABLE = {
    "/v1/sessions": ("GET", "POST"),
    f"/v1/sessions/{SESSION}": ("GET",),
    f"/v1/sessions/{SESSION}/events": ("GET",),
    f"/v1/sessions/{SESSION}/revoke": ("POST",),
    f"/v1/sessions/{SESSION}/renew": ("POST",),
    "/v1/connections": ("GET",),
    f"/v1/connections/{CONNECTION}": ("GET",),
    f"/v1/connections/{CONNECTION}/reconnect": ("POST",),
    f"/v1/connections/{CONNECTION}/claim": ("POST", "DELETE"),
    f"/v1/connections/{CONNECTION}/documents": ("GET",),
    f"/v1/connections/{CONNECTION}/usage": ("GET",),
    "/v1/events": ("GET",),
    "/v1/verify": ("POST",),
}
CALLS = [(method, path) for path, methods in TABLE.items() for method in methods]
POSTS = [path for method, path in CALLS if method == "POST"]
LARGEST = 256 * 1024
JSON = {"Content-Type": "application/json"}


async def calls(ada: User) -> list[tuple[str, str]]:
    """Every call, with a session and a connection that are there."""
    connection = await ada.connected()
    names = {SESSION: connection["sessionId"], CONNECTION: connection["id"]}
    return [(method, _named(path, names)) for method, path in CALLS]


async def posts(ada: User) -> list[str]:
    """Every path that takes a body."""
    return [path for method, path in await calls(ada) if method == "POST"]


def _named(path: str, names: dict[str, str]) -> str:
    for placeholder, name in names.items():
        path = path.replace(placeholder, name)
    return path


@pytest.mark.parametrize(
    "authorization",
    [
        None,
        "",
        "Bearer",
        "Bearer ",
        "Bearer wrong",
        f"Bearer {API_KEY}x",
        f"Bearer {API_KEY[:-1]}",
        f"Bearer {API_KEY.upper()}",
        f"Basic {API_KEY}",
        API_KEY,
        "Bearer " + "x" * 8000,
        "Bearer \xff\xfe",
    ],
)
async def test_without_a_key_that_we_know_nobody_gets_in(services: RunningServices, authorization: str | None) -> None:
    headers = {} if authorization is None else {b"authorization": authorization.encode("latin-1")}
    for method, path in CALLS:
        answer = await services.web().request(method, path, headers=headers)
        refused(answer, 401, "unauthorized")
        assert answer.headers["www-authenticate"].startswith("Bearer")


async def test_a_key_in_the_address_is_no_key(services: RunningServices) -> None:
    for method, path in CALLS:
        answer = await services.web().request(method, f"{path}?key={API_KEY}&access_token={API_KEY}")
        refused(answer, 401, "unauthorized")


async def test_a_revoked_key_works_no_more(services: RunningServices) -> None:
    other = await services.stranger()
    assert (await other.get("/v1/sessions")).status_code == 200
    assert await services.parts.store.keys.revoke("key_other")
    services.clock.advance(6)
    refused(await other.get("/v1/sessions"), 401, "unauthorized")


async def test_the_scheme_may_be_spelled_in_any_case(services: RunningServices) -> None:
    answer = await services.web().get("/v1/sessions", headers={"Authorization": f"bearer {API_KEY}"})
    assert answer.status_code == 200


async def test_a_method_that_the_path_does_not_have_is_refused_with_those_it_has(services: RunningServices) -> None:
    for path, methods in TABLE.items():
        for method in {"GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "PURGE"} - set(methods):
            answer = await services.host.request(method, path)
            refused(answer, 405, "method_not_allowed")
            assert set(methods) <= {one.strip() for one in answer.headers["allow"].split(",")}


@pytest.mark.parametrize(
    "path",
    [
        *("/v1", "/v1/", "/v1/nothing", "/v1/sessions/", f"/v1/sessions/{SESSION}/", "/v1//sessions", "/v1/SESSIONS"),
        *(f"/v1/sessions/{SESSION}/nothing", "/v1/sessions/a/b/c/d/e", "/v2/sessions", "/v1/%00", "/v1/é"),
    ],
)
async def test_a_path_that_is_not_there_is_not_found(services: RunningServices, path: str) -> None:
    for method in ("GET", "POST"):
        answer = await services.host.request(method, path, headers={"Accept": "application/json"})
        refused(answer, 404, "not_found")


async def test_an_id_that_nobody_has_is_not_found_whatever_is_asked(services: RunningServices) -> None:
    for method, path in CALLS:
        if SESSION in path or CONNECTION in path:
            body = {"sessionId": SESSION} if path.endswith("/claim") else {}
            answer = await services.host.request(method, path, json=body if method == "POST" else None)
            refused(answer, 404, "not_found")


@pytest.mark.parametrize(
    "kind", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "application/jsonp"]
)
async def test_a_body_that_is_not_json_by_its_own_word_is_refused(
    services: RunningServices, ada: User, kind: str
) -> None:
    paths, before = await posts(ada), await services.event_types()
    for path in paths:
        answer = await services.host.post(path, content=b"{}", headers={"Content-Type": kind})
        refused(answer, 415, "unsupported_media_type")
    assert await services.event_types() == before


@pytest.mark.parametrize(
    "body",
    [
        b"{",
        b"{'userId': 'ada'}",
        b'{"userId": "ada",}',
        b'{"expiresIn": NaN}',
        b'{"expiresIn": Infinity}',
        b'{"expiresIn": ' + b"9" * 5000 + b"}",
        b"\xff\xfe",
        b'{"userId": "\xe9"}',
        b"[" * 100_000,
        b'{"a":' * 50_000,
        b'{"userId": "ada", "userId": "bob"}',
        b'{"company": {"id": "x", "id": "y"}}',
        b"{} {}",
        b"\x00",
    ],
    ids=lambda body: repr(body[:40]),
)
async def test_a_body_that_is_no_json_is_refused(services: RunningServices, ada: User, body: bytes) -> None:
    paths, before = await posts(ada), await services.event_types()
    for path in paths:
        refused(await services.host.post(path, content=body, headers=JSON), 400, "invalid_json")
    assert await services.event_types() == before


async def test_json_that_is_no_object_is_refused(services: RunningServices, ada: User) -> None:
    for path in await posts(ada):
        for body in (b"[]", b"null", b'"text"', b"7", b"true", b"1e400"):
            refused(await services.host.post(path, content=body, headers=JSON), 422, "invalid_request")


async def test_an_unknown_field_is_refused_by_its_name(services: RunningServices, ada: User) -> None:
    paths, before = await posts(ada), await services.event_types()
    for path in paths:
        for name, pointer in (("unknown", "/unknown"), ("user_id", "/user_id"), ("a/b~c", "/a~1b~0c"), ("", "/")):
            problem = refused(await services.host.post(path, json={name: 1}), 422, "invalid_request", pointer)
            unknown = next(one for one in problem["errors"] if one["pointer"] == pointer)
            assert unknown["detail"] == "is not a known field"
    assert await services.event_types() == before


async def test_a_lone_surrogate_in_a_name_or_a_value_is_refused(services: RunningServices, ada: User) -> None:
    for path in await posts(ada):
        for body in (b'{"\\ud800": 1}', b'{"userId": "\\ud800"}', b'{"metadata": {"\\udfff": "x"}}'):
            refused(await services.host.post(path, content=body, headers=JSON), 422, "invalid_request")


async def test_a_body_over_256_kib_is_refused_and_one_of_just_that_is_read(
    services: RunningServices, ada: User
) -> None:
    def padded(size: int) -> bytes:
        return b'{"unknown": "' + b"x" * (size - 15) + b'"}'

    assert len(padded(LARGEST)) == LARGEST
    for path in await posts(ada):
        refused(
            await services.host.post(path, content=padded(LARGEST), headers=JSON), 422, "invalid_request", "/unknown"
        )
        refused(await services.host.post(path, content=padded(LARGEST + 1), headers=JSON), 413, "too_large")


async def test_a_body_that_is_sent_in_pieces_without_a_length_is_measured_too(
    services: RunningServices, ada: User
) -> None:
    async def pieces() -> AsyncIterator[bytes]:
        for _ in range(40):
            yield b"x" * 8192

    for path in await posts(ada):
        refused(await services.host.post(path, content=pieces(), headers=JSON), 413, "too_large")


@pytest.mark.parametrize("query", ["unknown=1", "UNKNOWN=", "é=1", "%00=1", "a=1&a=2", "limit=1&Limit=2"])
async def test_an_unknown_parameter_is_refused_by_name(services: RunningServices, ada: User, query: str) -> None:
    for method, path in await calls(ada):
        answer = await services.host.request(method, f"{path}?{query}", json={} if method == "POST" else None)
        problem = refused(answer, 422, "invalid_request")
        assert any(one["detail"] == "is not a known parameter" for one in problem["errors"])


async def test_paging_where_there_are_no_pages_is_refused(services: RunningServices, ada: User) -> None:
    for method, path in await calls(ada):
        if path.endswith("/usage"):
            refused(await services.host.request(method, f"{path}?limit=5"), 422, "invalid_request", "/limit")


async def test_every_answer_names_its_request_and_is_kept_by_nobody(services: RunningServices) -> None:
    for method, path in CALLS:
        answer = await services.host.request(method, path, headers={"X-Request-Id": "req-of-the-host-1"})
        assert answer.headers["x-request-id"] == "req-of-the-host-1"
        assert answer.headers["cache-control"] == "no-store"
        odd = await services.host.request(method, path, headers={"X-Request-Id": "no spaces; please"})
        assert odd.headers["x-request-id"].startswith("req_")


async def test_no_refusal_repeats_what_was_sent(services: RunningServices) -> None:
    secret = "hunter2-and-more"
    for body in ({"userId": secret * 30}, {"userId": {"a": secret}}, {"link": secret}, {"company": secret}):
        assert secret not in (await services.host.post("/v1/sessions", json=body)).text

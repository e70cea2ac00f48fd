"""User ids in a path: any id that a session can be created with can be exported and erased, percent-encoded."""

from typing import Any
from urllib.parse import quote

import httpx
import pytest

from service.telemetry.access import AccessRecord
from tests.support.services import SERVICE_URL, RunningServices, refused
from tests.support.users import User

ODD = (
    "ada@example.com",
    "a/b",
    "/",
    "a/export",
    "export",
    "..",
    ".",
    "../sessions",
    "%2F",
    "100%",
    "a b",
    " ada",
    "a?b=c&d",
    "a#b",
    "a;b",
    "a+b",
    "a\\b",
    "übung",
    "用户",
    "\U0001f600" * 255,
    "u" * 255,
    "<script>",
    "' OR 1=1 --",
    "\u202eada",
)


def request_for(services: RunningServices, method: str, raw_path: bytes) -> httpx.Request:
    """A request whose path is sent as it stands here: httpx would resolve dot segments, as browsers do."""
    request = services.host.build_request(method, f"{SERVICE_URL}/v1/users/x")
    request.url = request.url.copy_with(raw_path=raw_path)
    return request


async def send(services: RunningServices, method: str, raw_path: bytes) -> httpx.Response:
    return await services.host.send(request_for(services, method, raw_path))


@pytest.mark.parametrize("user_id", ODD)
async def test_every_user_id_is_exported_and_erased(services: RunningServices, user_id: str) -> None:
    await User(services, user_id).session()
    await User(services, "somebody else").session()
    # The dots too: clients and proxies take an encoded or unencoded `..` out of a path, ours does not.
    path = f"/v1/users/{quote(user_id, safe='').replace('.', '%2E')}".encode()
    exported = await send(services, "GET", path + b"/export")
    assert (exported.status_code, exported.json()["userId"]) == (200, user_id)
    assert (await send(services, "DELETE", path)).status_code == 204
    refused(await send(services, "GET", path + b"/export"), 404, "not_found")
    refused(await send(services, "DELETE", path), 404, "not_found")
    assert {one["userId"] for one in await services.rows("/v1/sessions")} == {"somebody else", None}


@pytest.mark.parametrize(
    "segment",
    [b"", b"%00", b"%ff", b"%ed%a0%80", b"a%1fb", b"u" * 256, b"%C3%28"],
    ids=["empty", "nul", "no utf-8", "surrogate", "control character", "too long", "half a character"],
)
async def test_what_can_be_no_user_id_is_not_there(services: RunningServices, segment: bytes) -> None:
    refused(await send(services, "DELETE", b"/v1/users/" + segment), 404, "not_found")
    refused(await send(services, "GET", b"/v1/users/" + segment + b"/export"), 404, "not_found")


@pytest.mark.parametrize("path", [b"/v1/users/a/b", b"/v1/users/a/b/export", b"/v1/users", b"/v1/users/a/"])
async def test_an_id_whose_slash_is_not_encoded_erases_nobody(services: RunningServices, path: bytes) -> None:
    for user_id in ("a", "a/b", "a/"):
        await User(services, user_id).session()
    for method in ("GET", "DELETE"):
        refused(await send(services, method, path), 404, "not_found")
    assert None not in [one["userId"] for one in await services.rows("/v1/sessions")]


@pytest.mark.parametrize("user_id", [".", ".."])
async def test_dots_that_are_not_encoded_are_an_id_too_and_lead_to_no_other_path(
    services: RunningServices, user_id: str
) -> None:
    await User(services, user_id).session()
    assert await status_of(services, f"/v1/users/{user_id}/export") == 200
    assert await status_of(services, f"/v1/users/{user_id}/sessions") == 404


async def status_of(services: RunningServices, path: str) -> int:
    """The status of a GET whose dot segments nobody resolves on the way, as with `curl --path-as-is`."""
    headers = [(name.lower(), value) for name, value in services.host.headers.raw]
    scope = {"type": "http", "method": "GET", "path": path, "raw_path": path.encode(), "headers": headers}
    sent: list[Any] = []

    async def send(message: Any) -> None:
        sent.append(message)

    async def receive() -> Any:
        return {"type": "http.request", "body": b"", "more_body": False}

    app = services.transport.app
    assert app is not None
    await app({**scope, "query_string": b"", "scheme": "https", "server": ("link", 443)}, receive, send)
    return int(sent[0]["status"])


async def test_an_export_is_not_a_user_to_erase(services: RunningServices) -> None:
    await User(services, "a/export").session()
    answer = await send(services, "DELETE", b"/v1/users/a/export")
    refused(answer, 405, "method_not_allowed")
    assert set(answer.headers["allow"].split(", ")) == {"GET", "HEAD"}
    assert (await services.rows("/v1/sessions"))[0]["userId"] == "a/export"


@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "PATCH"])
async def test_another_method_is_refused_with_what_is_allowed(services: RunningServices, method: str) -> None:
    answer = await send(services, method, b"/v1/users/ada")
    refused(answer, 405, "method_not_allowed")
    assert answer.headers["allow"] == "DELETE"


async def test_a_user_id_is_in_no_log_line_and_no_metric(
    services: RunningServices, caplog: pytest.LogCaptureFixture
) -> None:
    await User(services, "zoe/7741").session()
    with caplog.at_level("DEBUG", "service"):
        await send(services, "GET", b"/v1/users/zoe%2F7741/export")
        await send(services, "DELETE", b"/v1/users/zoe%2F7741")
    routes = {record.answered.route for record in caplog.records if isinstance(record, AccessRecord)}
    assert {"/v1/users/{}", "/v1/users/{}/export"} <= routes
    assert not any("zoe" in str(vars(record)) for record in caplog.records)
    assert "zoe" not in services.parts.metrics.render(0)

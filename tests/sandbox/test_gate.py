"""The middleware, with an app behind it that reads more than it should."""

from typing import Any

import httpx
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from service.sandbox.deliveries import SandboxDeliveries
from service.sandbox.gate import BODY_MOST_BYTES, SandboxGate
from service.sandbox.journal import RequestJournal
from service.sandbox.settings import SandboxSettings
from service.sandbox.wire.answers import add_errors
from service.sandbox.world.world import SandboxWorld
from tests.support.clock import Clock
from tests.support.sandbox_client import Sandbox


class Behind:
    """Records what it receives, and answers 204."""

    def __init__(self) -> None:
        self.given: list[Any] = []

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.given = [scope["type"]]
        if scope["type"] == "http":
            self.given += [await receive(), await receive()]
            await send({"type": "http.response.start", "status": 204, "headers": []})
            await send({"type": "http.response.body"})


def gate_before(behind: Behind, clock: Clock) -> SandboxGate:
    world = SandboxWorld(SandboxSettings(), clock.now)
    return SandboxGate(behind, world, SandboxDeliveries(world, httpx.AsyncClient()), RequestJournal())


async def drive(gate: SandboxGate, scope: Scope, *messages: Any) -> list[Any]:
    coming, sent = list(messages), []

    async def receive() -> Any:
        return coming.pop(0)

    async def send(message: Any) -> None:
        sent.append(message)

    await gate(scope, receive, send)
    return sent


SCOPE = {"type": "http", "method": "POST", "path": "/v2.2/ping", "query_string": b"", "headers": []}


async def test_a_body_with_a_too_large_declared_length_is_not_read(clock: Clock) -> None:
    behind = Behind()
    headers = [(b"content-length", str(BODY_MOST_BYTES + 1).encode())]
    sent = await drive(gate_before(behind, clock), {**SCOPE, "headers": headers})
    assert (sent[0]["status"], behind.given) == (413, [])


async def test_a_body_in_parts_is_passed_on_whole_and_then_later_messages(clock: Clock) -> None:
    behind = Behind()
    part = {"type": "http.request", "body": b"x", "more_body": True}
    end = {"type": "http.disconnect"}
    await drive(gate_before(behind, clock), {**SCOPE}, part, {**part, "more_body": False}, end)
    assert behind.given == ["http", {"type": "http.request", "body": b"xx", "more_body": False}, end]


async def test_a_caller_that_disconnects_in_the_middle_of_its_body_has_asked_for_nothing(clock: Clock) -> None:
    behind = Behind()
    part = {"type": "http.request", "body": b"x", "more_body": True}
    end = {"type": "http.disconnect"}
    assert await drive(gate_before(behind, clock), {**SCOPE}, part, end, end) == []
    assert behind.given == []


async def test_a_scope_that_is_no_request_is_passed_on_unchanged(clock: Clock) -> None:
    behind = Behind()
    assert await drive(gate_before(behind, clock), {"type": "lifespan"}) == []
    assert behind.given == ["lifespan"]


@pytest.mark.parametrize(
    "path",
    [
        *("/healthz", "/v2.2/ping", "/v2.2/nothing", "/nothing", "/dashboard", "/p/i/nothing", "/static/nectar.css"),
        *("/static/nothing", "/_control/requests", "/_control/nothing", "/files/nothing"),
    ],
)
async def test_every_answer_of_the_sandbox_keeps_browsers_from_guessing_its_type(clock: Clock, path: str) -> None:
    sandbox = Sandbox(clock)
    for method in ("GET", "POST", "PUT"):
        answer = await sandbox.plain(method, path)
        assert answer.headers.get_list("x-content-type-options") == ["nosniff"], (method, answer.status_code)


async def test_the_answer_to_an_error_of_the_sandbox_itself_does_too() -> None:
    def fails(_request: Request) -> Response:
        raise RuntimeError

    app = Starlette(routes=[Route("/", fails)])
    add_errors(app)
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app, raise_app_exceptions=False)) as browser:
        answer = await browser.get("http://127.0.0.1:9000/")
    assert (answer.status_code, answer.headers["x-content-type-options"]) == (500, "nosniff")

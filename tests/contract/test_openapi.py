"""The OpenAPI document against the API: every route, every answer, every code."""

import json
import re
from collections.abc import AsyncIterator, Iterator, Sequence
from pathlib import Path
from typing import Any, get_args

import httpx
import pytest
from jsonschema import ValidationError
from openapi_spec_validator import validate
from starlette.routing import BaseRoute, Mount, Route

from service.app import create_app
from service.domain.model import EvidenceKind
from service.domain.session_status import SessionStatus
from service.errors import BadSettings, InvalidRequest, MagiclinkError, Problem
from service.settings import Settings
from service.web.api import bodies
from service.web.api.problems import problem
from service.web.docs.openapi import document
from service.web.docs.schemas import BODIES
from service.web.request_body import parse
from tests.support.api_description import CheckedServices, Description
from tests.support.clock import Clock
from tests.support.connection_steps import ambiguous
from tests.support.endpoints import deliveries, endpoint, failing, seen
from tests.support.receivers import URL
from tests.support.services import HOST_URL, RETURN_URL, refused
from tests.support.users import User, asked_in

BODY = {body.__name__: body for body in BODIES}
SPEC = document("https://link.example.com")
SETTINGS = Settings(secret_keys=("k" * 32,), public_url="https://link.example.com", provider_api_key="key")
UNKNOWN = "00000000-0000-4000-8000-000000000000"
# The promise to hosts; nothing is ever taken off this list.
API_CODES = {
    *("invalid_json", "unauthorized", "forbidden", "not_found", "method_not_allowed", "session_closed"),
    *("already_claimed", "idempotency_in_progress", "too_large", "unsupported_media_type", "invalid_request"),
    *("provider_refused", "idempotency_key_reused", "rate_limited", "provider_error", "unavailable"),
    "provider_timeout",
}
PAGE_CODES = {"already_open", "taken_over", "expired", "revoked", "bad_state", "bad_webhook", "internal_error"}


@pytest.fixture
def description() -> Description:
    return Description(SPEC)


@pytest.fixture
async def services(clock: Clock, tmp_path: Path, description: Description) -> AsyncIterator[CheckedServices]:
    running = CheckedServices(description, clock, f"sqlite:///{tmp_path / 'magiclink.db'}")
    await running.open()
    yield running
    await running.close()


def operations() -> Iterator[tuple[str, dict[str, Any]]]:
    for path, methods in SPEC["paths"].items():
        for method, operation in methods.items():
            yield f"{method.upper()} {path}", operation


def served(routes: Sequence[BaseRoute], prefix: str = "") -> Iterator[str]:
    for route in routes:
        if isinstance(route, Mount):
            yield from served(route.routes or (), prefix + route.path)
        elif isinstance(route, Route):
            yield from (f"{method} {prefix}{route.path}" for method in (route.methods or set()) - {"HEAD"})


def errors(kind: type[MagiclinkError] = MagiclinkError) -> Iterator[type[MagiclinkError]]:
    yield kind
    for narrower in kind.__subclasses__():
        yield from errors(narrower)


def test_it_is_valid_openapi() -> None:
    validate(SPEC)


def test_every_route_is_described_and_nothing_else_is() -> None:
    assert {name for name, _ in operations()} == set(served(create_app(SETTINGS).routes))


def test_codes_are_those_of_the_error_tree_and_those_promised() -> None:
    tree = {kind.code for kind in errors() if not issubclass(kind, BadSettings)}
    assert set(SPEC["components"]["schemas"]["Problem"]["properties"]["code"]["enum"]) == tree
    assert tree == API_CODES | PAGE_CODES


def test_every_code_is_named_by_a_call_that_answers_it() -> None:
    named = {
        code
        for _, operation in operations()
        for response in operation["responses"].values()
        for code in response.get("content", {}).get("application/problem+json", {}).get("examples", {})
    }
    assert named == API_CODES | PAGE_CODES


def test_calls_with_a_key_say_so_and_others_do_not() -> None:
    for name, operation in operations():
        assert ("security" not in operation) == ("/v1/" in name), name
        assert ("401" in operation["responses"]) or "/v1/" not in name, name


def test_every_post_of_the_api_but_the_confirmation_takes_an_idempotency_key() -> None:
    taking = {
        name
        for name, operation in operations()
        if {"$ref": "#/components/parameters/idempotencyKey"} in operation.get("parameters", ())
    }
    assert taking == {name for name, _ in operations() if name.startswith("POST /v1/")} - {"POST /v1/verify"}


def test_every_page_whose_calls_are_limited_says_so() -> None:
    # The embed page and that of the redirect flow only show what there is: a GET of them is not counted.
    free = {"GET /embed/{token}", "GET /connect/{token}", "GET /status/{token}"}
    pages = {name for name, operation in operations() if operation["tags"] == ["Pages"]}
    assert {
        name for name, operation in operations() if name in pages and "429" in operation["responses"]
    } == pages - free


@pytest.mark.parametrize(
    ("cursor", "is_one"), [("", True), ("1.0", True), ("12.99", True), ("MTgwMA", False), ("0.1", False), ("1.", False)]
)
def test_the_cursor_of_documents_is_described_as_it_is(cursor: str, *, is_one: bool) -> None:
    (schema,) = [
        SPEC["components"]["parameters"][ref.rpartition("/")[2]]["schema"]
        for one in dict(operations())["GET /v1/connections/{id}/documents"]["parameters"]
        if (ref := one.get("$ref", "")).endswith("documentsAfter")
    ]
    assert bool(re.fullmatch(schema["pattern"], cursor)) is is_one


def test_enum_values_are_those_of_the_code() -> None:
    schemas = SPEC["components"]["schemas"]
    assert {one["const"] for one in schemas["SessionStatus"]["oneOf"]} == set(SessionStatus)
    assert {one["const"] for one in schemas["EvidenceKind"]["oneOf"]} == set(EvidenceKind)


@pytest.mark.parametrize("kind", [kind for kind in errors() if not issubclass(kind, BadSettings)])
def test_every_error_is_a_problem_document_as_described(description: Description, kind: type[MagiclinkError]) -> None:
    error = InvalidRequest([Problem("/a", "is wrong")]) if kind is InvalidRequest else kind()
    body = json.loads(bytes(problem(error).body))
    description.validate({"$ref": "#/components/schemas/Problem"}, body)


def test_every_example_is_what_its_shape_says(description: Description) -> None:
    for shape in SPEC["components"]["schemas"].values():
        for example in shape.get("examples", ()):
            description.validate({key: value for key, value in shape.items() if key != "examples"}, example)
    for one in SPEC["components"]["examples"].values():
        description.validate({"$ref": "#/components/schemas/Problem"}, one["value"])


def test_every_example_of_a_body_is_taken() -> None:
    for name, body in BODY.items():
        (example,) = SPEC["components"]["schemas"][name]["examples"]
        parse(body, example)


def test_bodies_are_closed_and_every_field_is_explained() -> None:
    for name, shape in SPEC["components"]["schemas"].items():
        if name in BODY:
            assert shape["additionalProperties"] is False
            assert all(part["description"] for part in shape["properties"].values())
    kinds = get_args(bodies.CreateSession.model_fields["prepare"].annotation)
    assert SPEC["components"]["schemas"]["CreateSession"]["properties"]["prepare"]["enum"] == list(kinds)


async def test_every_call_of_a_whole_flow_answers_as_described(
    services: CheckedServices, description: Description
) -> None:
    ada, bob = User(services, "ada"), User(services, "bob")
    page = await ada.browser(metadata={"plan": "pro"})
    await page.connect()
    state = asked_in(await page.finish())["state"]
    await services.post("/v1/verify", {"state": state, "userId": "ada"})
    (connection,) = await ada.connections()
    await read_everything(services, connection["id"])
    again = await services.post(f"/v1/connections/{connection['id']}/reconnect", {})
    await services.post(f"/v1/sessions/{again['id']}/renew")
    await services.post(f"/v1/sessions/{again['id']}/revoke")
    open_one, hers, _ = await ambiguous(services, ada, bob)
    await services.post(f"/v1/connections/{open_one['id']}/claim", {"sessionId": hers.id})
    await services.host.delete(f"/v1/connections/{open_one['id']}/claim")
    await services.rows("/v1/connections", attributed="false")
    await hers.post("exit", {"stage": "provider", "reason": "closed"})
    await deliver_everything(services, ada)
    await services.get("/v1/users/ada/status", origin=HOST_URL)
    await services.get("/v1/users/ada/export")
    assert (await services.host.delete("/v1/users/ada")).status_code == 204
    await services.rows("/v1/connections")
    await services.rows("/v1/sessions")
    await services.rows("/v1/events", limit=100)
    assert {answer.rpartition(" ")[0] for answer in description.answered} >= {
        operation["operationId"] for name, operation in operations() if "/v1/" in name
    }


async def deliver_everything(services: CheckedServices, ada: User) -> None:
    made = await endpoint(services, types=["session.created"])
    path = f"/v1/webhook-endpoints/{made['id']}"
    await ada.session(webhookUrl=f"{URL}/7")
    failing(services, 500, lambda post: post.path.endswith("/7"))
    await services.deliver()
    (row, *_) = await deliveries(services, made, status="delivered")
    assert len(await deliveries(services, made)) == 2
    await services.get(f"/v1/deliveries/{row['id']}")
    await services.post(f"/v1/deliveries/{row['id']}/replay")
    await services.post(f"{path}/test")
    await services.post(f"{path}/replay", {"since": "2027-01-15T08:00:00Z"})
    await services.post(f"{path}/rotate-secret")
    await seen(services, made)
    await services.host.patch(path, json={"status": "disabled"})
    await services.rows("/v1/webhook-endpoints")
    await services.host.delete(path)


async def read_everything(services: CheckedServices, connection_id: str) -> None:
    await services.sandbox.plain("POST", "/_control/time", json={"advanceSeconds": 60})
    for path in ("documents", "usage"):
        await services.rows(f"/v1/connections/{connection_id}/{path}")
    await services.get(f"/v1/connections/{connection_id}")
    (session, *_) = await services.rows("/v1/sessions", status="connected")
    await services.get(f"/v1/sessions/{session['id']}")
    assert len(await services.event_types(session["id"])) > 3
    assert len(await services.event_types()) > 3
    for path in ("/openapi.json", "/docs", "/healthz", "/readyz", "/metrics", "/embed.js"):
        await services.host.get(path)


async def test_every_refusal_of_the_api_is_as_described(services: CheckedServices, description: Description) -> None:
    ada = User(services, "ada")
    made = await ada.session()
    path, text = "/v1/sessions", {"Content-Type": "application/json"}
    refused(await services.web().get(path), 401, "unauthorized")
    refused(await services.host.put(path), 405, "method_not_allowed")
    refused(await services.host.get("/v1/nothing"), 404, "not_found")
    refused(await services.host.get(f"{path}?page=2"), 422, "invalid_request", "/page")
    refused(await services.host.get(f"{path}/ses_00000000000000000000"), 404, "not_found")
    refused(await services.host.post(path, content="{", headers=text), 400, "invalid_json")
    refused(await services.host.post(path, content="{}"), 415, "unsupported_media_type")
    refused(await services.host.post(path, content=" " * 300_000, headers=text), 413, "too_large")
    key = {"Idempotency-Key": "one"}
    await services.host.post(path, json=ada.wants(), headers=key)
    refused(await services.host.post(path, json=ada.wants(locale="de"), headers=key), 422, "idempotency_key_reused")
    await services.post(f"{path}/{made['id']}/revoke")
    refused(await services.host.post(f"{path}/{made['id']}/renew"), 409, "session_closed")
    unknown = ada.wants(company={"id": UNKNOWN}, prepare="now")
    refused(await services.host.post(path, json=unknown), 422, "provider_refused")
    stranger = await services.stranger()
    await services.host.post(path, json=ada.wants(company={"id": UNKNOWN}))
    refused(await stranger.post(path, json=unknown), 404, "not_found")
    services.outgoing.is_down = True
    refused(await services.host.post(path, json=ada.wants(prepare="now")), 502, "provider_error")
    assert len(description.refused) > 10


async def test_a_providers_silence_and_a_claim_too_late_are_as_described(services: CheckedServices) -> None:
    ada, bob = User(services, "ada"), User(services, "bob")
    connection = await ada.connected()
    other = await bob.session()
    claim = {"sessionId": other["id"]}
    refused(await services.host.post(f"/v1/connections/{connection['id']}/claim", json=claim), 409, "already_claimed")
    await services.sandbox.trouble("slow", seconds=60)
    refused(await services.host.post("/v1/sessions", json=ada.wants(prepare="now")), 504, "provider_timeout")


async def test_pages_answer_as_described(services: CheckedServices, description: Description) -> None:
    ada = User(services, "ada")
    page = await ada.frame()
    await page.view()
    await page.post("heartbeat")
    assert (await page.post("start", **{"X-Page-Key": "no"})).json()["code"] == "already_open"
    assert (await page.http.get(page.path)).status_code == 200
    assert (await page.http.get("/embed/nothing", headers={"Accept": "application/json"})).status_code == 404
    top = await ada.browser(returnUrl=RETURN_URL)
    await top.post("heartbeat")
    await top.post("exit")
    assert (await services.web().get("/callback?state=x", headers={"Accept": "text/html"})).status_code == 400
    await services.post(f"/v1/sessions/{page.id}/revoke")
    assert (await page.http.get(page.path)).status_code == 410
    assert {"startEmbed 200", "live 200", "beatEmbed 204", "startConnect 303", "exitConnect 303"} <= (
        description.answered
    )


async def test_an_answer_that_is_not_described_fails_the_check(description: Description) -> None:
    request = httpx.Request("GET", f"https://link.example.com/v1/connections/{UNKNOWN}")
    with pytest.raises(AssertionError):
        description.check(request, httpx.Response(418, json={}))
    with pytest.raises(ValidationError, match="required property"):
        description.check(request, httpx.Response(200, json={"id": UNKNOWN}))

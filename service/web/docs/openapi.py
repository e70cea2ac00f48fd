"""The API's description, OpenAPI 3.1: schemas from the types of the code, calls from `openapi_operations.json`.

Reference: spec.openapis.org/oas/v3.1.1.
"""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

from service import __version__
from service.errors import MagiclinkError
from service.web.api.answers import ProblemJson
from service.web.api.problems import MEDIA_TYPE, errors_by_code
from service.web.docs.schemas import SCHEMA_REF, Json, component_schemas

_OPERATIONS = Path(__file__).parent / "openapi_operations.json"
_MEDIA_TYPES = {
    "html": "text/html",
    "javascript": "text/javascript",
    "text": "text/plain",
    "object": "application/json",
}
# What can be called next, by the name of an answer, and where in that answer the id for it is.
_SESSION_CALLS = ("getSession", "listSessionEvents", "revokeSession", "renewSession")
_CONNECTION_CALLS = ("getConnection", "reconnect", "unclaimConnection", "listDocuments", "listUsage")
_NEXT_CALLS: Mapping[str, tuple[str, Sequence[str]]] = {
    "MadeSession": ("/id", _SESSION_CALLS),
    "Session": ("/id", _SESSION_CALLS),
    "SessionList": ("/data/0/id", _SESSION_CALLS),
    "Connection": ("/id", _CONNECTION_CALLS),
    "ConnectionList": ("/data/0/id", _CONNECTION_CALLS),
}
# None of their fields is required, so no body at all is the same as `{}`.
_OPTIONAL_BODIES = {"NoFields", "Reconnect"}
_HEADERS: Json = {
    "requestId": {"description": "Of this answer.", "schema": {"type": "string"}},
    "retryAfter": {"description": "In how many seconds to try again.", "schema": {"type": "integer", "minimum": 1}},
    "allow": {"description": "The methods that the path has.", "schema": {"type": "string"}},
    "authenticate": {"description": "How a caller shows who it is.", "schema": {"type": "string"}},
}
# A client needs these to go on after a refusal.
_HEADERS_OF_STATUS: Mapping[str, tuple[str, str]] = {
    "401": ("WWW-Authenticate", "authenticate"),
    "405": ("Allow", "allow"),
    "429": ("Retry-After", "retryAfter"),
    "503": ("Retry-After", "retryAfter"),
}
_DESCRIPTION = (
    "Connects the utility accounts of your users through the provider, and records which of your users connected "
    "which account: once, for the right user, on evidence."
)


def document(public_url: str) -> Json:
    """The whole description of the service at this address."""
    operations: Json = json.loads(_OPERATIONS.read_text(encoding="utf-8"))
    paths: dict[str, Json] = {}
    for name, call in operations["calls"].items():
        method, path = name.split(" ")
        paths.setdefault(path, {})[method.lower()] = _operation(call, operations["refusals"])
    info = {"title": "magiclink", "version": __version__, "description": _DESCRIPTION, "license": {"name": "MIT"}}
    return {
        "openapi": "3.1.0",
        "info": info,
        "servers": [{"url": public_url}],
        "security": [{"key": []}],
        "tags": operations["tags"],
        "paths": paths,
        "components": {
            "securitySchemes": {"key": {"type": "http", "scheme": "bearer", "description": "An API key."}},
            "parameters": operations["parameters"],
            "headers": _HEADERS,
            "schemas": component_schemas(),
            "examples": {
                code: {"summary": kinds[0].title, "value": _example(kinds[0])}
                for code, kinds in errors_by_code().items()
            },
        },
    }


def _operation(call: Json, groups: Mapping[str, Sequence[str]]) -> Json:
    names = [*call.get("parameters", ()), *(["idempotencyKey"] if call.get("idempotent") else ())]
    refused = [code for name in call["refuses"] for code in groups.get(name, [name])]
    # An empty list overrides the document's own `security`: this call needs no key.
    keyless: Json = {} if "unauthorized" in refused else {"security": []}
    made: Json = {"operationId": call["id"], "tags": [call["tag"]], "summary": call["summary"], **keyless}
    if "description" in call:
        made["description"] = call["description"]
    if names:
        made["parameters"] = [{"$ref": f"#/components/parameters/{name}"} for name in names]
    if "body" in call:
        made["requestBody"] = _body(call["body"])
    if call.get("anyBody"):
        made["requestBody"] = {"required": True, "content": {"application/json": {"schema": {"type": "object"}}}}
    answers = {status: _answer(name) for status, name in call["answers"].items()}
    if call.get("stream"):
        answers["200"]["content"]["text/event-stream"] = {"schema": {"type": "string"}}
    return made | {"responses": answers | _refusals(refused, html=call["tag"] == "Pages")}


def _body(name: str) -> Json:
    return {"required": name not in _OPTIONAL_BODIES, "content": _json(name)}


def _answer(name: str | None) -> Json:
    headers = _headers("")
    if name is None:
        return {"description": "Done.", "headers": headers}
    if name in _MEDIA_TYPES:
        return {"description": "As described.", "headers": headers, "content": {_MEDIA_TYPES[name]: {}}}
    made: Json = {"description": name, "headers": headers, "content": _json(name)}
    pointer, calls = _NEXT_CALLS.get(name, ("", ()))
    links = {call: {"operationId": call, "parameters": {"id": f"$response.body#{pointer}"}} for call in calls}
    return made | ({"links": links} if links else {})


def _json(name: str) -> Json:
    return {"application/json": {"schema": {"$ref": SCHEMA_REF + name}}}


def _refusals(codes: Sequence[str], *, html: bool) -> dict[str, Json]:
    """One response for each status; its examples show which codes it may have."""
    by_status: dict[str, dict[str, type[MagiclinkError]]] = {}
    known = errors_by_code()
    for code in codes:
        for kind in known[code]:
            by_status.setdefault(str(kind.status), {}).setdefault(code, kind)
    return {
        status: _refusal(kinds, html=html) | {"headers": _headers(status)}
        for status, kinds in sorted(by_status.items())
    }


def _headers(status: str) -> Json:
    named = [("X-Request-Id", "requestId"), *([_HEADERS_OF_STATUS[status]] if status in _HEADERS_OF_STATUS else ())]
    return {name: {"$ref": f"#/components/headers/{header}"} for name, header in named}


def _refusal(kinds: Mapping[str, type[MagiclinkError]], *, html: bool) -> Json:
    # Several errors share a status, so `code` is narrowed to those that this call can answer.
    schema = {"allOf": [{"$ref": f"{SCHEMA_REF}Problem"}], "properties": {"code": {"enum": list(kinds)}}}
    examples = {code: {"$ref": f"#/components/examples/{code}"} for code in kinds}
    content: Json = {MEDIA_TYPE: {"schema": schema, "examples": examples}}
    description = "; ".join(f"`{code}`: {kind.title}" for code, kind in kinds.items())
    return {"description": description, "content": content | ({"text/html": {}} if html else {})}


def _example(kind: type[MagiclinkError]) -> ProblemJson:
    body: ProblemJson = {
        "type": f"urn:magiclink:error:{kind.code}",
        "title": kind.title,
        "status": kind.status,
        "detail": kind.title,
        "code": kind.code,
        "requestId": "req_3f9a1c5e7b2d4860",
    }
    if kind.code == "invalid_request":
        body["errors"] = [{"pointer": "/sites/0/name", "detail": "string should have at least 1 character"}]
    return body

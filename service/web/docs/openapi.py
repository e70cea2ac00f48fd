"""The API's own description, OpenAPI 3.1: what is sent comes from the bodies, what is answered from the files beside.

`openapi_operations.json` names every call, `openapi_schemas.json` every answer; error codes come from the tree of
errors. Reference: spec.openapis.org/oas/v3.1.1.
"""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from pydantic.json_schema import models_json_schema

from service import __version__
from service.errors import BadSettings, MagiclinkError
from service.web.api.bodies import ClaimConnection, CreateSession, NoFields, Reconnect, VerifyResult
from service.web.api.problems import MEDIA_TYPE
from service.web.pages.bodies import ExitPage, StartPage

Json = dict[str, Any]

_HERE = Path(__file__).parent
BODIES = (CreateSession, Reconnect, ClaimConnection, VerifyResult, StartPage, ExitPage, NoFields)
_REF = "#/components/schemas/"
_PLAIN = {"html": "text/html", "javascript": "text/javascript", "text": "text/plain", "object": "application/json"}
_SHAPES: Mapping[str, Json] = {"array": {"type": "array", "items": {"type": "string"}}}
_INFO = (
    "Connects the utility accounts of your users through the provider, and records which of your users connected "
    "which account: once, for the right user, on evidence."
)


def document(public_url: str) -> Json:
    """The whole description of the service at this address."""
    operations, parts = _read("openapi_operations.json"), _read("openapi_schemas.json")
    schemas: dict[str, Json] = _sent(parts["fields"]) | _answered(parts["schemas"]) | {"Event": _event(parts["events"])}
    schemas["Problem"] = _problem()
    for name, example in parts["examples"].items():
        schemas[name]["examples"] = [example]
    paths: dict[str, Json] = {}
    for name, call in operations["calls"].items():
        method, path = name.split(" ")
        paths.setdefault(path, {})[method.lower()] = _operation(call, operations["refusals"])
    return {
        "openapi": "3.1.0",
        "info": {"title": "magiclink", "version": __version__, "description": _INFO, "license": {"name": "MIT"}},
        "servers": [{"url": public_url}],
        "security": [{"key": []}],
        "tags": operations["tags"],
        "paths": paths,
        "components": {
            "securitySchemes": {"key": {"type": "http", "scheme": "bearer", "description": "An API key."}},
            "parameters": operations["parameters"],
            "headers": {"requestId": {"description": "Of this answer.", "schema": {"type": "string"}}},
            "schemas": schemas,
            "examples": {
                code: {"summary": kinds[0].title, "value": _example(kinds[0])} for code, kinds in errors().items()
            },
        },
    }


def errors() -> dict[str, list[type[MagiclinkError]]]:
    """Every code that a caller may meet, with the errors that bear it."""
    found: dict[str, list[type[MagiclinkError]]] = {}
    for kind in _tree(MagiclinkError):
        only_a_parent = kind.code == MagiclinkError.code and kind is not MagiclinkError
        if not only_a_parent and not issubclass(kind, BadSettings):
            found.setdefault(kind.code, []).append(kind)
    return found


def _tree(kind: type[MagiclinkError]) -> Iterator[type[MagiclinkError]]:
    yield kind
    for narrower in kind.__subclasses__():
        yield from _tree(narrower)


def _read(name: str) -> Json:
    found: Json = json.loads((_HERE / name).read_text(encoding="utf-8"))
    return found


def _sent(fields: Mapping[str, Mapping[str, str]]) -> dict[str, Json]:
    """The shapes of bodies, with what each field means."""
    _, made = models_json_schema(
        [(body, "validation") for body in BODIES], by_alias=True, ref_template=_REF + "{model}"
    )
    shapes = {_public(name): _tidy(shape) for name, shape in made["$defs"].items()}
    for name, shape in shapes.items():
        for field, about in shape.get("properties", {}).items():
            about["description"] = fields[name][field]
    return shapes


def _public(name: str) -> str:
    """The name that a body's part has in the description: `_CompanyBody` is `Company`."""
    return name.strip("_").removesuffix("Body")


def _tidy(part: Any) -> Any:
    """Without generated titles, and with names that are not private."""
    if isinstance(part, list):
        return [_tidy(one) for one in part]
    if not isinstance(part, dict):
        return part
    kept = {name: _tidy(value) for name, value in part.items() if name != "title" or not isinstance(value, str)}
    if "$ref" in kept:
        kept["$ref"] = _REF + _public(kept["$ref"].removeprefix(_REF))
    return kept


def _answered(schemas: Mapping[str, Json]) -> dict[str, Json]:
    return {name: _extended(schema, schemas) for name, schema in schemas.items()}


def _extended(schema: Json, schemas: Mapping[str, Json]) -> Json:
    """A shape that `extends` another has that one's fields too, and is as closed."""
    if "extends" not in schema:
        return schema
    parent = schemas[schema["extends"]]
    return parent | {
        "description": schema["description"],
        "required": [*parent["required"], *schema["required"]],
        "properties": parent["properties"] | schema["properties"],
    }


def _event(events: Mapping[str, Any]) -> Json:
    """An event; `data` depends on its type."""
    described = [{"const": name, "description": words} for name, (words, _) in events.items()]
    nullable = {"type": ["string", "null"]}
    return {
        "type": "object",
        "description": "One thing that happened.",
        "additionalProperties": False,
        "required": ["id", "seq", "type", "at", "sessionId", "connectionId", "userId", "data"],
        "properties": {
            "id": {"type": "string", "pattern": "^evt_", "description": "The same wherever the event is told."},
            "seq": {"type": "integer", "description": "Its place in the order in which readers see events."},
            "type": {"oneOf": described, "description": "What happened."},
            "at": {"type": "string", "format": "date-time", "description": "UTC."},
            "sessionId": nullable | {"description": "Of which session."},
            "connectionId": nullable | {"description": "Of which connection."},
            "userId": nullable | {"description": "Of which user."},
            "data": {"type": "object", "description": "More, by type."},
        },
        "allOf": [_when(name, data) for name, (_, data) in events.items()],
    }


def _when(name: str, data: Mapping[str, str]) -> Json:
    fields = {field: _SHAPES.get(kind, {"type": kind}) for field, kind in data.items()}
    told = {"type": "object", "properties": fields, "additionalProperties": False}
    return {"if": {"properties": {"type": {"const": name}}}, "then": {"properties": {"data": told}}}


def _problem() -> Json:
    """Reference: RFC 9457."""
    pointed = {"pointer": {"type": "string"}, "detail": {"type": "string"}}
    return {
        "type": "object",
        "description": "Every refusal.",
        "additionalProperties": False,
        "required": ["type", "title", "status", "detail", "code", "requestId"],
        "properties": {
            "type": {"type": "string", "format": "uri", "description": "`urn:magiclink:error:<code>`."},
            "title": {"type": "string", "description": "The same for every occurrence of the code."},
            "status": {"type": "integer", "description": "The answer's own."},
            "detail": {"type": "string", "description": "Of this occurrence."},
            "code": {"enum": list(errors()), "description": "For your program; the list is closed."},
            "requestId": {
                "type": ["string", "null"],
                "description": "Also in `X-Request-Id`; tell it when you ask us.",
            },
            "errors": {
                "type": "array",
                "description": "With `invalid_request`: every field that is wrong, as an RFC 6901 pointer.",
                "items": {"type": "object", "additionalProperties": False, "required": ["pointer", "detail"]}
                | {"properties": pointed},
            },
        },
    }


def _operation(call: Json, groups: Mapping[str, list[str]]) -> Json:
    names = [*call.get("parameters", ()), *(["idempotencyKey"] if call.get("once") else ())]
    refused = [code for name in call["refuses"] for code in groups.get(name, [name])]
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
    content = {"application/json": {"schema": {"$ref": _REF + name}}}
    return {"required": name not in {"NoFields", "Reconnect"}, "content": content}


def _answer(name: str | None) -> Json:
    headers = {"X-Request-Id": {"$ref": "#/components/headers/requestId"}}
    if name is None:
        return {"description": "Done.", "headers": headers}
    if name in _PLAIN:
        return {"description": "As described.", "headers": headers, "content": {_PLAIN[name]: {}}}
    return {"description": name, "headers": headers, "content": {"application/json": {"schema": {"$ref": _REF + name}}}}


def _refusals(codes: list[str], *, html: bool) -> dict[str, Json]:
    """One response for each status; its codes are told apart by example."""
    by_status: dict[str, dict[str, type[MagiclinkError]]] = {}
    known = errors()
    for code in codes:
        for kind in known[code]:
            by_status.setdefault(str(kind.status), {}).setdefault(code, kind)
    return {status: _refusal(kinds, html=html) for status, kinds in sorted(by_status.items())}


def _refusal(kinds: Mapping[str, type[MagiclinkError]], *, html: bool) -> Json:
    schema = {"allOf": [{"$ref": f"{_REF}Problem"}], "properties": {"code": {"enum": list(kinds)}}}
    examples = {code: {"$ref": f"#/components/examples/{code}"} for code in kinds}
    content: Json = {MEDIA_TYPE: {"schema": schema, "examples": examples}}
    told = "; ".join(f"`{code}`: {kind.title}" for code, kind in kinds.items())
    return {"description": told, "content": content | ({"text/html": {}} if html else {})}


def _example(kind: type[MagiclinkError]) -> Json:
    """A problem document of this error."""
    body: Json = {
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

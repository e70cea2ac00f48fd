"""The reference page: which rows, values and examples of the OpenAPI document `docs/reference.html` shows. Pure."""

import inspect
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar
from urllib.parse import urlencode

from service.web.api.problems import MEDIA_TYPE, errors_by_code
from service.web.docs.messages import MESSAGES
from service.web.docs.schemas import Json
from service.web.pages.contexts import Page

_JSON = "application/json"
# The keywords of JSON Schema that limit a value from below and from above, and the unit.
_LIMITS: Sequence[tuple[str, str, str]] = (
    ("minLength", "maxLength", " characters"),
    ("minItems", "maxItems", " of them"),
    ("minProperties", "maxProperties", " pairs"),
    ("minimum", "maximum", ""),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One field, parameter or value, and what it means; in texts, code is in backticks."""

    name: str
    kind: str = ""
    required: bool = False
    text: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class CallView:
    """One call. `answers` are pairs of a status and a schema's name; `body` is "" where no field can be sent."""

    anchor: str
    method: str
    path: str
    summary: str
    text: str
    parameters: tuple[Row, ...]
    body: str
    answers: tuple[tuple[str, str], ...]
    codes: tuple[str, ...]
    curl: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ShapeView:
    """One object with its example, or a closed list of values."""

    name: str
    text: str
    rows: tuple[Row, ...]
    example: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ErrorRow:
    """One code."""

    code: str
    statuses: str
    title: str
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class HomePage(Page):
    """The page at `/`: the same for every service, since strangers see it."""

    template: ClassVar[str] = "docs/home.html"


@dataclass(frozen=True, slots=True, kw_only=True)
class DocsPage(Page):
    """The whole page; `groups` are a tag, its description and its calls."""

    template: ClassVar[str] = "docs/reference.html"
    base_url: str
    about: str
    groups: tuple[tuple[str, str, tuple[CallView, ...]], ...]
    words: tuple[ShapeView, ...]
    shapes: tuple[ShapeView, ...]
    errors: tuple[ErrorRow, ...]
    messages: tuple[Row, ...]


def reference_page(spec: Json) -> DocsPage:
    """The page of this OpenAPI document."""
    shapes = spec["components"]["schemas"]
    calls: dict[str, list[CallView]] = {}
    for path, methods in spec["paths"].items():
        for method, operation in methods.items():
            calls.setdefault(operation["tags"][0], []).append(_call(spec, method.upper(), path, operation))
    return DocsPage(
        base_url=spec["servers"][0]["url"],
        about=spec["info"]["description"],
        groups=tuple((tag["name"], tag["description"], tuple(calls[tag["name"]])) for tag in spec["tags"]),
        words=(
            _value_list("SessionStatus", shapes["SessionStatus"], ()),
            _value_list("ConnectionState", shapes["ConnectionState"], ()),
            _value_list("EvidenceKind", shapes["EvidenceKind"], ()),
            _value_list("Waiting", shapes["Waiting"], ()),
            _value_list("EventType", shapes["Event"]["properties"]["type"], shapes["Event"]["allOf"]),
        ),
        shapes=tuple(_shape(name, shape) for name, shape in shapes.items() if shape.get("properties")),
        errors=tuple(_error(code) for code in errors_by_code()),
        messages=tuple(Row(name=name, kind=adds, text=f"{when} {act}") for name, adds, when, act in MESSAGES),
    )


def _call(spec: Json, method: str, path: str, operation: Json) -> CallView:
    responses = operation["responses"]
    # Refusals are shown by their codes.
    answers = {status: one for status, one in responses.items() if MEDIA_TYPE not in _media(one)}
    parameters = [_resolved(spec, one) for one in operation.get("parameters", ())]
    body = _named(_media(operation.get("requestBody", {})))
    return CallView(
        anchor=operation["operationId"],
        method=method,
        path=path,
        summary=operation["summary"],
        text=operation.get("description", ""),
        parameters=tuple(_parameter(one) for one in parameters),
        body=body if spec["components"]["schemas"].get(body, {}).get("properties") else "",
        answers=tuple((status, _named(_media(one))) for status, one in answers.items()),
        codes=tuple(dict.fromkeys(_codes(responses))),
        curl=_curl(spec, method, _filled(path, parameters), body) if path.startswith("/v1/") else "",
    )


def _media(part: Json) -> Mapping[str, Json]:
    found: Mapping[str, Json] = part.get("content", {})
    return found


def _named(media: Mapping[str, Json]) -> str:
    """The name of the JSON schema of a body or an answer; "" where it has none."""
    return str(media.get(_JSON, {}).get("schema", {}).get("$ref", "")).rpartition("/")[2]


def _resolved(spec: Json, part: Json) -> Json:
    found: Json = spec["components"]["parameters"][part["$ref"].rpartition("/")[2]]
    return found


def _codes(responses: Mapping[str, Json]) -> Iterator[str]:
    for response in responses.values():
        yield from _media(response).get(MEDIA_TYPE, {}).get("examples", {})


def _parameter(one: Json) -> Row:
    kind = f"{one['in']}, {kind_of(one['schema'])}"
    return Row(name=one["name"], kind=kind, required=one.get("required", False), text=one["description"])


def _filled(path: str, parameters: Sequence[Json]) -> str:
    """The path with the examples of its parameters."""
    known = [one for one in parameters if "example" in one]
    for one in known:
        path = path.replace(f"{{{one['name']}}}", str(one["example"]))
    query = urlencode([(one["name"], one["example"]) for one in known if one["in"] == "query"])
    return f"{path}?{query}" if query else path


def _curl(spec: Json, method: str, path: str, body: str) -> str:
    """A call that works once the key is filled in; no example holds a quote that the shell would read."""
    verb = "" if method == "GET" else f" -X {method}"
    lines = [f"curl{verb} '{spec['servers'][0]['url']}{path}'", "  -H 'Authorization: Bearer <key>'"]
    if body:
        (example,) = spec["components"]["schemas"][body]["examples"]
        lines += [f"  -H 'Content-Type: {_JSON}'", f"  -d '{json.dumps(example, indent=2, ensure_ascii=False)}'"]
    return " \\\n".join(lines)


def kind_of(schema: Json) -> str:
    """A schema in a few words, such as `string or null` or `list of Reference`."""
    if "$ref" in schema:
        return str(schema["$ref"]).rpartition("/")[2]
    if "enum" in schema or "const" in schema:
        return " | ".join(json.dumps(one) for one in schema.get("enum", [schema.get("const")])) + _default(schema)
    parts = schema.get("anyOf") or schema.get("oneOf")
    if parts:
        one_of = all("const" in part for part in parts)
        return "EventType" if one_of else " or ".join(kind_of(part) for part in parts)
    kinds = schema.get("type", "any")
    text = kinds if isinstance(kinds, str) else " or ".join(kinds)
    return (f"list of {kind_of(schema['items'])}" if "items" in schema else text) + _limits(schema) + _default(schema)


def _limits(schema: Json) -> str:
    limits = [(schema.get(least, 0), schema[most], unit) for least, most, unit in _LIMITS if most in schema]
    return "".join(f", {least} to {most}{unit}" for least, most, unit in limits)


def _default(schema: Json) -> str:
    default = schema.get("default")
    return "" if default in (None, {}) else f", default {json.dumps(default)}"


def _value_list(name: str, shape: Json, conditions: Sequence[Json]) -> ShapeView:
    """A closed list of values; the `conditions` of an event say what its `data` holds for each type."""
    data = {one["if"]["properties"]["type"]["const"]: _data(one["then"]["properties"]["data"]) for one in conditions}
    rows = (Row(name=one["const"], kind=data.get(one["const"], ""), text=one["description"]) for one in shape["oneOf"])
    return ShapeView(name=name, text=shape["description"], rows=tuple(rows))


def _data(shape: Json) -> str:
    return ", ".join(f"{name}: {kind_of(part)}" for name, part in shape["properties"].items()) or "empty"


def _shape(name: str, shape: Json) -> ShapeView:
    required = shape.get("required", ())
    rows = tuple(
        Row(name=field, kind=kind_of(part), required=field in required, text=part.get("description", ""))
        for field, part in shape["properties"].items()
    )
    example = "".join(json.dumps(one, indent=2, ensure_ascii=False) for one in _examples(shape))
    return ShapeView(name=name, text=shape.get("description", ""), rows=rows, example=example)


def _examples(shape: Json) -> Sequence[Any]:
    found: Sequence[Any] = shape.get("examples", ())
    return found


def _error(code: str) -> ErrorRow:
    kinds = errors_by_code()[code]
    return ErrorRow(
        code=code,
        statuses=", ".join(str(status) for status in sorted({kind.status for kind in kinds})),
        title=kinds[0].title,
        text=" ".join(inspect.cleandoc(kinds[0].__doc__ or "").split()),
    )

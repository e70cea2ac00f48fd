"""The component schemas of the API's description, generated from the types of its bodies and answers.

What a type cannot say is added here: the codes of errors, the types of events, and an example of each.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue
from pydantic_core import core_schema

from service.domain.event_types import EVENT_TYPES, EventType
from service.web.api import answers as api_answers
from service.web.api import endpoint_answers, user_answers
from service.web.api.bodies import ClaimConnection, CreateSession, NoFields, Reconnect, VerifyResult
from service.web.api.endpoint_bodies import ChangeEndpoint, CreateEndpoint, ReplaySince
from service.web.api.problems import errors_by_code
from service.web.pages import answers as page_answers
from service.web.pages.bodies import ExitPage, StartPage

Json = dict[str, Any]

BODIES = (
    *(CreateSession, Reconnect, ClaimConnection, VerifyResult, CreateEndpoint, ChangeEndpoint, ReplaySince),
    *(StartPage, ExitPage, NoFields),
)
SCHEMA_REF = "#/components/schemas/"
_EXAMPLES = Path(__file__).parent / "openapi_examples.json"


def component_schemas() -> dict[str, Json]:
    """The schema of every body and answer, and of everything in them, by name."""
    answers = (*api_answers.ANSWERS, *endpoint_answers.ENDPOINT_ANSWERS, *user_answers.ANSWERS, *page_answers.ANSWERS)
    types = [*BODIES, *answers]
    _, made = TypeAdapter.json_schemas(
        [(one.__name__, "validation", TypeAdapter(one)) for one in types],
        ref_template=SCHEMA_REF + "{model}",
        schema_generator=_Generator,
    )
    # Every enum is either written where its fields are, or described value by value.
    schemas = {_public(name): _tidy(one) for name, one in made["$defs"].items() if "enum" not in one}
    enums = {**api_answers.DESCRIBED_ENUMS, **page_answers.DESCRIBED_ENUMS}
    for kind, (description, values) in enums.items():
        schemas[kind.__name__] = {"description": description, "oneOf": _constants(values)}
    schemas["Problem"]["properties"]["code"]["enum"] = list(errors_by_code())
    schemas["Event"]["properties"]["type"]["oneOf"] = _constants({one.name: one.description for one in EVENT_TYPES})
    schemas["Event"]["allOf"] = [_data_of(one) for one in EVENT_TYPES]
    for name, example in json.loads(_EXAMPLES.read_text(encoding="utf-8")).items():
        schemas[name]["examples"] = [example]
    return dict(sorted(schemas.items()))


class _Generator(GenerateJsonSchema):
    """Pydantic's generator, except that answers have no further fields."""

    def typed_dict_schema(self, schema: core_schema.TypedDictSchema) -> JsonSchemaValue:
        return super().typed_dict_schema(schema) | {"additionalProperties": False}


def _constants(descriptions: Mapping[str, str]) -> list[Json]:
    return [{"const": str(value), "description": text} for value, text in descriptions.items()]


def _public(name: str) -> str:
    """The name of a type in the description: `SessionJson` is `Session`, `_CompanyBody` is `Company`."""
    return name.strip("_").removesuffix("Body").removesuffix("Json")


def _tidy(part: Any) -> Any:
    """The schema without pydantic's titles, and with public names in its references."""
    if isinstance(part, list):
        return [_tidy(one) for one in part]
    if not isinstance(part, dict):
        return part
    # A title that is a schema is a property of this name: Problem has one.
    tidy = {name: _tidy(value) for name, value in part.items() if name != "title" or not isinstance(value, str)}
    if "$ref" in tidy:
        tidy["$ref"] = SCHEMA_REF + _public(tidy["$ref"].removeprefix(SCHEMA_REF))
    return tidy


def _data_of(event_type: EventType) -> Json:
    """The condition under which an event's `data` has the fields of this type, and no other."""
    properties = {field: _data_field(kind) for field, kind in event_type.data.items()}
    properties |= {field: {"type": [event_type.data[field], "null"]} for field in event_type.users}
    data = {"type": "object", "properties": properties, "additionalProperties": False}
    return {"if": {"properties": {"type": {"const": event_type.name}}}, "then": {"properties": {"data": data}}}


def _data_field(kind: str) -> Json:
    return {"type": kind, "items": {"type": "string"}} if kind == "array" else {"type": kind}

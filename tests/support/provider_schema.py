"""Checks an answer against the provider's OpenAPI."""

from pathlib import Path
from typing import Any

import httpx
import yaml
from jsonschema import Draft202012Validator, FormatChecker
from referencing import Registry
from referencing.jsonschema import DRAFT202012

DESCRIPTION: dict[str, Any] = yaml.safe_load(
    (Path(__file__).parents[1] / "contract" / "provider-openapi.yaml").read_text()
)
FORMATS = FormatChecker(("uuid", "date", "date-time", "email"))
NAME = "urn:provider"
REGISTRY: Registry[Any] = Registry().with_resource(NAME, DRAFT202012.create_resource(DESCRIPTION)).crawl()


def operations() -> set[tuple[str, str]]:
    """Return every (method, path template) that is described."""
    methods = {"get", "post", "patch", "delete", "put"}
    return {(verb.upper(), path) for path, verbs in DESCRIPTION["paths"].items() for verb in verbs if verb in methods}


def faults_of_answer(method: str, template: str, answer: httpx.Response) -> list[str]:
    """Return what is wrong with an answer; a status that is not described is a fault."""
    responses = DESCRIPTION["paths"][template][method.lower()]["responses"]
    status = next(
        (key for key in (str(answer.status_code), f"{answer.status_code // 100}XX") if key in responses), None
    )
    if status is None:
        return [f"{answer.status_code} is not described"]
    if "$ref" in responses[status]:
        return faults(f"{responses[status]['$ref']}/content/application~1json/schema", answer.json())
    if "content" not in responses[status]:
        return []
    path = template.replace("/", "~1")
    return faults(f"#/paths/{path}/{method.lower()}/responses/{status}/content/application~1json/schema", answer.json())


def faults_of_event(event: str, body: Any) -> list[str]:
    """Return what is wrong with a webhook's body."""
    return faults(f"#/webhooks/{event}/post/requestBody/content/application~1json/schema", body)


def faults(pointer: str, value: Any) -> list[str]:
    """Return the faults of a value under the schema at that JSON pointer."""
    schema = {"$ref": NAME + pointer.replace("{", "%7B").replace("}", "%7D")}
    found = Draft202012Validator(schema, registry=REGISTRY, format_checker=FORMATS).iter_errors(value)
    return [f"{error.json_path}: {error.message[:200]}" for error in found]

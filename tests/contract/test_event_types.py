"""`EVENT_TYPES` is the only list of event types: what describes or builds an event agrees with it."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

from service.domain.event_types import EVENT_TYPES
from service.domain.events import NewEvent
from service.web.docs.openapi import document

ROOT = Path(__file__).parents[2]
TYPES = {one.name: one for one in EVENT_TYPES}
NAME = re.compile(r"(?:session|connection|document|endpoint|user)\.[a-z_]+")


def test_no_other_module_builds_an_event() -> None:
    builders = {path.relative_to(ROOT).as_posix() for path in (ROOT / "service").rglob("*.py") if builds_event(path)}
    assert builders == {"service/domain/events.py"}


def builds_event(path: Path) -> bool:
    calls = (node.func for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Call))
    return any(getattr(call, "id", getattr(call, "attr", None)) == NewEvent.__name__ for call in calls)


def test_the_api_describes_exactly_the_listed_types_and_data() -> None:
    schema = document("https://link.example.com")["components"]["schemas"]["Event"]
    described = {one["const"]: one["description"] for one in schema["properties"]["type"]["oneOf"]}
    data = {
        one["if"]["properties"]["type"]["const"]: one["then"]["properties"]["data"]["properties"]
        for one in schema["allOf"]
    }
    assert described == {one.name: one.description for one in EVENT_TYPES}
    assert {name: {field: kind["type"] for field, kind in fields.items()} for name, fields in data.items()} == {
        one.name: {field: [kind, "null"] if field in one.users else kind for field, kind in one.data.items()}
        for one in EVENT_TYPES
    }


def test_the_readme_lists_every_type_in_the_same_order() -> None:
    (paragraph,) = (one for one in (ROOT / "README.md").read_text().split("\n\n") if "Types: `session." in one)
    built, absent = re.split(r"Not\s+built\s+yet", paragraph)
    assert re.findall(f"`({NAME.pattern})`", built) == list(TYPES)
    assert not set(re.findall(f"`({NAME.pattern})`", absent)) & set(TYPES)


def names_in_scripts() -> Iterator[tuple[str, str]]:
    for path in (ROOT / "service" / "static").glob("*.js"):
        for name in re.findall(rf"""["'`]({NAME.pattern})["'`]""", path.read_text()):
            yield path.name, name


def test_every_type_that_a_script_names_is_listed() -> None:
    unknown = [(script, name) for script, name in names_in_scripts() if name not in TYPES]
    assert unknown == []

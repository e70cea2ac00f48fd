"""README's promises against the code, both ways: what is written exists, and what exists is written."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import MISSING, fields
from functools import cache
from pathlib import Path

import click
import pytest
from starlette.routing import BaseRoute, Mount, Route

from service.app import create_app
from service.commands.main import main
from service.domain.model import EvidenceKind
from service.errors import BadSettings, MagiclinkError
from service.sandbox.settings import VARIABLES
from service.settings import Settings

ROOT = Path(__file__).parents[2]
README = ROOT / "README.md"
CODE = re.compile(r"`([^`]+)`")


@cache
def _text() -> str:
    return README.read_text()


@cache
def _tables() -> dict[str, list[list[str]]]:
    """The cells of every table's rows, by the first cell of its head; tables of one head are one."""
    tables: dict[str, list[list[str]]] = {}
    rows: list[list[str]] = []
    for line in _text().splitlines():
        if not line.startswith("|"):
            rows = []
            continue
        cells = [cell.strip() for cell in re.split(r"(?<!\\)\|", line.strip().strip("|"))]
        if set(line) <= set("|-: "):
            head = rows.pop()[0].lower()
            rows = tables.setdefault(head, [])
        else:
            rows.append(cells)
    return tables


def _named(head: str) -> list[str]:
    """Everything in backticks in the first column."""
    return [code for row in _tables().get(head, []) for code in CODE.findall(row[0])]


def _errors(kind: type[MagiclinkError] = MagiclinkError) -> Iterator[type[MagiclinkError]]:
    yield kind
    for narrower in kind.__subclasses__():
        yield from _errors(narrower)


def test_readme_is_short_enough_to_be_read() -> None:
    assert 0 < len(_text().splitlines()) <= 250


def test_every_link_and_picture_of_the_readme_is_there() -> None:
    targets = re.findall(r"\]\(([^)\s]+)\)", _text()) + re.findall(r'(?:src|srcset|href)="([^"]+)"', _text())
    files = [target.split("#")[0] for target in targets if not re.match(r"\w+:|#", target)]
    assert [name for name in files if not (ROOT / name).exists()] == []


def test_every_anchor_of_the_readme_is_a_heading() -> None:
    headings = re.findall(r"^#+ (.+)$", _text(), re.MULTILINE)
    anchors = {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}
    assert set(re.findall(r"\]\(#([^)]+)\)", _text())) - anchors == set()


def test_the_settings_table_names_every_setting_and_no_other() -> None:
    ours = {f"MAGICLINK_{each.name.upper()}" for each in fields(Settings)}
    assert sorted(_named("setting")) == sorted(ours | set(VARIABLES))


@pytest.mark.parametrize(
    "name", [each.name for each in fields(Settings) if each.default not in {MISSING, None, (), False}]
)
def test_the_settings_table_names_the_default(name: str) -> None:
    (row,) = (row for row in _tables()["setting"] if f"`MAGICLINK_{name.upper()}`" in row[0])
    (default,) = (each.default for each in fields(Settings) if each.name == name)
    assert f"`{default}`" in " ".join(row[1:])


def test_the_codes_table_names_every_error_code_with_its_status() -> None:
    reported = {kind for kind in _errors() if kind.code != MagiclinkError.code} | {MagiclinkError}
    expected = {(kind.code, kind.status) for kind in reported if not issubclass(kind, BadSettings)}
    written = {
        (code, int(status))
        for row in _tables()["code"]
        for code in CODE.findall(row[0])
        for status in re.findall(r"\b\d{3}\b", row[1])
    }
    assert written == expected


def test_the_evidence_table_names_every_kind_of_evidence() -> None:
    assert sorted(_named("evidence")) == sorted(EvidenceKind)


def test_the_commands_table_names_every_command_and_no_other() -> None:
    written = {code for code in _named("command") if code.startswith("magiclink ")}
    assert {re.split(r" (?=[-A-Z])", code)[0] for code in written} == set(_commands(main, "magiclink"))


def _commands(group: click.Group, path: str) -> Iterator[str]:
    for name, command in group.commands.items():
        if isinstance(command, click.Group):
            yield from _commands(command, f"{path} {name}")
            yield from [f"{path} {name}"] if command.invoke_without_command else []
        elif not command.hidden:
            yield f"{path} {name}"


def test_the_calls_table_names_every_route_and_no_other() -> None:
    settings = Settings(secret_keys=("k" * 32,), public_url="http://localhost", provider_api_key="key")
    served = set(_served(create_app(settings).routes))
    written = {re.sub(r"\{\w+\}", "{}", call.split("?")[0]) for call in _named("call")}
    assert written - served == set()
    assert served - written - _forms_of_our_own_pages(served) == set()


def _served(routes: Sequence[BaseRoute], prefix: str = "") -> Iterator[str]:
    for route in routes:
        if isinstance(route, Mount):
            yield from _served(route.routes or (), prefix + route.path)
        elif isinstance(route, Route):
            path = re.sub(r"\{\w+(:\w+)?\}", "{}", prefix + route.path)
            yield from (f"{method} {path}" for method in (route.methods or set()) - {"HEAD"})


def _forms_of_our_own_pages(served: set[str]) -> set[str]:
    """What only our own pages post; nobody else has the key of the page."""
    return {
        call for call in served if call.startswith("POST ") and not call.startswith(("POST /v1/", "POST /webhooks/"))
    }

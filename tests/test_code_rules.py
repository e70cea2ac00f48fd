"""Rules that no linter knows: sizes, unique class names, mirrored tests, references that resolve, banned words."""

import ast
import json
import re
from collections import Counter
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from statistics import median, quantiles
from urllib.parse import urlsplit

import pytest

ROOT = Path(__file__).parents[1]
SERVICE = ROOT / "service"
TESTS = ROOT / "tests"
TEXTS = {".py", ".js", ".css", ".html", ".sql", ".md", ".toml", ".yaml", ".yml", ".svg", ".txt", ".json", ""}
PLACES = ("service", "templates", "tests", "scripts", "clients", "docs", ".ci", ".github")
LOCKS = {"package-lock.json"}  # they name the public registry, which their own test allows
MADE = {"node_modules", "built"}  # folders of what was installed or put together here
FILES_WITHOUT_SUFFIX = {"Makefile", "Procfile", "Dockerfile", "LICENSE"}
ROOT_ENTRIES = 10

# Tests of a module are `tests/<folder>/test_<module>*.py`; these have theirs elsewhere, and why.
COVERED_ELSEWHERE = {
    "app": "composition: every integration test builds it",
    "background/loops": "test_worker_stop, and every process that integration/ starts and stops",
    "__main__": "one call; the wheel's test runs it",
    "usecases": "whole use cases, on two databases, in integration/",
    "web": "a file for each use case in integration/, every route in contract/",
    "domain/changes": "values",
    "domain/draft": "recording's tests",
    "domain/event_json": "integration/test_deliveries and everything that reads events",
    "domain/event_types": "contract/test_event_types",
    "domain/reports": "values",
    "domain/requests": "values",
    "domain/runtime": "values",
    "domain/tokens": "signing's tests",
    "outbound/network": "the sender's tests",
    "domain/user_records": "values",
    "provider/client": "provider/ and contract/",
    "store/activity": "companies' tests",
    "store/delivery_rows": "deliveries' tests",
    "store/dialects": "the engine's tests",
    "store/own_invitations": "connections' tests",
    "telemetry": "test_logs and test_metrics",
    "sandbox": "sandbox/ and contract/",
    "demo": "demo/ and browser/",
    "commands": "commands/, and run whole in integration/",
}
SUPPORT_ONLY = re.compile(r"(?:from|import) tests(?:\.\w+)*(?: import \(?\s*|\.)(?:test_\w+|conftest)\b")

BANNED = {
    "unfinished work": r"\b(?:TODO|FIXME|XXX)\b",
    "a path of one machine": r"(?<![\w.])/(?:work|tmp|root|home)/(?=\w)",
    "a package index's host": r"pypi\.org|pythonhosted|npmjs\.org|deb\.debian",
    "papers that are not here": r"\bshared/|\bissues? #?\d",
}
NAMES_THAT_SAY_NOTHING = re.compile(
    r"(?:^|_)(?:utils?|helpers?|managers?|base|common|misc)$|(?:Utils?|Manager|Helper|Base)$"
)
BLOCKING_CALL = re.compile(
    r"httpx\.(?:Client|get|post|put|delete|request|stream)\b|\burllib\.request|\bhttp\.client|\brequests\.|"
    r"\basyncio\.run\(|\brun_until_complete|\brun_coroutine_threadsafe"
)
DOC_PATH = re.compile(r"\bdocs/[\w-]+\.md\b|\btests/[\w/]+\.py\b|\bservice/[\w/]+\.(?:py|js|sql)\b")


def _python(*folders: str) -> list[Path]:
    return sorted(path for folder in folders for path in (ROOT / folder).rglob("*.py"))


def _texts() -> Iterator[Path]:
    top = (path for path in ROOT.iterdir() if path.suffix in TEXTS - {""} or path.name in FILES_WITHOUT_SUFFIX)
    nested = (path for place in PLACES for path in (ROOT / place).rglob("*") if path.suffix in TEXTS)
    ours = (path for path in (*top, *nested) if path.name not in LOCKS and not MADE.intersection(path.parts))
    return (path for path in ours if path.is_file() and path != Path(__file__))


@cache
def _definitions(path: Path) -> tuple[ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef, ...]:
    kinds = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef
    return tuple(node for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, kinds))


def _functions(path: Path) -> Iterator[tuple[str, int]]:
    for node in _definitions(path):
        if not isinstance(node, ast.ClassDef):
            yield f"{path.relative_to(ROOT)}:{node.lineno} {node.name}", (node.end_lineno or 0) - node.lineno + 1


def _classes(path: Path) -> Iterator[str]:
    return (node.name for node in _definitions(path) if isinstance(node, ast.ClassDef))


def test_no_file_has_more_than_300_lines() -> None:
    files = {*_python("service", "tests"), *SERVICE.rglob("*.js"), *SERVICE.rglob("*.css")}
    sizes = {str(path.relative_to(ROOT)): len(path.read_text().splitlines()) for path in files}
    assert {name: size for name, size in sizes.items() if size > 300} == {}


def test_no_function_has_more_than_40_lines() -> None:
    functions = [each for path in _python("service", "tests") for each in _functions(path)]
    assert [each for each in functions if each[1] > 40] == []


def test_functions_are_small_as_a_rule() -> None:
    lengths = [length for path in _python("service") for _, length in _functions(path)]
    figures = f"median {median(lengths)}, nine in ten up to {quantiles(lengths, n=10)[-1]:.0f} lines"
    assert median(lengths) <= 8, figures
    assert quantiles(lengths, n=10)[-1] <= 20, figures


def test_the_package_shows_its_kinds_of_code_and_little_else() -> None:
    modules = {path.name for path in SERVICE.iterdir() if path.is_file()}
    assert len(modules) <= ROOT_ENTRIES, modules


def test_every_folder_says_in_its_first_line_what_lives_there() -> None:
    silent = []
    for path in SERVICE.rglob("__init__.py"):
        first = (ast.get_docstring(ast.parse(path.read_text())) or "").partition("\n")[0]
        if not first.endswith((".", ":")):
            silent.append(str(path.relative_to(ROOT)))
    assert silent == []


def test_no_statement_has_a_parameter_as_the_pattern_of_a_like() -> None:
    # SQLite plans such a statement anew each time: writing an event took three times as long.
    # Reference: sqlite.org/c3ref/prepare.html, point 3.
    slow = [
        path.name for path in (SERVICE / "store").glob("*.py") if re.search(r"LIKE :\w+\b(?! *\|\|)", path.read_text())
    ]
    assert slow == []


def test_a_class_name_exists_once() -> None:
    names = Counter(name for path in _python("service") for name in _classes(path))
    assert {name: number for name, number in names.items() if number > 1} == {}


def test_every_module_has_tests_under_its_own_name() -> None:
    missing = []
    for path in _python("service"):
        name = path.relative_to(SERVICE).with_suffix("").as_posix()
        if path.name == "__init__.py" or any(name == one or name.startswith(f"{one}/") for one in COVERED_ELSEWHERE):
            continue
        folder, _, stem = name.rpartition("/")
        if not list((TESTS / folder).glob(f"test_{stem}*.py")):
            missing.append(name)
    assert missing == []


def test_the_list_of_modules_covered_elsewhere_names_only_what_exists() -> None:
    gone = [name for name in COVERED_ELSEWHERE if not list(SERVICE.glob(f"{name}*"))]
    assert gone == []


def test_no_network_call_happens_within_a_transaction() -> None:
    """A unit is a plain function in a thread: it could call only by a client that blocks, or by a loop of its own."""
    found = [
        f"{path.relative_to(ROOT)}: {name}"
        for path in _python("service")
        if path.relative_to(SERVICE).parts[0] not in {"commands", "demo", "sandbox"}
        for name in BLOCKING_CALL.findall(path.read_text())
    ]
    assert found == []


def test_no_test_file_imports_another() -> None:
    found = [str(path.relative_to(ROOT)) for path in _python("tests") if SUPPORT_ONLY.search(path.read_text())]
    assert found == []


def test_no_module_and_no_class_has_a_name_that_says_nothing() -> None:
    names = [
        f"{path.relative_to(ROOT)}: {name}"
        for path in _python("service", "tests")
        for name in (path.stem, *_classes(path))
        if NAMES_THAT_SAY_NOTHING.search(name)
    ]
    assert names == []


def test_every_path_that_is_named_in_a_text_exists() -> None:
    dangling = [
        f"{path.relative_to(ROOT)}: {name}"
        for path in _texts()
        if path.name != "CHANGELOG.md" and "released" not in path.parts
        for name in DOC_PATH.findall(path.read_text())
        if not (ROOT / name).exists()
    ]
    assert dangling == []


def test_every_test_that_is_named_in_a_document_exists() -> None:
    named = {name for path in (ROOT / "docs").glob("*.md") for name in re.findall(r"`(test_\w+)`", path.read_text())}
    defined = {name for path in _python("tests") for name in re.findall(r"def (test_\w+)\(", path.read_text())}
    assert named - defined == set()


def test_a_docstring_can_be_read_alone() -> None:
    pattern = re.compile(r'"""See (?:the module|Engine|`)')
    found = [str(path.relative_to(ROOT)) for path in _python("service") if pattern.search(path.read_text())]
    assert found == []


@pytest.mark.parametrize("kind", BANNED)
def test_the_project_speaks_of_itself_alone(kind: str) -> None:
    pattern = re.compile(BANNED[kind])
    found = [
        f"{path.relative_to(ROOT)}:{number}: {line.strip()[:100]}"
        for path in _texts()
        for number, line in enumerate(path.read_text().splitlines(), 1)
        if pattern.search(line)
    ]
    assert found == []


def test_the_lock_file_names_only_the_public_index() -> None:
    lock = (ROOT / "uv.lock").read_text()
    assert set(re.findall(r'= "(\w+)://', lock)) == {"https"}
    assert set(re.findall(r"source = \{ (\w+) =", lock)) == {"registry", "editable"}
    assert len(set(re.findall(r'registry = "([^"]+)"', lock))) == 1


def test_the_lock_file_of_node_packages_names_only_the_public_registry_and_digests() -> None:
    packages = json.loads((TESTS / "node" / "package-lock.json").read_text())["packages"]
    locked = [one for name, one in packages.items() if name]
    assert {urlsplit(one["resolved"])[:2] for one in locked} == {("https", "registry.npmjs.org")}
    assert all(one["integrity"].startswith("sha512-") for one in locked)

"""The rules of the house that no linter knows: sizes, mirrors, names, and words that have no business here."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from statistics import median, quantiles

import pytest

ROOT = Path(__file__).parents[2]
SERVICE = ROOT / "service"
UNIT = ROOT / "tests" / "unit"
TEXTS = {".py", ".js", ".css", ".html", ".sql", ".md", ".toml", ".yaml", ".yml", ".svg", ".txt", ".json", ""}
PLACES = ("service", "templates", "tests", "scripts", "clients", "docs", ".ci", ".github")
FILES_WITHOUT_SUFFIX = {"Makefile", "Procfile", "Dockerfile", "LICENSE"}

STORIES = ("sessions", "handoff", "links", "places", "connections", "intake", "keys")
COVERED_ELSEWHERE = dict.fromkeys(STORIES, "stories: told whole, on two databases, in integration/") | {
    "__init__": "holds the version, which the wheel's test reads",
    "__main__": "one call; the wheel's test runs it",
    "app": "composition: every integration test builds it",
    "cli": "commands are run whole in integration/",
    "sandbox": "a program of its own: tests/sandbox/ and contract/",
    "demo": "a program of its own: tests/demo/",
    "street": "composition of three apps: integration/ and browser/ run it",
    "web": "doors: a file for each of their stories in integration/",
}

BANNED = {
    "unfinished work": r"\b(?:TODO|FIXME|XXX)\b",
    "a path of one machine": r"(?<![\w.])/(?:work|tmp|root|home)/(?=\w)",
    "a package index's host": r"pypi\.org|pythonhosted|npmjs\.org|deb\.debian",
    "papers that are not here": r"\bshared/|\bissues? #?\d",
}
NAMES_THAT_SAY_NOTHING = re.compile(
    r"(?:^|_)(?:utils?|helpers?|managers?|base|common|misc)$|(?:Utils?|Manager|Helper|Base)$"
)


def _python(*folders: str) -> list[Path]:
    return sorted(path for folder in folders for path in (ROOT / folder).rglob("*.py"))


def _texts() -> Iterator[Path]:
    top = (path for path in ROOT.iterdir() if path.suffix in TEXTS - {""} or path.name in FILES_WITHOUT_SUFFIX)
    nested = (path for place in PLACES for path in (ROOT / place).rglob("*") if path.suffix in TEXTS)
    return (path for path in (*top, *nested) if path.is_file() and path != Path(__file__))


def _functions(path: Path) -> Iterator[tuple[str, int]]:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield f"{path.relative_to(ROOT)}:{node.lineno} {node.name}", (node.end_lineno or 0) - node.lineno + 1


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


def test_every_module_has_its_unit_tests_under_its_own_name() -> None:
    modules = {path.stem for path in SERVICE.iterdir() if path.suffix == ".py" or (path / "__init__.py").is_file()}
    tested = {path.name for path in UNIT.iterdir() if path.is_dir()}
    tested |= {path.stem.removeprefix("test_") for path in UNIT.glob("test_*.py")}
    missing = {name for name in modules - COVERED_ELSEWHERE.keys() if not _mirrored(name, tested)}
    assert missing == set()


def _mirrored(module: str, tested: set[str]) -> bool:
    """A large module's tests may be several files: `test_store.py`, `test_store_events.py`."""
    return any(name == module or name.startswith(f"{module}_") for name in tested)


def test_every_unit_test_mirrors_a_module() -> None:
    modules = {path.stem for path in SERVICE.rglob("*") if path.suffix == ".py" or path.is_dir()} | {"house_rules"}
    tests = {path.stem.removeprefix("test_") for path in UNIT.rglob("test_*.py")}
    assert {name for name in tests if not any(_mirrored(module, {name}) for module in modules)} == set()


def test_the_list_of_modules_covered_elsewhere_names_only_modules_that_exist() -> None:
    gone = [
        name for name in COVERED_ELSEWHERE if not (SERVICE / f"{name}.py").exists() and not (SERVICE / name).is_dir()
    ]
    assert gone == []


def test_no_module_and_no_class_has_a_name_that_says_nothing() -> None:
    names = []
    for path in _python("service", "tests"):
        classes = (node.name for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.ClassDef))
        names += [
            f"{path.relative_to(ROOT)}: {name}" for name in (path.stem, *classes) if NAMES_THAT_SAY_NOTHING.search(name)
        ]
    assert names == []


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

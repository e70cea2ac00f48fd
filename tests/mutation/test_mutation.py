"""The mutants and the list of survivors themselves; `make mutants` tries them all."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.mutation.__main__ import MODULES
from tests.mutation.changes import Mutant, mutants
from tests.mutation.explained import as_toml, faults, read_explanations
from tests.mutation.trials import ROOT

SOURCE = '''"""A module."""

LIMIT = 5  # of them


def few(count: int = 2, *, name: str = "") -> bool:
    """How many."""
    if count > LIMIT and name != "all":
        raise ValueError("too many")
    return any([count <= 1, name])
'''
ONE = Mutant("few", "return count < LIMIT", "return count <= LIMIT")


def changed(function: str) -> set[str]:
    return {mutant.becomes for mutant in mutants(SOURCE) if mutant.function == function}


def test_limits_outside_of_functions_are_moved_both_ways_and_their_comments_are_no_part_of_the_name() -> None:
    assert {each for each in mutants(SOURCE) if not each.function} == {
        Mutant("", "LIMIT = 5", "LIMIT = 6"),
        Mutant("", "LIMIT = 5", "LIMIT = 4"),
    }


def test_conditions_boundaries_values_and_statements_are_changed_one_at_a_time() -> None:
    assert changed("few") >= {
        'if count >= LIMIT and name != "all":',
        'if count <= LIMIT and name != "all":',
        "if (count > LIMIT or name != 'all'):",
        "if (count > LIMIT):",
        """if count > LIMIT and name != '':""",
        "pass",
        "return None",
        "return all([count <= 1, name])",
        "return any([count < 1, name])",
        'def few(count: int = 3, *, name: str = "") -> bool:',
    }


def test_annotations_docstrings_and_the_wording_of_errors_are_left_alone() -> None:
    assert not any("How" in text or "too" in text or "A module" in text for text in changed("few") | changed(""))


@pytest.mark.parametrize("module", list(MODULES))
def test_every_mutant_of_a_module_can_be_compiled_and_is_another(module: str) -> None:
    source = (ROOT / "service" / f"{module}.py").read_text()
    made = mutants(source)
    assert len(made) > 40
    assert source not in made.values()
    for text in made.values():
        compile(text, module, "exec")


def test_an_edit_elsewhere_leaves_a_mutant_its_name() -> None:
    assert set(mutants(SOURCE.replace("LIMIT = 5", "OTHER = 1\n\nLIMIT = 5"))) > set(mutants(SOURCE))


def test_a_survivor_that_is_not_explained_is_a_fault_and_so_is_an_explanation_without_a_survivor() -> None:
    assert faults([ONE], [ONE]) == []
    assert [fault.partition(":")[0] for fault in faults([ONE], [])] == ["survives, unexplained"]
    assert len(faults([], [ONE])) == 1


def test_what_is_printed_can_be_pasted_and_needs_a_reason(tmp_path: Path) -> None:
    path = tmp_path / "survivors.toml"
    path.write_text(as_toml(ONE))
    with pytest.raises(ValueError, match="without a reason"):
        read_explanations(path)
    path.write_text(as_toml(ONE).replace('why = ""', 'why = "It is the same."'))
    assert read_explanations(path) == {ONE: "It is the same."}


def test_every_explanation_is_of_a_mutant_that_exists() -> None:
    made = {each for module in MODULES for each in mutants((ROOT / "service" / f"{module}.py").read_text())}
    assert set(read_explanations()) - made == set()


ALIVE = """
from tests.mutation.trials import Tests
for tests in ("domain/test_statuses", "test_metrics"):
    trial = Tests("domain/statuses", (tests,)).try_mutants("needs_attention", processes=2)
    print(len(trial.tried), len(trial.survivors))
"""


def test_a_modules_own_tests_kill_its_mutants_and_those_of_another_module_do_not() -> None:
    """In a process of its own, which may fork and wait as it likes."""
    environ = {name: value for name, value in os.environ.items() if not name.startswith(("COV", "PYTEST"))}
    command = [sys.executable, "-c", ALIVE]
    reported = subprocess.run(command, cwd=ROOT, env=environ, capture_output=True, text=True, check=False)
    assert reported.stdout.splitlines() == ["2 0", "2 2"], reported.stderr

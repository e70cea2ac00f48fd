"""docs/security.md: every item of the standard's levels 1 and 2 has an answer, and every test that it names exists."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "docs" / "security.md").read_text()
ROWS = re.findall(r"^\| (\d+\.\d+\.\d+) \| ([^|]+) \| ([^|]+) \|$", TEXT, re.MULTILINE)
KINDS = ("Shown: ", "By design: ", "Operator: ", "Does not apply: ", "Not met: ")
# Reference: OWASP ASVS 5.0.0; how many items of levels 1 and 2 each section has. They come before those of level 3.
ITEMS = {
    "1.1": 2,
    "1.2": 9,
    "1.3": 11,
    "1.4": 3,
    "1.5": 2,
    "2.1": 3,
    "2.2": 3,
    "2.3": 4,
    "2.4": 1,
    "3.2": 2,
    "3.3": 4,
    "3.4": 6,
    "3.5": 5,
    "3.7": 2,
    "4.1": 3,
    "4.2": 1,
    "4.3": 2,
    "4.4": 4,
    "5.1": 1,
    "5.2": 3,
    "5.3": 2,
    "5.4": 3,
    "6.1": 3,
    "6.2": 12,
    "6.3": 4,
    "6.4": 4,
    "6.5": 5,
    "6.6": 3,
    "6.8": 4,
    "7.1": 3,
    "7.2": 4,
    "7.3": 2,
    "7.4": 5,
    "7.5": 2,
    "7.6": 2,
    "8.1": 2,
    "8.2": 3,
    "8.3": 1,
    "8.4": 1,
    "9.1": 3,
    "9.2": 4,
    "10.1": 2,
    "10.2": 2,
    "10.3": 4,
    "10.4": 11,
    "10.5": 5,
    "10.6": 2,
    "10.7": 3,
    "11.1": 2,
    "11.2": 3,
    "11.3": 3,
    "11.4": 4,
    "11.5": 1,
    "11.6": 1,
    "12.1": 3,
    "12.2": 2,
    "12.3": 4,
    "13.1": 1,
    "13.2": 5,
    "13.3": 2,
    "13.4": 5,
    "14.1": 2,
    "14.2": 4,
    "14.3": 3,
    "15.1": 3,
    "15.2": 3,
    "15.3": 7,
    "16.1": 1,
    "16.2": 5,
    "16.3": 4,
    "16.4": 3,
    "16.5": 3,
    "17.1": 1,
    "17.2": 4,
    "17.3": 2,
}


def _defined() -> set[str]:
    files = (ROOT / "tests").rglob("test_*.py")
    return {
        name for path in files for name in re.findall(r"^(?:async )?def (test_\w+)\(", path.read_text(), re.MULTILINE)
    }


def test_every_item_of_the_standard_has_one_answer_in_the_standards_order() -> None:
    expected = [f"{section}.{number}" for section, most in ITEMS.items() for number in range(1, most + 1)]
    assert len(expected) == 253
    assert [item for item, _, _ in ROWS] == expected


@pytest.mark.parametrize(
    ("item", "answer"), [(item, answer) for item, _, answer in ROWS], ids=lambda one: str(one)[:20]
)
def test_an_answer_names_tests_that_exist_or_gives_a_reason(item: str, answer: str) -> None:
    kind = next((one for one in KINDS if answer.startswith(one)), None)
    assert kind is not None, item
    named = set(re.findall(r"`(test_\w+)`", answer))
    assert bool(named) or kind != "Shown: ", item
    assert len(answer.removeprefix(kind)) >= 8, item
    assert named - _DEFINED == set(), item


_DEFINED = _defined()

"""Survivors that change nothing that a test could notice, each with the sentence that says why: `survivors.toml`."""

import tomllib
from collections.abc import Iterable
from pathlib import Path

from tests.mutation.changes import Mutant

EXPLANATIONS = Path(__file__).with_name("survivors.toml")


def read_explanations(path: Path = EXPLANATIONS) -> dict[Mutant, str]:
    """Why each one survives. Raises ValueError where one has no sentence."""
    found: dict[Mutant, str] = {}
    for entry in tomllib.loads(path.read_text())["survivor"]:
        if not entry["why"].strip():
            raise ValueError(f"{entry['function']}: a survivor without a reason: {entry['line']}")
        for becomes in entry["becomes"]:
            found[Mutant(entry["function"], entry["line"], becomes)] = entry["why"]
    return found


def faults(survivors: Iterable[Mutant], explained: Iterable[Mutant]) -> list[str]:
    """Survivors that nothing explains, and explanations of mutants that are killed or gone."""
    alive, known = set(survivors), set(explained)
    return [
        *(f"survives, unexplained:\n{as_toml(one)}" for one in sorted(alive - known)),
        *(f"explained, but it does not survive any more:\n{as_toml(one)}" for one in sorted(known - alive)),
    ]


def as_toml(one: Mutant) -> str:
    """As it would stand in the file, to be finished by hand."""
    return (
        f"[[survivor]]\nfunction = {_quoted(one.function)}\nline = {_quoted(one.line)}\n"
        f'becomes = [{_quoted(one.becomes)}]\nwhy = ""'
    )


def _quoted(text: str) -> str:
    return f"'''{text}'''" if "'" in text else f"'{text}'"

"""The languages of the end user's pages: English, and one catalogue for each other in `templates/languages`.

A catalogue is a JSON object from each English sentence to its translation. A sentence that it lacks stays English. A
test checks that no sentence is missing.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path

from service.domain.languages import ENGLISH


@dataclass(frozen=True, slots=True, eq=False)
class Language:
    """One language: its code, as in `<html lang>`, and its texts by their English."""

    code: str = ENGLISH
    texts: Mapping[str, str] = field(default_factory=dict)

    def say(self, text: str, **values: object) -> str:
        """Return the text in this language, with values in place of its `%(names)s`; it is text, and not markup."""
        said = self.texts.get(text, text)
        return said % values if values else said


def templates_folder() -> Path:
    """The templates are beside the package in the repository, and inside it in the wheel."""
    here = Path(__file__).parents[1]
    shipped = here / "templates"
    return shipped if shipped.is_dir() else here.parent / "templates"


@lru_cache(maxsize=1)
def languages() -> Mapping[str, Language]:
    """Return every language by its code, English first."""
    files = sorted((templates_folder() / "languages").glob("*.json"))
    others = [Language(file.stem, json.loads(file.read_text("utf-8"))) for file in files]
    return {one.code: one for one in (Language(), *others)}

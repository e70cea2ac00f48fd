"""Renders pages. What is the same for every session is rendered once, and kept.

The page before its start differs between sessions only in a few texts: names and paths. Its template decides nothing by
them except whether there is one. So it is rendered once with a mark in place of each text, and afterwards each request
puts its own texts, escaped, between the parts.
"""

import re
from functools import lru_cache
from typing import Any, Final

from jinja2 import Environment
from markupsafe import escape

from service.web.pages.contexts import Page

# Characters for private use, which no template contains. Texts of sessions are never searched for them.
_OPEN, _CLOSE = "\ue000", "\ue001"
_MARK: Final = re.compile(f"{_OPEN}([a-z_]+){_CLOSE}")
# A page has a few forms: one for each language, for each set of texts that it has, and so on.
_FORMS = 256

# The parts around the texts, and between every two of them the name of the field whose text stands there.
Parts = tuple[str, ...]
Fields = tuple[tuple[str, Any], ...]


class PageRenderer:
    """Renders the pages of `contexts`; a template gets the fields of its page and nothing else."""

    def __init__(self, environment: Environment) -> None:
        self._environment = environment
        self._parts = lru_cache(maxsize=_FORMS)(self._render_parts)

    def render(self, page: Page) -> str:
        """Return the page's HTML."""
        names = type(page).__dataclass_fields__
        if not page.printed:
            return self._render(page.template, {name: getattr(page, name) for name in names})
        texts = {name: str(escape(text)) for name in page.printed if (text := getattr(page, name))}
        others = tuple((name, getattr(page, name)) for name in names if name not in texts)
        parts = self._parts(page.template, others, tuple(texts))
        return "".join(texts[part] if at % 2 else part for at, part in enumerate(parts))

    def _render_parts(self, template: str, others: Fields, printed: tuple[str, ...]) -> Parts:
        marks = {name: f"{_OPEN}{name}{_CLOSE}" for name in printed}
        return tuple(_MARK.split(self._render(template, dict(others) | marks)))

    def _render(self, template: str, fields: dict[str, Any]) -> str:
        return self._environment.get_template(template).render(fields)

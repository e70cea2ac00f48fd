"""Renders pages. What is the same for every session is rendered once, and kept.

The page before its start differs between sessions only in a few texts: names and paths. Its template prints them, or
tests whether they are present, and does nothing else with them. So it is rendered once with a mark in place of each
text; each request then puts its own texts, escaped, in place of the marks.
"""

import re
from collections import OrderedDict
from collections.abc import Collection, Mapping
from typing import Any

from jinja2 import Environment
from markupsafe import escape

from service.web.pages.contexts import Page

# Characters for private use, which no template contains. Texts of sessions are never searched for them.
_OPEN, _CLOSE = "\ue000", "\ue001"
# A page has a few forms: one for each language, for each set of texts that it has, and so on.
_FORMS = 256

# The part before the first text, and for each text the name of its field and the part that follows it.
Parts = tuple[bytes, tuple[tuple[str, bytes], ...]]
Form = tuple[object, ...]


class PageRenderer:
    """Renders the pages of `contexts`; a template gets the fields of its page and nothing else."""

    def __init__(self, environments: Mapping[str, Environment]) -> None:
        """`environments` are by the language in which each renders."""
        self._environments = environments
        self._kept: OrderedDict[Form, Parts] = OrderedDict()  # the form that was used last is the last

    def render(self, page: Page) -> str:
        """Return the page's HTML."""
        return self.encoded(page).decode()

    def encoded(self, page: Page) -> bytes:
        """Return the page's HTML in UTF-8; what is kept of it is kept encoded."""
        if not page.printed:
            return self._render(page, _fields(page)).encode()
        texts = {name: str(escape(text)).encode() for name in page.printed if (text := getattr(page, name))}
        begin, others = self._parts(page, texts.keys())
        return begin + b"".join([texts[name] + after for name, after in others])

    def _parts(self, page: Page, printed: Collection[str]) -> Parts:
        form = _form(page, printed)
        parts = self._kept.pop(form, None) or self._render_parts(page, printed)
        self._kept[form] = parts
        if len(self._kept) > _FORMS:
            self._kept.popitem(last=False)
        return parts

    def _render_parts(self, page: Page, printed: Collection[str]) -> Parts:
        marks = {name: f"{_OPEN}{name}{_CLOSE}" for name in printed}
        # Only the names of this page's texts: the host's own name may hold something that looks like a mark.
        mark = re.compile(f"{_OPEN}({'|'.join(printed)}){_CLOSE}")
        first, *others = mark.split(self._render(page, _fields(page) | marks))
        found = zip(others[::2], others[1::2], strict=True)
        return first.encode(), tuple((name, after.encode()) for name, after in found)

    def _render(self, page: Page, fields: dict[str, Any]) -> str:
        return self._environments[page.lang].get_template(page.template).render(fields)


def _fields(page: Page) -> dict[str, Any]:
    return {name: getattr(page, name) for name in type(page).__dataclass_fields__}


def _form(page: Page, printed: Collection[str]) -> Form:
    """What decides on the constant parts: which texts there are, and each other field with a value of its own."""
    others = [
        (name, _hashable(value))
        for name, field in type(page).__dataclass_fields__.items()
        if name not in printed and (value := getattr(page, name)) is not field.default
    ]
    return page.template, *sorted(printed), *others


def _hashable(value: object) -> object:
    return tuple(sorted(value.items())) if isinstance(value, Mapping) else value

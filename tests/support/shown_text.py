"""The text that a page without a script shows: what is in no hidden element and in no template."""

from html.parser import HTMLParser

_VOID = {"area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "source", "track", "wbr"}

_INLINE = {"a", "b", "bdi", "code", "em", "small", "span", "strong", "time"}


def shown_text(html: str) -> str:
    """Return the text of a page with one space for all white space."""
    reader = _ShownText()
    reader.feed(html)
    reader.close()
    return " ".join("".join(reader.parts).split())


class _ShownText(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.parts: list[str] = []
        self._open: list[tuple[str, bool]] = []

    @property
    def _hidden(self) -> bool:
        return any(hidden for _, hidden in self._open)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._break(tag)
        if tag not in _VOID:
            self._open.append((tag, "hidden" in dict(attrs) or tag in {"template", "script", "style", "title"}))

    def handle_endtag(self, tag: str) -> None:
        self._break(tag)
        while self._open and self._open.pop()[0] != tag:
            pass  # an end tag that HTML lets a page leave out

    def _break(self, tag: str) -> None:
        if tag not in _INLINE:
            self.parts.append(" ")

    def handle_data(self, data: str) -> None:
        if not self._hidden:
            self.parts.append(data)

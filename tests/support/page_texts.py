"""Every text of a page that a person can see or hear, what is hidden at first included."""

from html.parser import HTMLParser

_SPOKEN = {"alt", "aria-label", "placeholder", "title"}


def page_texts(html: str) -> list[str]:
    """Return the texts of elements and the spoken attributes, in their order."""
    reader = _Texts()
    reader.feed(html)
    reader.close()
    return [text for one in reader.found if (text := " ".join(one.split()))]


class _Texts(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []
        self._raw = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._raw = tag in {"script", "style"}
        self.found += [value for name, value in attrs if name in _SPOKEN and value]

    def handle_endtag(self, _tag: str) -> None:
        self._raw = False

    def handle_data(self, data: str) -> None:
        if not self._raw:
            self.found.append(data)

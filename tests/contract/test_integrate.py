"""The guide for integrators: its table of messages is the code's, and every link of it leads somewhere."""

import re

from service.web.docs.messages import MESSAGES
from tests.support.documents import DOCS, table

DOCUMENT = "integrate.md"


def _anchors(text: str) -> set[str]:
    headings = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def test_its_messages_are_those_of_the_reference_page() -> None:
    expected = [[f"`{name}`", f"`{adds}`" if adds else "", when, act] for name, adds, when, act in MESSAGES]
    assert table(DOCUMENT, "message") == expected


def test_every_message_says_what_to_do() -> None:
    assert [name for name, _, when, act in MESSAGES if not (when.endswith(".") and act.endswith("."))] == []


def test_every_link_of_it_and_every_link_to_it_leads_to_a_heading() -> None:
    for source in (DOCS / DOCUMENT, DOCS.parent / "README.md"):
        for name, anchor in re.findall(r"\]\((?:docs/)?([\w-]+\.md)#([^)]+)\)", source.read_text()):
            assert anchor in _anchors((DOCS / name).read_text()), (source.name, name, anchor)

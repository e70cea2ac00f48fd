"""The documents as tests read them: headings, the examples under each, and the rows of tables."""

import re
from pathlib import Path

DOCS = Path(__file__).parents[2] / "docs"


def examples(document: str, heading: str) -> list[str]:
    """The fenced blocks under a heading, without the indentation of a list."""
    text = (DOCS / document).read_text()
    section = re.split(r"^#+ ", text.split(f"# {heading}\n")[1], maxsplit=1, flags=re.MULTILINE)[0]
    blocks = re.findall(r"^( *)```\w*\n(.*?)^ *```$", section, re.MULTILINE | re.DOTALL)
    return [re.sub(f"^{indent}", "", block, flags=re.MULTILINE) for indent, block in blocks]


def table(document: str, head: str) -> list[list[str]]:
    """The cells of the table whose head's first cell is this."""
    lines = iter((DOCS / document).read_text().splitlines())
    for line in lines:
        if line.startswith(f"| {head} |"):
            break
    next(lines)
    rows = []
    for line in lines:
        if not line.startswith("|"):
            break
        rows.append([cell.strip() for cell in re.split(r"(?<!\\)\|", line.strip().strip("|"))])
    return rows

"""Writes the figures of a run into the page that keeps them: each command owns the part between its two marks."""

import re
from pathlib import Path


def put_into(page: Path, command: str, figures: str) -> None:
    """Replace the command's part of the page, or append one. The rest of the page stays as it is."""
    begin, end = f"<!-- {command} -->", f"<!-- end of {command} -->"
    part = f"{begin}\n{figures.strip()}\n{end}"
    text = page.read_text() if page.exists() else ""
    pattern = re.compile(f"{re.escape(begin)}.*?{re.escape(end)}", re.DOTALL)
    if pattern.search(text):
        page.write_text(pattern.sub(lambda _: part, text, count=1))
    else:
        page.write_text(f"{text.rstrip()}\n\n{part}\n".lstrip())

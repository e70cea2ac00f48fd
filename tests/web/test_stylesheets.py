"""What no stylesheet may say, since an engine cannot take it."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
STYLES = sorted(
    path
    for folder in ("service", "templates")
    for path in (ROOT / folder).rglob("*")
    if path.suffix in {".css", ".js", ".html"}
)
# WebKit's page process ends at a long paragraph of links with it: WebKitGTK 2.50 did at each load of /docs.
ENDS_WEBKIT = re.compile(r"text-wrap(?:-style)?\s*:[^;}]*\bpretty\b")


@pytest.mark.parametrize(
    "rule", ["p { text-wrap: pretty; }", "p { text-wrap: wrap pretty }", "p{text-wrap-style:pretty}"]
)
def test_the_rule_is_found_however_it_is_written(rule: str) -> None:
    assert ENDS_WEBKIT.search(rule)


def test_no_stylesheet_has_the_rule_that_ends_webkits_pages() -> None:
    assert STYLES
    assert [str(path.relative_to(ROOT)) for path in STYLES if ENDS_WEBKIT.search(path.read_text())] == []

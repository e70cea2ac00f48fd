"""The QR code that a page draws is the one that the library made, module for module."""

import re

import pytest
import segno

from service.web.pages.qr import qr_outline

RUN = re.compile(r"M(\d+) (\d+)h(\d+)v1h-\3z")


@pytest.mark.parametrize("text", ["https://link.example.com/handoff/WyJzZXNfMSJd.abc", "x", "é" * 100])
def test_the_outline_has_every_dark_module_and_no_other_inside_a_quiet_margin(text: str) -> None:
    outline = qr_outline(text)
    assert RUN.sub("", outline.path) == ""
    runs = [tuple(map(int, run)) for run in RUN.findall(outline.path)]
    drawn = {(x + step, y) for x, y, length in runs for step in range(length)}
    code = segno.make_qr(text, error="m")
    border = list(code.matrix_iter(border=4))
    assert outline.size == len(border)
    assert drawn == {(x, y) for y, row in enumerate(border) for x, dark in enumerate(row) if dark}


def test_an_address_of_ours_stays_readable_at_the_size_in_which_it_is_shown() -> None:
    # 208 px across: a module has three of them, and a phone's camera needs two.
    assert qr_outline(f"https://link.example.com/handoff/{'x' * 170}").size <= 69

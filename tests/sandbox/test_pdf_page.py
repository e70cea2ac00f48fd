"""The PDF writer, read back by hand."""

import re

from hypothesis import given
from hypothesis import strategies as st

from service.sandbox.bills.pdf_page import BLACK, PdfFont, PdfPage


def page_with(text: str) -> bytes:
    page = PdfPage(200, 100)
    page.text(10, 20, text, PdfFont())
    return page.to_bytes("Title")


def test_brackets_and_backslashes_cannot_end_the_text() -> None:
    assert rb"(\) Tj ET \( \\)" in page_with(") Tj ET ( \\")


@given(text=st.text())
def test_every_object_is_where_the_cross_reference_table_says(text: str) -> None:
    data = page_with(text)
    start = int(re.findall(rb"startxref\n(\d+)", data)[-1])
    assert data[start:].startswith(b"xref\n0 8\n")
    offsets = re.findall(rb"^(\d{10}) 00000 n ", data[start:], re.MULTILINE)
    for number, offset in enumerate(offsets, 1):
        assert data[int(offset) :].startswith(b"%d 0 obj\n" % number)


@given(text=st.text())
def test_the_streams_length_is_correct(text: str) -> None:
    data = page_with(text)
    length = re.search(rb"/Length (\d+) >>\nstream\n", data)
    assert length is not None
    assert data[length.end() + int(length[1]) :].startswith(b"\nendstream")


def test_characters_outside_the_fonts_print_as_question_marks() -> None:
    assert b"(caf\xe9 ?)" in page_with("caf\u00e9 \u6771")


def test_text_can_end_at_a_point_or_have_its_middle_there() -> None:
    page = PdfPage(200, 100)
    font = PdfFont(10)
    assert font.width("00") == 11.12
    page.text(100, 50, "00", font, align=1)
    page.text(100, 50, "00", font, align=0.5)
    data = page.to_bytes("Title")
    assert b" 88.88 50.00 Td (00)" in data
    assert b" 94.44 50.00 Td (00)" in data


def test_text_that_is_too_wide_is_shortened_with_dots() -> None:
    font = PdfFont(10)
    assert font.fitted("Headquarters", 100) == "Headquarters"
    assert font.fitted("W" * 40, 100).endswith("W...")
    assert font.width(font.fitted("W" * 40, 100)) <= 100


def test_boxes_are_measured_from_the_top() -> None:
    page = PdfPage(200, 100)
    page.box(10, 20, (30, 40), BLACK)
    assert b"10.00 40.00 30.00 40.00 re f" in page.to_bytes("Title")

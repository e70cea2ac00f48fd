"""The PDF writer, read back by hand."""

import re

from hypothesis import given
from hypothesis import strategies as st

from service.sandbox.bills.pdf_page import BLACK, Pen, Sheet


def sheet_with(text: str) -> bytes:
    sheet = Sheet(200, 100)
    sheet.text(10, 20, text, Pen())
    return sheet.to_bytes("Title")


@given(text=st.text())
def test_every_object_stands_where_the_cross_reference_table_says(text: str) -> None:
    data = sheet_with(text)
    start = int(re.findall(rb"startxref\n(\d+)", data)[-1])
    assert data[start:].startswith(b"xref\n0 8\n")
    offsets = re.findall(rb"^(\d{10}) 00000 n ", data[start:], re.MULTILINE)
    for number, offset in enumerate(offsets, 1):
        assert data[int(offset) :].startswith(b"%d 0 obj\n" % number)


@given(text=st.text())
def test_the_streams_length_is_true(text: str) -> None:
    data = sheet_with(text)
    length = re.search(rb"/Length (\d+) >>\nstream\n", data)
    assert length is not None
    assert data[length.end() + int(length[1]) :].startswith(b"\nendstream")


def test_brackets_and_backslashes_cannot_leave_the_text() -> None:
    assert rb"(\) Tj ET \( \\)" in sheet_with(") Tj ET ( \\")


def test_letters_outside_the_fonts_print_as_question_marks() -> None:
    assert b"(caf\xe9 ?)" in sheet_with("caf\u00e9 \u6771")


def test_text_can_end_at_a_point_or_have_its_middle_there() -> None:
    sheet = Sheet(200, 100)
    pen = Pen(10)
    assert pen.width("00") == 11.12
    sheet.text_right(100, 50, "00", pen)
    sheet.text_centre(100, 50, "00", pen)
    data = sheet.to_bytes("Title")
    assert b" 88.88 50.00 Td (00)" in data
    assert b" 94.44 50.00 Td (00)" in data


def test_boxes_and_rules_are_measured_from_the_top() -> None:
    sheet = Sheet(200, 100)
    sheet.box(10, 20, (30, 40), BLACK)
    sheet.rule(10, 20, 30, BLACK, dashed=True)
    data = sheet.to_bytes("Title")
    assert b"10.00 40.00 30.00 40.00 re f" in data
    assert b"[4 3] 0 d 10.00 80.00 m 40.00 80.00 l S" in data

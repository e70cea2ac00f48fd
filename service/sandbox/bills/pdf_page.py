"""A writer of one-page PDF 1.4 files: text in Helvetica and filled boxes. The same content gives the same bytes.

Only the standard fonts and the Windows-1252 characters; any other character prints as a question mark.
"""

from dataclasses import dataclass

Colour = tuple[float, float, float]
BLACK: Colour = (0.1, 0.12, 0.16)

# Reference: Adobe's font metrics of Helvetica and Helvetica-Bold, code points 32 to 126, in thousandths of the size.
_REGULAR = (
    "278 278 355 556 556 889 667 191 333 333 389 584 278 333 278 278 556 556 556 556 556 556 556 556 556 556 278 278 "
    "584 584 584 556 1015 667 667 722 722 667 611 778 722 278 500 667 556 833 722 778 667 778 722 667 611 722 667 944 "
    "667 667 611 278 278 278 469 556 333 556 556 500 556 556 278 556 556 222 222 500 222 833 556 556 556 556 333 500 "
    "278 556 500 722 500 500 500 334 260 334 584"
)
_BOLD = (
    "278 333 474 556 556 889 722 238 333 333 389 584 278 333 278 278 556 556 556 556 556 556 556 556 556 556 333 333 "
    "584 584 584 611 975 722 722 722 722 667 611 778 722 278 556 722 611 833 722 778 667 778 722 667 611 722 667 944 "
    "667 667 611 333 278 333 584 556 333 556 611 556 611 556 333 611 611 278 278 556 278 889 611 611 611 611 389 556 "
    "333 611 556 778 556 556 500 389 280 389 584"
)
_WIDTHS = [{chr(32 + i): int(width) for i, width in enumerate(table.split())} for table in (_REGULAR, _BOLD)]


@dataclass(frozen=True, slots=True)
class PdfFont:
    """A size in points, a weight and a colour."""

    size: float = 9
    bold: bool = False
    colour: Colour = BLACK

    def width(self, text: str) -> float:
        """Return the width of a text in points."""
        return sum(_WIDTHS[self.bold].get(character, 556) for character in text) * self.size / 1000

    def fitted(self, text: str, width: float) -> str:
        """Return the text, shortened with dots where it is wider than that."""
        while self.width(text) > width:
            text = text[:-4] + "..."
        return text


class PdfPage:
    """A page to draw on; `x` and `y` are points from the left and the top edge."""

    def __init__(self, width: int, height: int) -> None:
        self.width = width
        self.height = height
        self._content: list[bytes] = []

    def text(self, x: float, y: float, text: str, font: PdfFont, *, align: float = 0) -> None:
        """Write a line with its baseline at `y`; `align` is the part of it left of `x`: 0, 0.5 or 1."""
        # Unescaped brackets would end the string, and the rest would be read as drawing operators.
        escaped = text.replace("\\", "\\\\").replace("(", "\\(").replace(")", "\\)").encode("cp1252", "replace")
        # PDF only knows where a text starts, so the writer has to know how wide it is.
        left = x - font.width(text) * align
        style = f"{_rgb(font.colour)} rg /F{1 + font.bold} {font.size:g} Tf"
        self._content.append(b"BT %b %.2f %.2f Td (%b) Tj ET" % (style.encode(), left, self.height - y, escaped))

    def box(self, x: float, y: float, size: tuple[float, float], colour: Colour) -> None:
        """Fill a rectangle; `x` and `y` are its top left corner. A line is a thin one."""
        bottom = self.height - y - size[1]
        self._content.append(f"{_rgb(colour)} rg {x:.2f} {bottom:.2f} {size[0]:.2f} {size[1]:.2f} re f".encode())

    def to_bytes(self, title: str) -> bytes:
        """Return the file; the title is Latin-1."""
        content = b"\n".join(self._content)
        font = b"<< /Type /Font /Subtype /Type1 /BaseFont /%b /Encoding /WinAnsiEncoding >>"
        return _file(
            [
                b"<< /Type /Catalog /Pages 2 0 R /Lang (en) /ViewerPreferences << /DisplayDocTitle true >> >>",
                b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
                b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 %d %d] /Contents 6 0 R "
                b"/Resources << /Font << /F1 4 0 R /F2 5 0 R >> >> >>" % (self.width, self.height),
                font % b"Helvetica",
                font % b"Helvetica-Bold",
                b"<< /Length %d >>\nstream\n%b\nendstream" % (len(content), content),
                b"<< /Title (%b) /Producer (Nectar sandbox) >>" % title.encode("latin-1"),
            ]
        )


def _rgb(colour: Colour) -> str:
    return " ".join(f"{part:g}" for part in colour)


def _file(objects: list[bytes]) -> bytes:
    """Join numbered objects, the cross-reference table and the trailer. Reference: PDF 1.4, section 3.4."""
    body = b"%PDF-1.4\n%\xe2\xe3\xcf\xd3\n"
    table = b"0000000000 65535 f \n"
    # The table has the byte offset of every object; readers reject a file with a wrong one.
    for number, content in enumerate(objects, 1):
        table += b"%010d 00000 n \n" % len(body)
        body += b"%d 0 obj\n%b\nendobj\n" % (number, content)
    count = len(objects) + 1
    trailer = b"<< /Size %d /Root 1 0 R /Info %d 0 R >>" % (count, count - 1)
    return b"%bxref\n0 %d\n%btrailer\n%b\nstartxref\n%d\n%%%%EOF\n" % (body, count, table, trailer, len(body))

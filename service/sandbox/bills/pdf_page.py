"""One printed page as PDF 1.4: text in Helvetica, filled boxes and rules. The same strokes give the same bytes.

Only the standard fonts and their Windows-1252 letters; any other letter prints as a question mark.
"""

from dataclasses import dataclass, field

Colour = tuple[float, float, float]
BLACK: Colour = (0.1, 0.12, 0.16)
WHITE: Colour = (1, 1, 1)

# Reference: the Helvetica and Helvetica-Bold font metrics of the PDF standard fonts, code points 32 to 126.
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
_WIDTHS = {
    bold: {chr(32 + index): int(width) for index, width in enumerate(table.split())}
    for bold, table in ((False, _REGULAR), (True, _BOLD))
}


@dataclass(frozen=True, slots=True)
class Pen:
    """How text looks: size in points, weight and colour."""

    size: float = 9
    bold: bool = False
    colour: Colour = BLACK

    def width(self, text: str) -> float:
        """Return the width of a text in points."""
        table = _WIDTHS[self.bold]
        return sum(table.get(letter, 556) for letter in text) * self.size / 1000


@dataclass(slots=True)
class Sheet:
    """A page under the pen; `y` is measured in points from the top edge, downwards."""

    width: float
    height: float
    _strokes: list[bytes] = field(default_factory=list)

    def text(self, x: float, y: float, text: str, pen: Pen) -> None:
        """Write from `x` rightwards, `y` being the baseline."""
        letters = text.encode("cp1252", "replace")
        for byte in (b"\\", b"(", b")"):
            letters = letters.replace(byte, b"\\" + byte)
        font = 2 if pen.bold else 1
        start = f"BT {_rgb(pen.colour)} rg /F{font} {pen.size:g} Tf {x:.2f} {self.height - y:.2f} Td ("
        self._strokes.append(start.encode() + letters + b") Tj ET")

    def text_right(self, x: float, y: float, text: str, pen: Pen) -> None:
        """Write so that the text ends at `x`."""
        self.text(x - pen.width(text), y, text, pen)

    def text_centre(self, x: float, y: float, text: str, pen: Pen) -> None:
        """Write with the text's middle at `x`."""
        self.text(x - pen.width(text) / 2, y, text, pen)

    def box(self, x: float, y: float, size: tuple[float, float], colour: Colour) -> None:
        """Fill a rectangle whose top left corner is (x, y)."""
        width, height = size
        self._strokes.append(
            f"{_rgb(colour)} rg {x:.2f} {self.height - y - height:.2f} {width:.2f} {height:.2f} re f".encode()
        )

    def rule(self, x: float, y: float, length: float, colour: Colour, *, dashed: bool = False) -> None:
        """Draw a thin horizontal line."""
        dash = "[4 3] 0 d" if dashed else "[] 0 d"
        level = self.height - y
        self._strokes.append(
            f"{_rgb(colour)} RG 0.6 w {dash} {x:.2f} {level:.2f} m {x + length:.2f} {level:.2f} l S".encode()
        )

    def to_bytes(self, title: str) -> bytes:
        """Return the finished file."""
        drawing = b"\n".join(self._strokes)
        name = b"<FEFF" + title.encode("utf-16-be").hex().upper().encode() + b">"
        font = "<< /Type /Font /Subtype /Type1 /BaseFont /{} /Encoding /WinAnsiEncoding >>"
        return _file(
            [
                b"<< /Type /Catalog /Pages 2 0 R /Lang (en) /ViewerPreferences << /DisplayDocTitle true >> >>",
                b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
                b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 %d %d] /Contents 6 0 R "
                b"/Resources << /Font << /F1 4 0 R /F2 5 0 R >> >> >>" % (self.width, self.height),
                font.format("Helvetica").encode(),
                font.format("Helvetica-Bold").encode(),
                b"<< /Length %d >>\nstream\n%b\nendstream" % (len(drawing), drawing),
                b"<< /Title %b /Producer (Nectar sandbox) >>" % name,
            ]
        )


def _rgb(colour: Colour) -> str:
    return " ".join(f"{part:g}" for part in colour)


def _file(objects: list[bytes]) -> bytes:
    """Join numbered objects, the cross-reference table and the trailer. Reference: PDF 1.4, section 3.4."""
    body = b"%PDF-1.4\n%\xe2\xe3\xcf\xd3\n"
    offsets = []
    for number, content in enumerate(objects, 1):
        offsets.append(len(body))
        body += b"%d 0 obj\n%b\nendobj\n" % (number, content)
    count = len(objects) + 1
    table = b"0000000000 65535 f \n" + b"".join(b"%010d 00000 n \n" % offset for offset in offsets)
    trailer = b"trailer\n<< /Size %d /Root 1 0 R /Info %d 0 R >>\nstartxref\n%d\n%%%%EOF\n" % (
        count,
        count - 1,
        len(body),
    )
    return body + b"xref\n0 %d\n" % count + table + trailer

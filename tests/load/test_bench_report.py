"""The table and the plot of `make bench`, of figures made up here."""

from pathlib import Path
from xml.etree import ElementTree as ET

from tests.load.bench_report import BenchLine, BenchReport
from tests.load.bench_svg import draw
from tests.load.bench_targets import Goal
from tests.load.measured import put_into

_SVG = "{http://www.w3.org/2000/svg}"
FLOOR = BenchLine("SQLite", "floor: rows", None, [100.0, 300.0, 200.0], [], [], [900.0, 1100.0])
FAST = BenchLine(
    "SQLite", "GET /embed/{token}", Goal(0.6, "floor: rows"), [90.0, 180.0, 140.0], FLOOR.speeds, [], [1200.0]
)
SLOW = BenchLine(
    "PostgreSQL", "a & b", Goal(0.6, "floor: rows", 50, 10), [10.0, 60.0, 20.0], FLOOR.speeds, [12.0], [80.0, 81.0]
)
REPORT = BenchReport("2 cores", [FLOOR, FAST, SLOW], 0.5, 78.0, 1.25)


def bars(report: BenchReport) -> list[ET.Element]:
    return list(ET.fromstring(draw(report)).iter(f"{_SVG}rect"))  # noqa: S314 - our own text


def test_a_share_is_taken_round_by_round() -> None:
    assert FAST.share.written(".2f") == "0.70 (0.60 to 0.90)"
    assert FAST.speed.written(",.0f") == "140 (90 to 180)"


def test_the_table_has_a_row_for_each_line_and_the_load_beside_it() -> None:
    text = REPORT.text()
    assert text.index("SQLite") < text.index("GET /embed/{token}") < text.index("PostgreSQL") < text.index("a & b")
    assert "load average 1.2" in text
    rows = [line for line in REPORT.markdown().splitlines() if line.startswith("|")]
    assert {row.count("|") for row in rows} == {9}
    assert "| `a & b` | 20 (10 to 60) | 50 | 0.10 (0.10 to 0.20) | 0.6 | 12.0 ms | 10 ms | 80 µs |" in rows
    assert "| floor: rows | 200 (100 to 300) |  |  |  |  |  | 1,000 µs |" in rows


def test_the_plot_has_a_bar_for_each_goal_as_long_as_its_share() -> None:
    fast, slow = bars(REPORT)
    assert (fast.get("class"), slow.get("class")) == ("bar", "short")
    assert abs(float(fast.get("width", 0)) / float(slow.get("width", 0)) - 7) < 0.1


def test_a_share_above_the_floor_does_not_leave_the_plot() -> None:
    above = BenchLine("SQLite", "x", Goal(0.6, "floor: rows"), [900.0, 900.0, 900.0], FLOOR.speeds, [], [1.0])
    (bar,) = bars(BenchReport("", [above], 0.5, 78.0, 1.0))
    assert float(bar.get("width", 0)) <= 430


def test_figures_replace_those_of_the_same_command_only(tmp_path: Path) -> None:
    page = tmp_path / "measured.md"
    page.write_text("# Measured\n")
    put_into(page, "make bench", "old")
    put_into(page, "make other", "kept")
    put_into(page, "make bench", "new \\1")
    text = page.read_text()
    assert text.startswith("# Measured\n\n<!-- make bench -->\nnew \\1\n<!-- end of make bench -->\n")
    assert "old" not in text
    assert "kept" in text

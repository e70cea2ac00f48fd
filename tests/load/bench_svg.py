"""The plot of `make bench`: for each request its share of the floor, with its spread, as an SVG without a script.

Text and lines take their colours from the reader's own scheme, so that the plot can be read on light and on dark.
"""

from html import escape

from tests.load.bench_report import BenchLine, BenchReport

_WIDTH, _LEFT, _RIGHT = 860, 250, 190
_BAR, _STEP, _TITLE = 14, 24, 34
_SCALE = _WIDTH - _LEFT - _RIGHT  # of a share of 1
_STYLE = """
text { font: 13px system-ui, sans-serif; fill: #1f2328 }
.setup { font-weight: 600 }
.about { font-size: 11px }
.bar { fill: #2f7d68 }
.short { fill: #b7791f }
.spread { stroke: #1f2328; stroke-width: 1.5 }
.axis { stroke: #8c959f }
.goal { stroke: #cf222e; stroke-dasharray: 4 3 }
@media (prefers-color-scheme: dark) {
  text { fill: #e6edf3 }
  .bar { fill: #5fc2a7 }
  .short { fill: #e3b341 }
  .spread { stroke: #e6edf3 }
  .goal { stroke: #ff7b72 }
}
"""


def draw(report: BenchReport) -> str:
    """Return the SVG: a group of bars for each kind of database."""
    parts: list[str] = []
    y = 0
    for setup in report.setups:
        lines = [line for line in report.of_setup(setup) if line.goal]
        bottom = y + _TITLE + _STEP * len(lines)
        parts.append(_text(8, y + 24, setup, "setup"))
        parts += [_row(line, y + _TITLE + _STEP * at) for at, line in enumerate(lines)]
        parts.append(_line(_LEFT, y + _TITLE - 4, _LEFT, bottom, "axis"))
        parts.append(_goal_line(lines, y + _TITLE - 4, bottom))
        y = bottom + 6
    note = f"{report.about}; load average {report.load_average:.1f}. Bars: medians; lines: all rounds; dashed: goal."
    parts.append(_text(8, y + 16, note, "about"))
    height = y + 28
    head = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {height}" role="img">'
    title = "<title>Requests per second, as shares of their floors</title>"
    return "\n".join([head, title, f"<style>{_STYLE}</style>", *parts, "</svg>", ""])


def _row(line: BenchLine, y: float) -> str:
    """Name, bar, spread and figures of one request."""
    share, speed = line.share, line.speed
    kind = "bar" if line.goal and share.middle >= line.goal.share else "short"
    end = _x(share.middle)
    middle = y + _BAR / 2
    figures = f"{share.middle:.2f}: {speed.middle:,.0f} a second"
    return "\n".join(
        [
            _text(8, y + 12, line.name, "name"),
            f'<rect class="{kind}" x="{_LEFT}" y="{y}" width="{end - _LEFT:.1f}" height="{_BAR}"/>',
            _line(_x(share.least), middle, _x(share.most), middle, "spread"),
            _text(max(end, _x(share.most)) + 8, y + 12, figures, "figures"),
        ]
    )


def _goal_line(lines: list[BenchLine], top: float, bottom: float) -> str:
    goals = {line.goal.share for line in lines if line.goal}
    return "\n".join(_line(_x(goal), top, _x(goal), bottom, "goal") for goal in sorted(goals))


def _x(share: float) -> float:
    return _LEFT + _SCALE * min(share, 1.0)


def _line(x1: float, y1: float, x2: float, y2: float, kind: str) -> str:
    return f'<line class="{kind}" x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}"/>'


def _text(x: float, y: float, text: str, kind: str) -> str:
    return f'<text class="{kind}" x="{x:.1f}" y="{y:.1f}">{escape(text)}</text>'

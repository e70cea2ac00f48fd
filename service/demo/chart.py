"""Usage entries in, bar charts out: pure geometry and words, drawn by the template as SVG."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from decimal import ROUND_CEILING, Decimal, InvalidOperation
from math import floor, log10
from typing import Any

WIDTH, HEIGHT = 340, 176
LEFT, TOP, BOTTOM = 46, 10, 24
PLOT_WIDTH, PLOT_HEIGHT = WIDTH - LEFT, HEIGHT - TOP - BOTTOM
MOST_MONTHS = 24
YEAR = 12

LABELS = {
    "ELECTRICITY": "Electricity",
    "GAS": "Natural gas",
    "WATER": "Water",
    "SOLAR": "Solar generation",
    "FUEL": "Fuel",
    "DISTRICT": "District energy",
    "WASTE": "Waste",
}
# Reference: EPA GHG Emission Factors Hub (natural gas 53.06 kg CO2/mmBtu, distillate oil 10.21 kg CO2/gal),
# eGRID2022 national average for electricity (823 lb CO2/MWh).
KG_CO2_PER_UNIT = {
    ("ELECTRICITY", "kWh"): Decimal("0.373"),
    ("ELECTRICITY", "MWh"): Decimal(373),
    ("GAS", "thm (US)"): Decimal("5.306"),
    ("FUEL", "gal (US)"): Decimal("10.21"),
}

Month = tuple[int, int]
Totals = dict[Month, Decimal]


@dataclass(frozen=True)
class Bar:
    """One month; lengths are in units of the drawing."""

    x: float
    y: float
    width: float
    height: float
    month: str
    amount: str
    recent: bool


@dataclass(frozen=True)
class Tick:
    """A labelled position on an axis."""

    at: float
    label: str


@dataclass(frozen=True)
class Chart:
    """One kind of utility in one unit."""

    key: str
    label: str
    unit: str
    year_total: str
    bars: tuple[Bar, ...]
    amounts: tuple[Tick, ...]
    years: tuple[Tick, ...]
    description: str
    kg_co2: Decimal


def draw(entries: Iterable[Mapping[str, Any]]) -> list[Chart]:
    """Charts of monthly totals, in the order of `LABELS`; entries that cannot be read are left out."""
    groups: dict[tuple[str, str], Totals] = defaultdict(lambda: defaultdict(Decimal))
    for entry in entries:
        month, amount = _month(entry), _amount(entry)
        if month and amount is not None:
            key = str(entry.get("datasourceType") or "OTHER"), str(entry.get("usageUnits") or "")
            groups[key][month] += amount
    order = list(LABELS)
    ranked = sorted(groups, key=lambda key: (order.index(key[0]) if key[0] in LABELS else len(order), key))
    return [_chart(kind, unit, groups[kind, unit]) for kind, unit in ranked]


def tonnes(charts: Iterable[Chart]) -> str | None:
    """Carbon dioxide of the last twelve months, or None where no factor is known."""
    kilograms = sum((chart.kg_co2 for chart in charts), Decimal(0))
    return f"{kilograms / 1000:,.1f}" if kilograms else None


def _month(entry: Mapping[str, Any]) -> Month | None:
    """A bill counts in the month that holds the middle of its period."""
    try:
        start = date.fromisoformat(str(entry.get("startDate"))[:10])
        end = date.fromisoformat(str(entry.get("endDate") or entry.get("startDate"))[:10])
    except ValueError:
        return None
    middle = start + (end - start) / 2
    return middle.year, middle.month


def _amount(entry: Mapping[str, Any]) -> Decimal | None:
    try:
        amount = Decimal(str(entry.get("usage")))
    except InvalidOperation:
        return None
    if not amount.is_finite():
        return None
    return -amount if entry.get("exclusion") is True else amount


def _chart(kind: str, unit: str, totals: Totals) -> Chart:
    months = _consecutive(min(totals), max(totals))[-MOST_MONTHS:]
    recent = months[-YEAR:]
    highest = max(*(totals[month] for month in months), Decimal(1))
    step = _nice_step(highest)
    top = step * (highest / step).to_integral_value(ROUND_CEILING)
    year_total = sum((totals[month] for month in recent), Decimal(0))
    return Chart(
        key=f"{kind}-{unit}".lower().translate({ord(c): "-" for c in " ()"}),
        label=LABELS.get(kind, kind.replace("_", " ").capitalize()),
        unit=unit.removesuffix(" (US)").replace("thm", "therms").replace("gal", "gallons"),
        year_total=_number(year_total),
        bars=tuple(_bar(i, month, totals[month], top, (len(months), len(recent))) for i, month in enumerate(months)),
        amounts=tuple(_amount_ticks(step, top)),
        years=tuple(_year_ticks(months)),
        description=_describe(months, totals),
        kg_co2=year_total * KG_CO2_PER_UNIT.get((kind, unit), Decimal(0)),
    )


def _bar(index: int, month: Month, amount: Decimal, top: Decimal, counts: tuple[int, int]) -> Bar:
    many, recent = counts
    slot = PLOT_WIDTH / max(many, YEAR)
    height = float(max(amount, Decimal(0)) / top) * PLOT_HEIGHT
    return Bar(
        x=round(LEFT + index * slot + slot * 0.14, 2),
        y=round(TOP + PLOT_HEIGHT - height, 2),
        width=round(slot * 0.72, 2),
        height=round(height, 2),
        month=f"{date(*month, 1):%B %Y}",
        amount=_number(amount),
        recent=index >= many - recent,
    )


def _amount_ticks(step: Decimal, top: Decimal) -> Iterable[Tick]:
    for index in range(int(top / step) + 1):
        yield Tick(at=round(TOP + PLOT_HEIGHT - PLOT_HEIGHT * float(index * step / top), 2), label=_short(index * step))


def _year_ticks(months: list[Month]) -> Iterable[Tick]:
    slot = PLOT_WIDTH / max(len(months), YEAR)
    for index, (year, month) in enumerate(months):
        if (index == 0 and month < 10) or month == 1:
            yield Tick(at=round(LEFT + index * slot, 2), label=str(year))


def _describe(months: list[Month], totals: Totals) -> str:
    highest, lowest = max(months, key=totals.__getitem__), min(months, key=totals.__getitem__)
    return (
        f"{len(months)} months, {date(*months[0], 1):%B %Y} to {date(*months[-1], 1):%B %Y}. "
        f"Highest in {date(*highest, 1):%B %Y} with {_number(totals[highest])}, "
        f"lowest in {date(*lowest, 1):%B %Y} with {_number(totals[lowest])}."
    )


def _consecutive(first: Month, last: Month) -> list[Month]:
    numbers = range(first[0] * YEAR + first[1] - 1, last[0] * YEAR + last[1])
    return [(number // YEAR, number % YEAR + 1) for number in numbers]


def _nice_step(highest: Decimal) -> Decimal:
    """A round step that needs at most four lines."""
    rough = highest / 4
    magnitude = Decimal(10) ** floor(log10(rough))
    return next(magnitude * factor for factor in (1, 2, 5, 10) if magnitude * factor >= rough)


def _number(amount: Decimal) -> str:
    return f"{amount:,.0f}" if abs(amount) >= 100 or amount == amount.to_integral_value() else f"{amount:,.1f}"


def _short(amount: Decimal) -> str:
    if amount >= 1_000_000:
        return f"{(amount / 1_000_000).normalize():f}M"
    if amount >= 1000:
        return f"{(amount / 1000).normalize():f}k"
    return f"{amount.normalize():f}"

"""Turns usage entries into monthly bar charts: amounts, labels and words; the template draws them as SVG."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from decimal import ROUND_CEILING, Decimal, InvalidOperation
from math import floor, log10
from typing import Any

MONTHS_MOST = 24
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

Totals = dict[int, Decimal]
"""Amounts by month; a month is its year times twelve plus 0 to 11, so that a range of months has no gaps."""


@dataclass(frozen=True)
class UsageBar:
    """A month; `height` is its part of the axis, `year` the label below it where one is due."""

    month: str
    amount: str
    height: float
    recent: bool
    year: str


@dataclass(frozen=True)
class AxisTick:
    """A labelled line; `height` is its part of the axis."""

    height: float
    label: str


@dataclass(frozen=True)
class UsageChart:
    """The usage of one utility type in one unit."""

    key: str
    label: str
    unit: str
    year_total: str
    bars: tuple[UsageBar, ...]
    ticks: tuple[AxisTick, ...]
    description: str
    kg_co2: Decimal


def usage_charts(entries: Iterable[Mapping[str, Any]]) -> list[UsageChart]:
    """Return charts of monthly totals, in the order of `LABELS`; entries that cannot be read are left out."""
    groups: dict[tuple[str, str], Totals] = defaultdict(lambda: defaultdict(Decimal))
    for entry in entries:
        month, amount = _month(entry), _amount(entry)
        if month is not None and amount is not None:
            key = str(entry.get("datasourceType") or "OTHER"), str(entry.get("usageUnits") or "")
            groups[key][month] += amount
    order = list(LABELS)
    ranked = sorted(groups, key=lambda key: (order.index(key[0]) if key[0] in LABELS else len(order), key))
    return [_chart(kind, unit, groups[kind, unit]) for kind, unit in ranked]


def tonnes(charts: Iterable[UsageChart]) -> str | None:
    """Return the carbon dioxide of the last twelve months in tonnes; None where no factor is known."""
    kilograms = sum((chart.kg_co2 for chart in charts), Decimal(0))
    return f"{kilograms / 1000:,.1f}" if kilograms else None


def _month(entry: Mapping[str, Any]) -> int | None:
    """Return the month that holds the middle of a bill's period."""
    try:
        start = date.fromisoformat(str(entry.get("startDate"))[:10])
        end = date.fromisoformat(str(entry.get("endDate") or entry.get("startDate"))[:10])
    except ValueError:
        return None
    # A bill from the 20th to the 19th belongs to the month that has most of it.
    middle = start + (end - start) / 2
    return middle.year * YEAR + middle.month - 1


def _amount(entry: Mapping[str, Any]) -> Decimal | None:
    try:
        amount = Decimal(str(entry.get("usage")))
    except InvalidOperation:
        return None
    if not amount.is_finite():
        return None
    # Reference: the provider's usage data: an exclusion is to be subtracted.
    return -amount if entry.get("exclusion") is True else amount


def _chart(kind: str, unit: str, totals: Totals) -> UsageChart:
    months = range(min(totals), max(totals) + 1)[-MONTHS_MOST:]
    # At least 1, so that a chart of zeros has an axis.
    highest = max(*(totals[month] for month in months), Decimal(1))
    step = _axis_step(highest)
    top = step * (highest / step).to_integral_value(ROUND_CEILING)
    year_total = sum((totals[month] for month in months[-YEAR:]), Decimal(0))
    bars = (
        UsageBar(
            month=_name(month),
            amount=_number(totals[month]),
            height=float(max(totals[month], Decimal(0)) / top),
            recent=month in months[-YEAR:],
            # A first label close to January's would run into it.
            year=str(month // YEAR) if month % YEAR == 0 or (month == months[0] and month % YEAR < 9) else "",
        )
        for month in months
    )
    return UsageChart(
        key=f"{kind}-{unit}".lower().translate({ord(c): "-" for c in " ()"}),
        label=LABELS.get(kind, kind.replace("_", " ").capitalize()),
        unit=unit.removesuffix(" (US)").replace("thm", "therms").replace("gal", "gallons"),
        year_total=_number(year_total),
        bars=tuple(bars),
        ticks=tuple(AxisTick(float(n * step / top), _short(n * step)) for n in range(int(top / step) + 1)),
        description=_describe(months, totals),
        kg_co2=year_total * KG_CO2_PER_UNIT.get((kind, unit), Decimal(0)),
    )


def _describe(months: range, totals: Totals) -> str:
    highest, lowest = max(months, key=totals.__getitem__), min(months, key=totals.__getitem__)
    return (
        f"{len(months)} months, {_name(months[0])} to {_name(months[-1])}. "
        f"Highest in {_name(highest)} with {_number(totals[highest])}, "
        f"lowest in {_name(lowest)} with {_number(totals[lowest])}."
    )


def _name(month: int) -> str:
    return f"{date(month // YEAR, month % YEAR + 1, 1):%B %Y}"


def _axis_step(highest: Decimal) -> Decimal:
    """Return a round step that needs at most four lines."""
    rough = highest / 4
    magnitude = Decimal(10) ** floor(log10(rough))
    return next(magnitude * factor for factor in (1, 2, 5, 10) if magnitude * factor >= rough)


def _number(amount: Decimal) -> str:
    return f"{amount:,.0f}" if abs(amount) >= 100 or amount == amount.to_integral_value() else f"{amount:,.1f}"


def _short(amount: Decimal) -> str:
    for size, suffix in ((1_000_000, "M"), (1000, "k")):
        if amount >= size:
            return f"{(amount / size).normalize():f}{suffix}"
    return f"{amount.normalize():f}"

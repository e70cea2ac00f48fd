import re
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.demo import views
from service.demo.chart import tonnes, usage_charts
from service.demo.pages import render
from service.demo.people import ACME
from tests.support.fake_service import reading


def two_years(amount: int = 1000) -> list[dict[str, Any]]:
    return [
        reading(f"{2024 + n // 12}-{n % 12 + 1:02}-01", f"{2024 + n // 12}-{n % 12 + 1:02}-28", str(amount + n))
        for n in range(24)
    ]


@pytest.mark.parametrize(
    "unreadable",
    [
        {"startDate": None, "endDate": None},
        {"startDate": "soon"},
        {"usage": None},
        {"usage": "many"},
        {"usage": "NaN"},
        {"usage": "Infinity"},
    ],
)
def test_an_entry_that_cannot_be_read_is_left_out(unreadable: dict[str, Any]) -> None:
    assert usage_charts([reading("2025-01-01", "2025-01-31", "1") | unreadable]) == []


def test_carbon_is_not_claimed_where_no_factor_is_known() -> None:
    assert tonnes(usage_charts([reading("2025-01-01", "2025-01-31", "1", datasourceType="WATER")])) is None


def test_no_usage_gives_no_chart() -> None:
    assert usage_charts([]) == []


def test_two_years_of_bills_give_twenty_four_bars_with_the_last_twelve_marked() -> None:
    (chart,) = usage_charts(two_years())
    assert [bar.recent for bar in chart.bars] == [False] * 12 + [True] * 12
    assert chart.year_total == "12,210"
    assert [bar.year for bar in chart.bars if bar.year] == ["2024", "2025"]


def test_a_bill_counts_in_the_month_of_its_middle() -> None:
    (chart,) = usage_charts([reading("2025-01-20", "2025-02-19", "10")])
    assert [bar.month for bar in chart.bars] == ["February 2025"]


def test_months_without_a_bill_stay_empty_between_months_with_one() -> None:
    (chart,) = usage_charts([reading("2025-01-01", "2025-01-31", "10"), reading("2025-03-01", "2025-03-31", "30")])
    assert [(bar.month, bar.amount) for bar in chart.bars] == [
        ("January 2025", "10"),
        ("February 2025", "0"),
        ("March 2025", "30"),
    ]


def test_excluded_entries_are_subtracted() -> None:
    (chart,) = usage_charts(
        [reading("2025-01-01", "2025-01-31", "10"), reading("2025-01-01", "2025-01-31", "4", exclusion=True)]
    )
    assert chart.bars[0].amount == "6"


def test_kinds_and_units_get_a_chart_each_in_a_fixed_order() -> None:
    charts = usage_charts(
        [
            reading("2025-01-01", "2025-01-31", "1", datasourceType="TELECOM", usageUnits=None),
            reading("2025-01-01", "2025-01-31", "1", datasourceType="WATER", usageUnits="gal (US)"),
            reading("2025-01-01", "2025-01-31", "1"),
            reading("2025-01-01", "2025-01-31", "1", usageUnits="MWh"),
        ]
    )
    assert [(chart.label, chart.unit) for chart in charts] == [
        ("Electricity", "MWh"),
        ("Electricity", "kWh"),
        ("Water", "gallons"),
        ("Telecom", ""),
    ]
    assert len({chart.key for chart in charts}) == 4


def test_an_open_period_counts_from_its_start() -> None:
    (chart,) = usage_charts([reading("2025-01-05", "", "3", endDate=None)])
    assert chart.bars[0].month == "January 2025"


def test_carbon_is_counted_for_the_last_twelve_months_only() -> None:
    charts = usage_charts(two_years())
    assert charts[0].kg_co2 == Decimal(12210) * Decimal("0.373")
    assert tonnes(charts) == "4.6"


def test_large_amounts_are_shortened_on_the_axis() -> None:
    (thousands,) = usage_charts([reading("2025-01-01", "2025-01-31", "12500")])
    (millions,) = usage_charts([reading("2025-01-01", "2025-01-31", "2500000.5")])
    assert [tick.label for tick in thousands.ticks] == ["0", "5k", "10k", "15k"]
    assert [tick.label for tick in millions.ticks] == ["0", "1M", "2M", "3M"]


def test_small_amounts_keep_a_decimal() -> None:
    (chart,) = usage_charts([reading("2025-01-01", "2025-01-31", "2.25")])
    assert chart.bars[0].amount == "2.2"


@given(
    st.lists(
        st.tuples(st.dates(), st.decimals(min_value=-(10**9), max_value=10**9, places=3)),
        min_size=1,
    )
)
def test_every_bar_stays_inside_the_drawing(bills: list[tuple[Any, Decimal]]) -> None:
    usage = [reading(day.isoformat(), day.isoformat(), str(amount)) for day, amount in bills]
    for chart in usage_charts(usage):
        assert len(chart.bars) <= 24
        assert len(chart.ticks) <= 6
    html = bytes(render("utilities.html", views.utilities([], usage, ACME)).body).decode()
    rectangles = re.findall(r'x="([\d.]+)" y="([\d.]+)" width="([\d.]+)" height="([\d.]+)"', html)
    assert len(rectangles) == html.count("<rect")
    for x, y, width, height in (map(float, rectangle) for rectangle in rectangles):
        assert 46 <= x < x + width <= 340
        assert 10 <= y <= y + height <= 152.01

"""The computation of the sample bills."""

import itertools
import statistics
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.sandbox.bills.metering import bills_for, find_bill, meters_of
from service.sandbox.wire.enums import SAMPLE_TYPES
from tests.support.bill_sources import source

countries = st.text("ABCDEFGHIJKLMNOPQRSTUVWXYZ", min_size=2, max_size=2)


def usage_by_month(kind: str, country: str = "US") -> dict[int, Decimal]:
    bills = bills_for(source(types=(kind,), country=country))
    return {bill.reading.end.month: bill.reading.usage for bill in bills}


@given(connection_id=st.uuids(), country=countries, created_at=st.floats(1.0e9, 3.0e9))
def test_every_bill_adds_up_whatever_the_connection(connection_id: object, country: str, created_at: float) -> None:
    connection = source(str(connection_id), country=country, created_at=created_at)
    bills = bills_for(connection)
    assert len(bills) == 5 * 24
    for bill in bills:
        assert sum(line.total for line in bill.lines) == bill.total
        assert bill.reading.peak + bill.reading.off_peak == bill.reading.usage
        assert bill.reading.usage > 0
        assert bill.total > 0


@pytest.mark.parametrize(("kind", "high", "low"), [("GAS", 1, 7), ("SOLAR", 7, 1), ("ELECTRICITY", 7, 4)])
def test_usage_follows_the_northern_seasons(kind: str, high: int, low: int) -> None:
    usage = usage_by_month(kind)
    assert usage[high] > usage[low]


def test_the_southern_hemisphere_heats_in_july() -> None:
    usage = usage_by_month("GAS", "AU")
    assert usage[7] > usage[1]


def test_a_meter_reading_starts_where_the_last_one_ended() -> None:
    bills = [bill.reading for bill in reversed(bills_for(source(types=("WATER",))))]
    for earlier, later in itertools.pairwise(bills):
        assert later.opening == earlier.opening + earlier.usage
        assert (later.start - earlier.end).days == 1


def test_the_previous_balance_is_the_last_bills_total() -> None:
    bills = list(reversed(bills_for(source(types=("GAS",)))))
    for earlier, later in itertools.pairwise(bills):
        assert later.previous_total == earlier.total


def test_the_country_chooses_currency_and_units() -> None:
    def gas(country: str) -> tuple[str, str]:
        bill = bills_for(source(types=("GAS",), country=country))[0]
        return bill.currency, bill.meter.unit

    assert gas("US") == ("USD", "thm (US)")
    assert gas("de") == ("EUR", "kWh")
    assert gas("JP") == ("JPY", "kWh")


def test_amounts_in_yen_have_no_decimals() -> None:
    for bill in bills_for(source(country="JP")):
        assert bill.total == bill.total.to_integral_value()


def test_sizes_differ_between_connections() -> None:
    sizes = {bills_for(source(str(number)))[0].reading.usage for number in range(20)}
    assert statistics.pstdev(sizes) > 0


def test_a_bill_is_found_by_its_id_and_only_in_its_connection() -> None:
    bill = bills_for(source())[7]
    assert find_bill(source(), bill.id) is bill
    assert find_bill(source("another"), bill.id) is None


def test_meters_are_limited_to_the_chosen_types() -> None:
    assert [meter.kind for meter in meters_of(source(types=("GAS", "SOLAR")))] == ["GAS", "SOLAR"]
    assert [meter.kind for meter in meters_of(source())] == list(SAMPLE_TYPES)

"""The tables behind the sample bills."""

from decimal import Decimal

import pytest

from service.sandbox.bills.tariffs import TARIFFS, market
from service.sandbox.wire.enums import SAMPLE_TYPES

UNITS = {"kWh", "thm (US)", "HCF", "gal (US)", "cubic m", "L"}
BASES = {"month", "usage", "peak", "off_peak", "demand", "export", "tier_one", "tier_two"}


def test_every_type_has_a_tariff_with_units_of_the_providers_list() -> None:
    assert set(TARIFFS) == set(SAMPLE_TYPES)
    for tariff in TARIFFS.values():
        assert {tariff.us_unit, tariff.metric_unit} <= UNITS
        assert len(tariff.season) == 12
        assert {charge.basis for charge in tariff.charges} <= BASES


def test_a_year_of_seasons_averages_to_about_one() -> None:
    for tariff in TARIFFS.values():
        assert sum(tariff.season) / 12 == pytest.approx(1, abs=0.06)


def test_a_country_without_a_row_is_billed_in_dollars_and_metric_units() -> None:
    unknown = market("XX")
    assert (unknown.currency, unknown.metric, unknown.tax_rate) == ("USD", True, Decimal("0.1"))


def test_only_the_united_states_measure_in_their_own_units() -> None:
    assert not market("US").metric
    assert market("GB").metric


def test_the_southern_hemisphere_has_reversed_seasons() -> None:
    assert market("AU").southern
    assert not market("SE").southern

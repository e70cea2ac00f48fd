"""Computes the sample bills: meters, two years of monthly readings, quantities and charges.

Pure: equal sources give equal bills, also in another process.
"""

import calendar
import random
import uuid
from collections.abc import Iterator
from datetime import UTC, date, datetime
from decimal import ROUND_HALF_UP, Decimal
from functools import lru_cache

from service.sandbox.bills.bill import BilledSite, BillLine, BillSource, MeterReading, SampleBill, SampleMeter
from service.sandbox.bills.tariffs import TARIFFS, CountryMarket, Tariff, TariffCharge, market

MONTHS = 24
_NAMESPACE = uuid.uuid5(uuid.NAMESPACE_URL, "https://nectarclimate.com/sandbox/sample-data")
_ZERO = Decimal(0)
_RATE_PLACES = Decimal("0.00001")


@lru_cache(maxsize=128)
def bills_for(source: BillSource) -> tuple[SampleBill, ...]:
    """Return every sample bill, newest first: 24 months up to the month before the source's creation (UTC)."""
    bills = [bill for meter in meters_of(source) for bill in _bills_of_meter(source, meter)]
    return tuple(sorted(bills, key=lambda bill: bill.reading.end, reverse=True))


# The next two are small, and a list needs them of every connection: more than there are cached bills.
@lru_cache(maxsize=8192)
def last_service_on(source: BillSource) -> date | None:
    """Return the last day that the bills are for; None without bills."""
    return max((bill.reading.end for bill in bills_for(source)), default=None)


@lru_cache(maxsize=8192)
def meters_of(source: BillSource) -> tuple[SampleMeter, ...]:
    """Return the meters, one per site and utility type."""
    return tuple(_meter(source, site, kind) for kind in source.types for site in source.sites)


def find_bill(source: BillSource, document_id: str) -> SampleBill | None:
    """Return the bill with this id, if there is one."""
    return _by_id(source).get(document_id)


@lru_cache(maxsize=128)
def _by_id(source: BillSource) -> dict[str, SampleBill]:
    return {bill.id: bill for bill in bills_for(source)}


def _stable_id(*parts: str) -> str:
    return str(uuid.uuid5(_NAMESPACE, "/".join(parts)))


def _random(seed: str) -> random.Random:
    return random.Random(seed)  # noqa: S311 - repeatable sample data, nothing secret


def _meter(source: BillSource, site: BilledSite, kind: str) -> SampleMeter:
    meter_id = _stable_id(source.id, site.id, kind)
    account_id = _stable_id(source.id, "account", kind)
    numbers = _random(meter_id)
    first, second, third = (numbers.randrange(10**digits, 10 ** (digits + 1)) for digits in (0, 2, 4))
    tariff = TARIFFS[kind]
    return SampleMeter(
        id=meter_id,
        site=site,
        kind=kind,
        number=f"{tariff.prefix}{first}-{second}-{third}",
        account_id=account_id,
        # From the account's id, so that its meters at several sites agree.
        account_number=str(_random(account_id).randrange(1_000_000_000, 10_000_000_000)),
        unit=tariff.metric_unit if market(source.country).metric else tariff.us_unit,
    )


def _bills_of_meter(source: BillSource, meter: SampleMeter) -> Iterator[SampleBill]:
    tariff, country = TARIFFS[meter.kind], market(source.country)
    previous = _ZERO
    for reading in _readings(source, meter, tariff, country):
        lines = (*_lines(reading, meter, tariff, country),)
        net = sum((line.total for line in lines), _ZERO)
        tax = _tax(net, country)
        total = net + tax.total
        yield SampleBill(
            id=_stable_id(meter.id, reading.start.isoformat()),
            company_id=source.company_id,
            connection_id=source.id,
            country=source.country,
            created_at=source.created_at,
            meter=meter,
            tariff=tariff,
            reading=reading,
            currency=country.currency,
            lines=(*lines, tax),
            total=total,
            taxes=tax.total,
            # Zero has the currency's decimals too.
            credits=sum((line.total for line in lines if line.total < 0), tax.total - tax.total),
            previous_total=previous or total,
        )
        previous = total


def _months(created_at: float) -> Iterator[tuple[date, date]]:
    created = datetime.fromtimestamp(created_at, UTC)
    # The current month is not over, so it has no bill yet.
    last = created.year * 12 + created.month - 1
    for index in range(last - MONTHS, last):
        year, month = divmod(index, 12)
        yield date(year, month + 1, 1), date(year, month + 1, calendar.monthrange(year, month + 1)[1])


def _readings(source: BillSource, meter: SampleMeter, tariff: Tariff, country: CountryMarket) -> Iterator[MeterReading]:
    numbers = _random(f"{meter.id}/readings")
    # The order of the draws is part of the data: another order changes every bill.
    size = numbers.uniform(0.6, 1.7) * tariff.monthly_usage / 30.4
    if country.metric:
        size *= float(tariff.metric_factor)
    whole = meter.unit == "kWh"
    opening = Decimal(numbers.randrange(4_000, 90_000))
    for start, end in _months(source.created_at):
        # Half a year later in the southern hemisphere.
        season = tariff.season[(start.month + (5 if country.southern else -1)) % 12]
        usage = _rounded(size * season * end.day * numbers.uniform(0.94, 1.06), whole=whole)
        hours = 24 * end.day * numbers.uniform(0.44, 0.52)
        yield MeterReading(
            start=start,
            end=end,
            usage=usage,
            peak=_rounded(float(usage) * numbers.uniform(0.31, 0.37), whole=whole),
            demand=_rounded(float(usage) / hours, whole=False),
            export=_rounded(float(usage) * numbers.uniform(0.12, 0.26) * season, whole=whole),
            opening=opening,
            is_estimated=numbers.random() < 0.06,
        )
        opening += usage


def _rounded(value: float, *, whole: bool) -> Decimal:
    return Decimal(round(value)) if whole else Decimal(round(value * 10)).scaleb(-1)


def _quantities(reading: MeterReading, tier: Decimal) -> dict[str, Decimal]:
    return {
        "month": Decimal(1),
        "usage": reading.usage,
        "peak": reading.peak,
        "off_peak": reading.off_peak,
        "demand": reading.demand,
        "export": reading.export,
        "tier_one": min(reading.usage, tier),
        "tier_two": max(reading.usage - tier, _ZERO),
    }


def _lines(reading: MeterReading, meter: SampleMeter, tariff: Tariff, country: CountryMarket) -> Iterator[BillLine]:
    factor = Decimal(tariff.metric_factor) if country.metric else Decimal(1)
    # The first tier of a rate ends at 80 % of a usual month.
    tier = (tariff.monthly_usage * factor * Decimal("0.8")).quantize(Decimal(1))
    quantities = _quantities(reading, tier)
    units = {"month": "month", "demand": "kW"}
    for charge in tariff.charges:
        quantity = quantities[charge.basis]
        # A bill leaves out what it charges nothing for, such as an unused second tier.
        if not quantity:
            continue
        # A month and a kilowatt are the same everywhere; the other rates are per local unit.
        scale = Decimal(1) if charge.basis in units else factor
        rate = (Decimal(charge.rate) * country.price_level / scale).quantize(_RATE_PLACES, ROUND_HALF_UP)
        total = (quantity * rate).quantize(Decimal(1).scaleb(-country.places), ROUND_HALF_UP)
        yield BillLine(charge, charge.description, quantity, units.get(charge.basis, meter.unit), rate, total)


def _tax(net: Decimal, country: CountryMarket) -> BillLine:
    total = (net * country.tax_rate).quantize(Decimal(1).scaleb(-country.places), ROUND_HALF_UP)
    name = f"{country.tax_name} ({(country.tax_rate * 100).normalize():f}%)"
    return BillLine(
        TariffCharge(name, "net", str(country.tax_rate), "TAX"), name, net, country.currency, country.tax_rate, total
    )

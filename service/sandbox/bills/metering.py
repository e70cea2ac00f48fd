"""The sums behind the sample bills: meters, two years of months, quantities and charges.

Pure. What is summed is in `billing.py`, the prices in `tariffs.py`, the wire shapes in `bills.py`.
"""

import calendar
import random
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import ROUND_HALF_UP, Decimal
from functools import lru_cache

from service.sandbox.bills.bill import BilledSite, BillLine, BillSource, MeterReading, SampleBill, SampleMeter
from service.sandbox.bills.tariffs import KINDS, TARIFFS, CountryMarket, Tariff, TariffCharge, market

MONTHS = 24
_NAMESPACE = uuid.uuid5(uuid.NAMESPACE_URL, "https://nectarclimate.com/sandbox/sample-data")
_ZERO = Decimal(0)
_FINE = Decimal("0.00001")


@dataclass(frozen=True, slots=True)
class _Subject:
    """The hashable copy of a connection: the key of the cache."""

    id: str
    company_id: str
    places: tuple[BilledSite, ...]
    kinds: tuple[str, ...]
    country: str
    created_at: float


def bills_for(connection: BillSource) -> tuple[SampleBill, ...]:
    """Return every sample bill, newest first: 24 months up to the month before the connection's creation (UTC)."""
    return _bills(_subject(connection))


def last_service_on(connection: BillSource) -> date | None:
    """Return the last day that the bills are for; None without bills."""
    return _last_service_on(_subject(connection))


def meters_of(connection: BillSource) -> tuple[SampleMeter, ...]:
    """Return the meters behind the bills, one per site and type."""
    return _meters(_subject(connection))


def find_bill(connection: BillSource, document_id: str) -> SampleBill | None:
    """Return the connection's bill with this id, if it has one."""
    return _by_id(_subject(connection)).get(document_id)


def _subject(connection: BillSource) -> _Subject:
    chosen = set(connection.types) or set(KINDS)
    return _Subject(
        connection.id,
        connection.company_id,
        tuple(BilledSite(site.id, site.name, site.address or "") for site in connection.sites),
        tuple(kind for kind in KINDS if kind in chosen),
        connection.country.upper(),
        connection.created_at,
    )


@lru_cache(maxsize=128)
def _by_id(subject: _Subject) -> dict[str, SampleBill]:
    return {bill.id: bill for bill in _bills(subject)}


@lru_cache(maxsize=128)
def _bills(subject: _Subject) -> tuple[SampleBill, ...]:
    bills = [bill for meter in _meters(subject) for bill in _series(subject, meter)]
    return tuple(sorted(bills, key=lambda bill: bill.reading.end, reverse=True))


@lru_cache(
    maxsize=8192
)  # small, and asked for of every connection in a list: there may be more than there are bills kept
def _last_service_on(subject: _Subject) -> date | None:
    return max((bill.reading.end for bill in _bills(subject)), default=None)


@lru_cache(maxsize=8192)
def _meters(subject: _Subject) -> tuple[SampleMeter, ...]:
    return tuple(_meter(subject, place, kind) for kind in subject.kinds for place in subject.places)


def _stable_id(*parts: str) -> str:
    return str(uuid.uuid5(_NAMESPACE, "/".join(parts)))


def _dice(seed: str) -> random.Random:
    return random.Random(seed)  # noqa: S311 - repeatable sample data, nothing secret


def _meter(subject: _Subject, place: BilledSite, kind: str) -> SampleMeter:
    meter_id = _stable_id(subject.id, place.id, kind)
    account_id = _stable_id(subject.id, "account", kind)
    dice = _dice(meter_id)
    tariff = TARIFFS[kind]
    return SampleMeter(
        id=meter_id,
        place=place,
        kind=kind,
        number=f"{tariff.prefix}{dice.randrange(1, 10)}-{dice.randrange(100, 1000)}-{dice.randrange(10000, 100000)}",
        account_id=account_id,
        account_number=str(_dice(account_id).randrange(1_000_000_000, 10_000_000_000)),
        unit=tariff.metric_unit if market(subject.country).metric else tariff.us_unit,
    )


def _series(subject: _Subject, meter: SampleMeter) -> Iterator[SampleBill]:
    tariff, place = TARIFFS[meter.kind], market(subject.country)
    previous = _ZERO
    for reading in _readings(subject, meter, tariff, place):
        lines = (*_lines(reading, meter, tariff, place),)
        net = sum((line.total for line in lines), _ZERO)
        tax = _tax(net, place)
        total = net + tax.total
        yield SampleBill(
            id=_stable_id(meter.id, reading.start.isoformat()),
            company_id=subject.company_id,
            connection_id=subject.id,
            country=subject.country,
            created_at=subject.created_at,
            meter=meter,
            tariff=tariff,
            reading=reading,
            currency=place.currency,
            lines=(*lines, tax),
            total=total,
            taxes=tax.total,
            credits=sum((line.total for line in lines if line.total < 0), tax.total - tax.total),
            previous_total=previous or total,
        )
        previous = total


def _months(created_at: float) -> Iterator[tuple[date, date]]:
    made = datetime.fromtimestamp(created_at, UTC)
    last = made.year * 12 + made.month - 1
    for index in range(last - MONTHS, last):
        year, month = divmod(index, 12)
        yield date(year, month + 1, 1), date(year, month + 1, calendar.monthrange(year, month + 1)[1])


def _readings(subject: _Subject, meter: SampleMeter, tariff: Tariff, place: CountryMarket) -> Iterator[MeterReading]:
    dice = _dice(f"{meter.id}/readings")
    size = dice.uniform(0.6, 1.7) * tariff.monthly_usage / 30.4
    if place.metric:
        size *= float(tariff.metric_factor)
    whole = meter.unit == "kWh"
    opening = Decimal(dice.randrange(4_000, 90_000))
    for start, end in _months(subject.created_at):
        season = tariff.season[(start.month + (5 if place.southern else -1)) % 12]
        usage = _rounded(size * season * end.day * dice.uniform(0.94, 1.06), whole=whole)
        hours = 24 * end.day * dice.uniform(0.44, 0.52)
        yield MeterReading(
            start=start,
            end=end,
            usage=usage,
            peak=_rounded(float(usage) * dice.uniform(0.31, 0.37), whole=whole),
            demand=_rounded(float(usage) / hours, whole=False),
            export=_rounded(float(usage) * dice.uniform(0.12, 0.26) * season, whole=whole),
            opening=opening,
            is_estimated=dice.random() < 0.06,
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


def _lines(reading: MeterReading, meter: SampleMeter, tariff: Tariff, place: CountryMarket) -> Iterator[BillLine]:
    factor = Decimal(tariff.metric_factor) if place.metric else Decimal(1)
    tier = (tariff.monthly_usage * factor * Decimal("0.8")).quantize(Decimal(1))
    quantities = _quantities(reading, tier)
    units = {"month": "month", "demand": "kW"}
    for charge in tariff.charges:
        quantity = quantities[charge.basis]
        if not quantity:
            continue
        scale = Decimal(1) if charge.basis in units else factor
        rate = (Decimal(charge.rate) * place.price_level / scale).quantize(_FINE, ROUND_HALF_UP)
        total = (quantity * rate).quantize(Decimal(1).scaleb(-place.places), ROUND_HALF_UP)
        yield BillLine(charge, charge.description, quantity, units.get(charge.basis, meter.unit), rate, total)


def _tax(net: Decimal, place: CountryMarket) -> BillLine:
    total = (net * place.tax_rate).quantize(Decimal(1).scaleb(-place.places), ROUND_HALF_UP)
    name = f"{place.tax_name} ({(place.tax_rate * 100).normalize():f}%)"
    return BillLine(
        TariffCharge(name, "net", str(place.tax_rate), "TAX"), name, net, place.currency, place.tax_rate, total
    )

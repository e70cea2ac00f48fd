"""The nouns of the sample data: what a connection must tell, and what a meter, a reading and a bill are."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from typing import Protocol

from service.sandbox.bills.tariffs import Tariff, TariffCharge


class BillSourceSite(Protocol):
    """What a bill says of a site."""

    @property
    def id(self) -> str: ...
    @property
    def name(self) -> str: ...
    @property
    def address(self) -> str | None: ...


class BillSource(Protocol):
    """What the sample data of a connection depends on; equal values give equal data."""

    @property
    def id(self) -> str: ...
    @property
    def company_id(self) -> str: ...
    @property
    def sites(self) -> Sequence[BillSourceSite]: ...
    @property
    def types(self) -> Sequence[str]: ...
    @property
    def country(self) -> str: ...
    @property
    def created_at(self) -> float: ...


@dataclass(frozen=True, slots=True)
class BilledSite:
    """A site as printed on a bill."""

    id: str
    name: str
    address: str


@dataclass(frozen=True, slots=True)
class SampleMeter:
    """One meter at one site, measuring one utility type, billed to one account."""

    id: str
    place: BilledSite
    kind: str
    number: str
    account_id: str
    account_number: str
    unit: str


@dataclass(frozen=True, slots=True)
class BillLine:
    """One charged row: `total` is `quantity` times `rate`, rounded to the currency."""

    charge: TariffCharge
    description: str
    quantity: Decimal
    unit: str
    rate: Decimal
    total: Decimal


@dataclass(frozen=True, slots=True)
class MeterReading:
    """What a meter measured in one month, split the ways that charges need."""

    start: date
    end: date
    usage: Decimal
    peak: Decimal
    demand: Decimal
    export: Decimal
    opening: Decimal
    is_estimated: bool

    @property
    def off_peak(self) -> Decimal:
        """Usage outside the peak hours; with `peak` it is exactly `usage`."""
        return self.usage - self.peak


@dataclass(frozen=True, slots=True)
class SampleBill:
    """One month of one meter. The lines, taxes and credits included, add up to `total` exactly."""

    id: str
    company_id: str
    connection_id: str
    country: str
    created_at: float
    meter: SampleMeter
    tariff: Tariff
    reading: MeterReading
    currency: str
    lines: tuple[BillLine, ...]
    total: Decimal
    taxes: Decimal
    credits: Decimal
    previous_total: Decimal

    @property
    def due_on(self) -> date:
        """Three weeks after the period's end."""
        return self.reading.end + timedelta(days=21)

    @property
    def invoice_id(self) -> str:
        """The utility's own number of the bill."""
        return f"{self.tariff.prefix}-{self.reading.end:%Y%m}-{self.id[:6].upper()}"

    @property
    def file_name(self) -> str:
        """A name for the saved PDF: month, type and invoice."""
        return f"{self.reading.end:%Y-%m}-{self.meter.kind.lower()}-{self.id[:6]}.pdf"

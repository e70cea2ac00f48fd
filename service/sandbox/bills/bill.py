"""The parts of a sample bill, and what it is computed from."""

from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal

from service.sandbox.bills.tariffs import Tariff, TariffCharge

CURRENCY_SIGNS = {
    "USD": "$",
    "EUR": "\u20ac",
    "GBP": "\u00a3",
    "JPY": "\u00a5",
    "CAD": "C$",
    "AUD": "A$",
    "NZD": "NZ$",
}


def format_money(amount: Decimal, currency: str) -> str:
    """Return an amount with its currency sign, or with the currency's code where there is no common sign."""
    # The sign comes before the currency: -$4.00, not $-4.00.
    sign = "-" if amount < 0 else ""
    return f"{sign}{CURRENCY_SIGNS.get(currency, currency + ' ')}{abs(amount):,f}"


@dataclass(frozen=True, slots=True)
class BilledSite:
    """A site as a bill shows it."""

    id: str
    name: str
    address: str


@dataclass(frozen=True, slots=True)
class BillSource:
    """All that the bills of a connection are computed from; equal sources have equal bills."""

    id: str
    company_id: str
    sites: tuple[BilledSite, ...]
    types: tuple[str, ...]
    country: str
    created_at: float


@dataclass(frozen=True, slots=True)
class SampleMeter:
    """A meter at one site, for one utility type, billed to one account."""

    id: str
    site: BilledSite
    kind: str
    number: str
    account_id: str
    account_number: str
    unit: str


@dataclass(frozen=True, slots=True)
class BillLine:
    """A line of a bill: `total` is `quantity` times `rate`, rounded to the currency."""

    charge: TariffCharge
    description: str
    quantity: Decimal
    unit: str
    rate: Decimal
    total: Decimal


@dataclass(frozen=True, slots=True)
class MeterReading:
    """What a meter measured in one month, with the parts that some charges are for."""

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
        """The usage outside the peak hours; with `peak` it is exactly `usage`."""
        return self.usage - self.peak


@dataclass(frozen=True, slots=True)
class SampleBill:
    """A month of one meter; the lines, taxes and credits included, add up to `total` exactly."""

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
    # Negative, and part of `total` already.
    credits: Decimal
    previous_total: Decimal

    @property
    def due_on(self) -> date:
        """The date of payment, three weeks after the period's end."""
        # A common term of payment; the provider documents none.
        return self.reading.end + timedelta(days=21)

    @property
    def invoice_id(self) -> str:
        """The utility's own number of the bill."""
        return f"{self.tariff.prefix}-{self.reading.end:%Y%m}-{self.id[:6].upper()}"

    @property
    def file_name(self) -> str:
        """A name for the saved PDF: month, type and id."""
        return f"{self.reading.end:%Y-%m}-{self.meter.kind.lower()}-{self.id[:6]}.pdf"

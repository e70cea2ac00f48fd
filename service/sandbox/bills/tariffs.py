"""The tables behind the sample bills: tariffs, seasons, units, currencies and taxes."""

from dataclasses import dataclass
from decimal import Decimal


@dataclass(frozen=True, slots=True)
class TariffCharge:
    """A charge: its rate in US dollars per US unit of `basis`, which names a quantity of the bill."""

    description: str
    basis: str
    rate: str
    charge_type: str = "USAGE"
    component: str | None = None
    time_of_use: str | None = None


@dataclass(frozen=True, slots=True)
class Tariff:
    """How a utility type is measured and charged; `season` is January to December of the northern hemisphere."""

    company: str
    plan: str
    prefix: str
    monthly_usage: int
    us_unit: str
    metric_unit: str
    metric_factor: str
    season: tuple[float, ...]
    charges: tuple[TariffCharge, ...]


_GAS_SEASON = (1.95, 1.8, 1.45, 0.95, 0.55, 0.32, 0.26, 0.27, 0.4, 0.8, 1.3, 1.8)
_SUN_SEASON = (0.45, 0.6, 0.95, 1.2, 1.45, 1.55, 1.6, 1.45, 1.1, 0.8, 0.5, 0.38)

TARIFFS = {
    "ELECTRICITY": Tariff(
        "Northwind Power & Light",
        "General Service TOU-2",
        "EL",
        11800,
        "kWh",
        "kWh",
        "1",
        (1.04, 0.98, 0.92, 0.86, 0.9, 1.12, 1.3, 1.32, 1.1, 0.9, 0.93, 1.02),
        (
            TariffCharge("Customer charge", "month", "38.50", "FIXED", "DELIVERY"),
            TariffCharge("Energy, peak", "peak", "0.17420", "USAGE", "SUPPLY", "PEAK"),
            TariffCharge("Energy, off-peak", "off_peak", "0.09860", "USAGE", "SUPPLY", "OFF_PEAK"),
            TariffCharge("Distribution", "usage", "0.03175", "USAGE", "DELIVERY"),
            TariffCharge("Demand", "demand", "9.85000", "DEMAND", "DELIVERY"),
        ),
    ),
    "GAS": Tariff(
        "Harbor Gas Company",
        "Commercial Gas G-10",
        "GA",
        460,
        "thm (US)",
        "kWh",
        "29.3",
        _GAS_SEASON,
        (
            TariffCharge("Customer charge", "month", "24.00", "FIXED", "DELIVERY"),
            TariffCharge("Gas supply", "usage", "0.84100", "USAGE", "SUPPLY"),
            TariffCharge("Gas distribution", "usage", "0.41200", "USAGE", "DELIVERY"),
        ),
    ),
    "WATER": Tariff(
        "Clearbrook Water District",
        "Commercial Metered",
        "WA",
        58,
        "HCF",
        "cubic m",
        "2.83",
        (0.86, 0.85, 0.88, 0.95, 1.08, 1.22, 1.34, 1.33, 1.15, 0.98, 0.88, 0.86),
        (
            TariffCharge("Service charge, 1.5 in meter", "month", "31.20", "FIXED"),
            TariffCharge("Water, first tier", "tier_one", "4.18000"),
            TariffCharge("Water, second tier", "tier_two", "5.46000"),
            TariffCharge("Sewer", "usage", "3.27000"),
        ),
    ),
    "SOLAR": Tariff(
        "Daybreak Solar Partners",
        "Power Purchase Agreement",
        "SO",
        3900,
        "kWh",
        "kWh",
        "1",
        _SUN_SEASON,
        (
            TariffCharge("Solar energy generated", "usage", "0.08900", "USAGE", "SUPPLY"),
            TariffCharge("Monitoring and upkeep", "month", "19.00", "FIXED"),
            TariffCharge("Net metering export credit", "export", "-0.05400", "CREDIT"),
        ),
    ),
    "FUEL": Tariff(
        "Granite Ridge Fuel Supply",
        "Scheduled Delivery",
        "FU",
        290,
        "gal (US)",
        "L",
        "3.785",
        (1.75, 1.65, 1.35, 0.9, 0.55, 0.38, 0.32, 0.33, 0.5, 0.85, 1.3, 1.7),
        (
            TariffCharge("Diesel fuel delivered", "usage", "3.64000", "USAGE", "SUPPLY"),
            TariffCharge("Delivery fee", "month", "45.00", "FIXED"),
            TariffCharge("Environmental fee", "usage", "0.03500", "USAGE"),
        ),
    ),
}


@dataclass(frozen=True, slots=True)
class CountryMarket:
    """What depends on the country: currency, tax, units, and in which months it is warm."""

    currency: str
    places: int
    price_level: Decimal
    tax_name: str
    tax_rate: Decimal
    metric: bool
    southern: bool


# Rough levels: bills should look plausible, not convert exactly.
_CURRENCIES = {  # code: (price level against the US dollar, decimal places)
    "USD": ("1", 2),
    "EUR": ("1.15", 2),
    "GBP": ("1.05", 2),
    "CAD": ("1.25", 2),
    "AUD": ("1.5", 2),
    "NZD": ("1.6", 2),
    "JPY": ("150", 0),
    "CHF": ("1.1", 2),
    "SEK": ("9.5", 2),
    "NOK": ("9.8", 2),
    "DKK": ("8.4", 2),
    "MXN": ("16", 2),
    "BRL": ("5.1", 2),
    "INR": ("60", 2),
    "ZAR": ("15", 2),
    "SGD": ("1.35", 2),
    "PLN": ("4.4", 2),
}

_COUNTRIES = {  # code: (currency, tax on the bill, its percentage); the last row is for all other codes
    "US": ("USD", "State and local sales tax", "7.25"),
    "CA": ("CAD", "HST", "13"),
    "GB": ("GBP", "VAT", "20"),
    "AU": ("AUD", "GST", "10"),
    "NZ": ("NZD", "GST", "15"),
    "JP": ("JPY", "Consumption tax", "10"),
    "CH": ("CHF", "VAT", "8.1"),
    "SE": ("SEK", "VAT", "25"),
    "NO": ("NOK", "VAT", "25"),
    "DK": ("DKK", "VAT", "25"),
    "MX": ("MXN", "IVA", "16"),
    "BR": ("BRL", "ICMS", "18"),
    "IN": ("INR", "GST", "18"),
    "ZA": ("ZAR", "VAT", "15"),
    "SG": ("SGD", "GST", "9"),
    "PL": ("PLN", "VAT", "23"),
    "DE": ("EUR", "VAT", "19"),
    "FR": ("EUR", "VAT", "20"),
    "ES": ("EUR", "VAT", "21"),
    "IT": ("EUR", "VAT", "22"),
    "NL": ("EUR", "VAT", "21"),
    "BE": ("EUR", "VAT", "21"),
    "AT": ("EUR", "VAT", "20"),
    "IE": ("EUR", "VAT", "23"),
    "PT": ("EUR", "VAT", "23"),
    "FI": ("EUR", "VAT", "25.5"),
    "GR": ("EUR", "VAT", "24"),
    "": ("USD", "Sales tax", "10"),
}

_SOUTHERN = frozenset({"AR", "AU", "BO", "BR", "BW", "CL", "MZ", "NA", "NZ", "PE", "PY", "UY", "ZA", "ZM", "ZW"})


def market(country: str) -> CountryMarket:
    """Return the market of a two-letter country code; a code without a row is billed in US dollars."""
    currency, tax_name, percent = _COUNTRIES.get(country.upper(), _COUNTRIES[""])
    level, places = _CURRENCIES[currency]
    rate = Decimal(percent) / 100
    return CountryMarket(
        currency, places, Decimal(level), tax_name, rate, metric=country != "US", southern=country in _SOUTHERN
    )

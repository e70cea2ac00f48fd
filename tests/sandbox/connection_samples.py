"""A connection as the sample data sees it, for the tests of bills, meters and PDFs."""

from collections.abc import Sequence
from dataclasses import dataclass

NEW_YEAR_2026 = 1_767_225_600.0


@dataclass(frozen=True)
class SampleSite:
    """A site with only what a bill prints."""

    id: str = "11111111-1111-4111-8111-111111111111"
    name: str = "Headquarters"
    address: str | None = "123 Main St, San Francisco, CA 94105"


@dataclass(frozen=True)
class SampleConnection:
    """A connection with only what the sample data depends on."""

    id: str = "22222222-2222-4222-8222-222222222222"
    company_id: str = "33333333-3333-4333-8333-333333333333"
    sites: Sequence[SampleSite] = (SampleSite(),)
    types: Sequence[str] = ()
    country: str = "US"
    created_at: float = NEW_YEAR_2026

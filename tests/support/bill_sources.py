"""What the sample data of a connection is computed from, for the tests of bills, meters and PDFs."""

from service.sandbox.bills.bill import BilledSite, BillSource
from service.sandbox.wire.enums import SAMPLE_TYPES

NEW_YEAR_2026 = 1_767_225_600.0
HEADQUARTERS = BilledSite(
    "11111111-1111-4111-8111-111111111111", "Headquarters", "123 Main St, San Francisco, CA 94105"
)


def source(
    source_id: str = "22222222-2222-4222-8222-222222222222",
    *,
    sites: tuple[BilledSite, ...] = (HEADQUARTERS,),
    types: tuple[str, ...] = SAMPLE_TYPES,
    country: str = "US",
    created_at: float = NEW_YEAR_2026,
) -> BillSource:
    return BillSource(source_id, "33333333-3333-4333-8333-333333333333", sites, types, country, created_at)

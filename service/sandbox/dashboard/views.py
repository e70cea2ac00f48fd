"""The contexts of the dashboard's pages, filled from the world."""

from dataclasses import dataclass
from decimal import Decimal
from typing import Any, ClassVar
from urllib.parse import urlsplit

from service.sandbox.bills.bill import format_money
from service.sandbox.wire.enums import CONNECTED, PENDING
from service.sandbox.wire.errors import RecordMissing
from service.sandbox.wire.html import SandboxFrame
from service.sandbox.wire.times import naive_time
from service.sandbox.world.records import SandboxCompany, SandboxConnection
from service.sandbox.world.sample_utility import PASSWORD, USERNAME
from service.sandbox.world.world import SandboxWorld

BILLS_PER_PAGE = 50
CHANNEL_NAMES = {"api": "API", "link": "magic link", "invitation": "invitation", "dashboard": "dashboard"}


@dataclass(frozen=True)
class SandboxBreadcrumb:
    """A link to a page above this one."""

    name: str
    url: str


@dataclass(frozen=True)
class SandboxCompanyRow:
    """A company in a list."""

    id: str
    name: str
    external_id: str | None
    sites: int
    connections: int


@dataclass(frozen=True)
class SandboxSiteRow:
    """A site in a list."""

    name: str
    address: str
    external_id: str | None


@dataclass(frozen=True)
class SandboxConnectionRow:
    """A connection in a list, or at the head of its own page; `tone` is fine, poor or neither."""

    id: str
    provider_name: str
    status: str
    tone: str
    site_names: tuple[str, ...]
    made: str
    channel: str


@dataclass(frozen=True)
class SandboxBillRow:
    """A bill in a list."""

    id: str
    month: str
    kind: str
    site: str
    usage: str
    charges: str
    url: str


@dataclass(frozen=True)
class BillLineRow:
    """A charge in a list."""

    name: str
    quantity: str
    rate: str
    amount: str


@dataclass(frozen=True)
class SandboxCompaniesPage:
    """All companies, and a form for a new one."""

    template: ClassVar[str] = "sandbox/companies.html"
    frame: SandboxFrame
    companies: tuple[SandboxCompanyRow, ...]
    name: str
    crumbs: tuple[SandboxBreadcrumb, ...] = ()
    sandbox_username: str = USERNAME
    sandbox_password: str = PASSWORD


@dataclass(frozen=True)
class SandboxCompanyPage:
    """One company: its connections, its sites, and a form for a new site."""

    template: ClassVar[str] = "sandbox/company.html"
    frame: SandboxFrame
    crumbs: tuple[SandboxBreadcrumb, ...]
    id: str
    connections: tuple[SandboxConnectionRow, ...]
    sites: tuple[SandboxSiteRow, ...]
    name: str
    address: str
    sandbox_username: str = USERNAME
    sandbox_password: str = PASSWORD


@dataclass(frozen=True)
class SandboxConnectionPage:
    """One connection with one list page of its bills."""

    template: ClassVar[str] = "sandbox/connection.html"
    frame: SandboxFrame
    crumbs: tuple[SandboxBreadcrumb, ...]
    connection: SandboxConnectionRow
    url: str
    username: str
    country: str
    types: tuple[str, ...]
    owner_email: str | None
    edit_url: str
    bills: tuple[SandboxBillRow, ...]
    total: int
    number: int
    pages: int
    is_coming: bool
    delay: str


@dataclass(frozen=True)
class SandboxBillPage:
    """One bill; the page that `auditTrailUrl` is the address of."""

    template: ClassVar[str] = "sandbox/bill.html"
    frame: SandboxFrame
    crumbs: tuple[SandboxBreadcrumb, ...]
    utility: str
    site: str
    invoice: str
    meter: str
    start: str
    end: str
    usage: str
    due: str
    lines: tuple[BillLineRow, ...]
    total: str
    url: str


HOME = SandboxBreadcrumb("Companies", "/dashboard")


def companies_page(world: SandboxWorld, errors: dict[str, str], name: str) -> SandboxCompaniesPage:
    """Return the page of all companies; `name` is what was entered and refused."""
    rows = (
        SandboxCompanyRow(
            each.id,
            each.name,
            each.external_id,
            len(world.companies.sites_of(each.id)),
            len(world.connections.of(each.id)),
        )
        for each in world.companies
    )
    return SandboxCompaniesPage(SandboxFrame("Companies", errors=errors), tuple(rows), name)


def company_page(
    world: SandboxWorld, company: SandboxCompany, errors: dict[str, str], entered: dict[str, str]
) -> SandboxCompanyPage:
    """Return the page of a company; `entered` is a refused site."""
    sites = (
        SandboxSiteRow(each.name, each.address, each.values["externalId"])
        for each in world.companies.sites_of(company.id)
    )
    rows = (_connection_row(world, each) for each in reversed(world.connections.of(company.id)))
    return SandboxCompanyPage(
        frame=SandboxFrame(company.name, errors=errors),
        crumbs=(HOME,),
        id=company.id,
        connections=tuple(rows),
        sites=tuple(sites),
        name=entered.get("name", ""),
        address=entered.get("address", ""),
    )


def connection_page(world: SandboxWorld, connection: SandboxConnection, number: int) -> SandboxConnectionPage:
    """Return the page of a connection with that list page of its bills, or the last one."""
    company = world.companies.get(connection.company_id)
    documents = world.data.documents_of(connection)
    pages = max(1, -(-len(documents) // BILLS_PER_PAGE))
    number = min(number, pages)
    shown = documents[(number - 1) * BILLS_PER_PAGE : number * BILLS_PER_PAGE]
    return SandboxConnectionPage(
        frame=SandboxFrame(connection.provider_name),
        crumbs=(HOME, SandboxBreadcrumb(company.name, f"/dashboard/companies/{company.id}")),
        connection=_connection_row(world, connection),
        url=connection.url,
        username=connection.username,
        country=connection.country,
        types=tuple(kind.capitalize() for kind in connection.sample_types),
        owner_email=connection.owner_email,
        edit_url=f"/p/connect/{company.public_id}/workflow/{connection.secret}",
        bills=tuple(_bill_row(document) for document in shown),
        total=len(documents),
        number=number,
        pages=pages,
        is_coming=connection.collecting_since_at is not None and not world.data.has_data(connection),
        delay=f"{world.settings.data_delay_seconds:g}",
    )


def bill_page(world: SandboxWorld, connection: SandboxConnection, document_id: str) -> SandboxBillPage:
    """Return the page of a bill; raises `RecordMissing`."""
    found = next((one for one in world.data.documents_of(connection) if one["id"] == document_id), None)
    if found is None:
        raise RecordMissing
    company, row = world.companies.get(connection.company_id), _bill_row(found)
    return SandboxBillPage(
        frame=SandboxFrame(f"{row.kind} bill, {row.month}"),
        crumbs=(
            HOME,
            SandboxBreadcrumb(company.name, f"/dashboard/companies/{company.id}"),
            SandboxBreadcrumb(connection.provider_name, f"/dashboard/connections/{connection.id}"),
        ),
        utility=found["utilityCompany"],
        site=row.site,
        invoice=found["invoiceId"],
        meter=found["usageData"][0]["identifiers"][0]["value"],
        start=found["startDate"],
        end=found["billDate"],
        usage=row.usage,
        due=found["dueDate"],
        lines=tuple(_line_row(line, found["chargesUnits"]) for line in found["lineItems"]),
        total=row.charges,
        url=row.url,
    )


def _connection_row(world: SandboxWorld, connection: SandboxConnection) -> SandboxConnectionRow:
    tones = {CONNECTED: "fine", PENDING: ""}
    return SandboxConnectionRow(
        id=connection.id,
        provider_name=connection.provider_name,
        status=connection.status,
        tone=tones.get(connection.status, "poor"),
        site_names=tuple(world.companies.site(site_id).name for site_id in connection.sites),
        made=naive_time(connection.created_at)[:16].replace("T", " ") + " UTC",
        channel=CHANNEL_NAMES[connection.channel],
    )


def _bill_row(document: dict[str, Any]) -> SandboxBillRow:
    entry = document["usageData"][0]
    return SandboxBillRow(
        id=document["id"],
        month=document["billDate"][:7],
        kind=entry["datasourceType"].capitalize(),
        site=entry["site"]["name"],
        usage=f"{entry['usage']} {entry['usageUnits']}",
        charges=format_money(Decimal(document["totalCharges"]), document["chargesUnits"]),
        # Relative, so that it works whatever address the sandbox is reached by.
        url=urlsplit(document["url"]).path,
    )


def _line_row(line: dict[str, Any], currency: str) -> BillLineRow:
    quantity = f"{line['quantity']} {line['quantityUnits']}"
    return BillLineRow(
        line["description"], quantity, line["rate"], format_money(Decimal(line["totalCharge"]), currency)
    )

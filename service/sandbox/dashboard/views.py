"""The dashboard's pages as typed contexts, filled from the world."""

from dataclasses import dataclass
from typing import Any, ClassVar
from urllib.parse import urlsplit

from service.sandbox.bills.pdf import money_text
from service.sandbox.wire.enums import CONNECTED, PENDING
from service.sandbox.wire.errors import Missing
from service.sandbox.wire.html import SandboxFrame
from service.sandbox.wire.times import naive_time
from service.sandbox.world.records import SandboxCompany, SandboxConnection
from service.sandbox.world.sample_utility import PASSWORD, USERNAME
from service.sandbox.world.world import SandboxWorld

BILLS_A_PAGE = 50
CHANNEL_NAMES = {"api": "API", "link": "magic link", "invitation": "invitation", "dashboard": "dashboard"}


@dataclass(frozen=True)
class Crumb:
    """A way back up."""

    name: str
    url: str


@dataclass(frozen=True)
class CompanyRow:
    """A company of the list."""

    id: str
    name: str
    external_id: str | None
    sites: int
    connections: int


@dataclass(frozen=True)
class SiteRow:
    """A site of a company."""

    name: str
    address: str
    external_id: str | None


@dataclass(frozen=True)
class ConnectionRow:
    """A connection in a list, or at the head of its own page; `tone` is fine, poor or neither."""

    id: str
    provider_name: str
    status: str
    tone: str
    site_names: tuple[str, ...]
    made: str
    channel: str


@dataclass(frozen=True)
class BillRow:
    """A bill of a connection."""

    id: str
    month: str
    kind: str
    site: str
    usage: str
    charges: str
    url: str


@dataclass(frozen=True)
class LineRow:
    """A charge of a bill."""

    name: str
    quantity: str
    rate: str
    amount: str


@dataclass(frozen=True)
class CompaniesBoard:
    """Everything there is, and a form for one more."""

    template: ClassVar[str] = "sandbox/companies.html"
    frame: SandboxFrame
    companies: tuple[CompanyRow, ...]
    name: str
    crumbs: tuple[Crumb, ...] = ()
    sandbox_username: str = USERNAME
    sandbox_password: str = PASSWORD


@dataclass(frozen=True)
class CompanyBoard:
    """One company: its connections, its sites, and a form for one more site."""

    template: ClassVar[str] = "sandbox/company.html"
    frame: SandboxFrame
    crumbs: tuple[Crumb, ...]
    id: str
    connections: tuple[ConnectionRow, ...]
    sites: tuple[SiteRow, ...]
    name: str
    address: str
    sandbox_username: str = USERNAME
    sandbox_password: str = PASSWORD


@dataclass(frozen=True)
class ConnectionBoard:
    """One connection with a page of its bills."""

    template: ClassVar[str] = "sandbox/connection.html"
    frame: SandboxFrame
    crumbs: tuple[Crumb, ...]
    connection: ConnectionRow
    url: str
    username: str
    country: str
    types: tuple[str, ...]
    owner_email: str | None
    edit_url: str
    bills: tuple[BillRow, ...]
    total: int
    number: int
    pages: int
    is_coming: bool
    delay: str


@dataclass(frozen=True)
class BillBoard:
    """One bill: what its audit trail shows."""

    template: ClassVar[str] = "sandbox/bill.html"
    frame: SandboxFrame
    crumbs: tuple[Crumb, ...]
    utility: str
    site: str
    invoice: str
    meter: str
    start: str
    end: str
    usage: str
    due: str
    lines: tuple[LineRow, ...]
    total: str
    url: str


HOME = Crumb("Companies", "/dashboard")


def companies_board(world: SandboxWorld, errors: dict[str, str], name: str) -> CompaniesBoard:
    """List the companies; `name` is what was entered and refused."""
    rows = (
        CompanyRow(
            each.id,
            each.name,
            each.external_id,
            len(world.companies.sites_of(each.id)),
            len(world.connections.of(each.id)),
        )
        for each in world.companies
    )
    return CompaniesBoard(SandboxFrame("Companies", errors=errors), tuple(rows), name)


def company_board(
    world: SandboxWorld, company: SandboxCompany, errors: dict[str, str], entered: dict[str, str]
) -> CompanyBoard:
    """Show a company; `entered` is a refused site."""
    sites = (
        SiteRow(each.name, each.address, each.values["externalId"]) for each in world.companies.sites_of(company.id)
    )
    rows = (_connection_row(world, each) for each in reversed(world.connections.of(company.id)))
    return CompanyBoard(
        frame=SandboxFrame(company.name, errors=errors),
        crumbs=(HOME,),
        id=company.id,
        connections=tuple(rows),
        sites=tuple(sites),
        name=entered.get("name", ""),
        address=entered.get("address", ""),
    )


def connection_board(world: SandboxWorld, connection: SandboxConnection, number: int) -> ConnectionBoard:
    """Show a connection and the page of that number of its bills, or the last one."""
    company = world.companies.get(connection.company_id)
    documents = world.data.documents_of(connection)
    pages = max(1, -(-len(documents) // BILLS_A_PAGE))
    number = min(number, pages)
    shown = documents[(number - 1) * BILLS_A_PAGE : number * BILLS_A_PAGE]
    return ConnectionBoard(
        frame=SandboxFrame(connection.provider_name),
        crumbs=(HOME, Crumb(company.name, f"/dashboard/companies/{company.id}")),
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


def bill_board(world: SandboxWorld, connection: SandboxConnection, document_id: str) -> BillBoard:
    """Show one bill; raises `Missing`."""
    found = next((one for one in world.data.documents_of(connection) if one["id"] == document_id), None)
    if found is None:
        raise Missing
    company, row = world.companies.get(connection.company_id), _bill_row(found)
    return BillBoard(
        frame=SandboxFrame(f"{row.kind} bill, {row.month}"),
        crumbs=(
            HOME,
            Crumb(company.name, f"/dashboard/companies/{company.id}"),
            Crumb(connection.provider_name, f"/dashboard/connections/{connection.id}"),
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


def _connection_row(world: SandboxWorld, connection: SandboxConnection) -> ConnectionRow:
    tones = {CONNECTED: "fine", PENDING: ""}
    return ConnectionRow(
        id=connection.id,
        provider_name=connection.provider_name,
        status=connection.status,
        tone=tones.get(connection.status, "poor"),
        site_names=tuple(world.companies.site(site_id).name for site_id in connection.sites),
        made=naive_time(connection.created_at)[:16].replace("T", " ") + " UTC",
        channel=CHANNEL_NAMES[connection.channel],
    )


def _bill_row(document: dict[str, Any]) -> BillRow:
    entry = document["usageData"][0]
    return BillRow(
        id=document["id"],
        month=document["billDate"][:7],
        kind=entry["datasourceType"].capitalize(),
        site=entry["site"]["name"],
        usage=f"{entry['usage']} {entry['usageUnits']}",
        charges=money_text(document["totalCharges"], document["chargesUnits"]),
        url=urlsplit(document["url"]).path,
    )


def _line_row(line: dict[str, Any], currency: str) -> LineRow:
    quantity = f"{line['quantity']} {line['quantityUnits']}"
    return LineRow(line["description"], quantity, line["rate"], money_text(line["totalCharge"], currency))

"""The contexts of the dashboard's pages, filled from the world."""

from dataclasses import dataclass
from typing import ClassVar

from service.sandbox.dashboard.rows import (
    BillLineRow,
    SandboxBillRow,
    SandboxCompanyRow,
    SandboxConnectionRow,
    SandboxInvitationRow,
    SandboxJobRow,
    SandboxSiteRow,
    bill_row,
    connection_row,
    invitation_row,
    job_row,
    line_row,
    minute,
)
from service.sandbox.wire.enums import STATUSES
from service.sandbox.wire.errors import RecordMissing
from service.sandbox.wire.html import SandboxFrame
from service.sandbox.world.records import SandboxCompany, SandboxConnection
from service.sandbox.world.sample_utility import PASSWORD, USERNAME
from service.sandbox.world.world import SandboxWorld

BILLS_PER_PAGE = 50
ROWS_MOST = 50
"""How many invitations and jobs a company's page shows, the newest."""


@dataclass(frozen=True)
class SandboxBreadcrumb:
    """A link to a page above this one."""

    name: str
    url: str


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
    invitations: tuple[SandboxInvitationRow, ...]
    jobs: tuple[SandboxJobRow, ...]
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
    check: str
    mfa_address: str
    statuses: tuple[str, ...] = STATUSES


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
    # The newest first: what was just connected is what a developer looks for.
    rows = (connection_row(world, each) for each in reversed(world.connections.of(company.id)))
    return SandboxCompanyPage(
        frame=SandboxFrame(company.name, errors=errors),
        crumbs=(HOME,),
        id=company.id,
        connections=tuple(rows),
        sites=tuple(sites),
        invitations=tuple(invitation_row(world, each) for each in world.invitations.of(company.id)[:ROWS_MOST]),
        jobs=tuple(job_row(world, each) for each in world.uploads.jobs_of(company.id)[:ROWS_MOST]),
        name=entered.get("name", ""),
        address=entered.get("address", ""),
    )


def connection_page(world: SandboxWorld, connection: SandboxConnection, number: int) -> SandboxConnectionPage:
    """Return the page of a connection with that list page of its bills, or the last one."""
    company = world.companies.get(connection.company_id)
    documents = world.data.documents_of(connection)
    pages = max(1, -(-len(documents) // BILLS_PER_PAGE))
    # A typed address may name any page.
    number = min(number, pages)
    shown = documents[(number - 1) * BILLS_PER_PAGE : number * BILLS_PER_PAGE]
    return SandboxConnectionPage(
        frame=SandboxFrame(connection.provider_name),
        crumbs=(HOME, SandboxBreadcrumb(company.name, f"/dashboard/companies/{company.id}")),
        connection=connection_row(world, connection),
        url=connection.url,
        username=connection.username,
        country=connection.country,
        types=tuple(kind.capitalize() for kind in connection.sample_types),
        owner_email=connection.owner_email,
        edit_url=f"/p/connect/{company.public_id}/workflow/{connection.secret}",
        bills=tuple(bill_row(document) for document in shown),
        total=len(documents),
        number=number,
        pages=pages,
        is_coming=connection.collecting_since_at is not None and not world.data.has_data(connection),
        delay=f"{world.settings.data_delay_seconds:g}",
        check=_check_words(world, connection),
        mfa_address=connection.mfa_address,
    )


def bill_page(world: SandboxWorld, connection: SandboxConnection, document_id: str) -> SandboxBillPage:
    """Return the page of a bill; raises `RecordMissing`."""
    found = next((one for one in world.data.documents_of(connection) if one["id"] == document_id), None)
    if found is None:
        raise RecordMissing
    company, row = world.companies.get(connection.company_id), bill_row(found)
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
        lines=tuple(line_row(line, found["chargesUnits"]) for line in found["lineItems"]),
        total=row.charges,
        url=row.url,
    )


def _check_words(world: SandboxWorld, connection: SandboxConnection) -> str:
    """Return when a check ends and what it will find; empty where none is running."""
    check = world.checks.find(connection.id)
    return f"ends {minute(world.clock.as_shown(check.due_at, check.company_id))} as {check.status}" if check else ""

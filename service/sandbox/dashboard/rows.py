"""The rows of the dashboard's tables, filled from the world and from the provider's JSON."""

from dataclasses import dataclass
from decimal import Decimal
from typing import Any
from urllib.parse import urlsplit

from service.sandbox.bills.bill import format_money
from service.sandbox.wire.enums import CONNECTED, PENDING
from service.sandbox.wire.times import naive_time
from service.sandbox.world.records import SandboxConnection, SandboxInvitation, SandboxJob
from service.sandbox.world.uploads import DUPLICATE, NOT_A_BILL, PARSED
from service.sandbox.world.world import SandboxWorld

CHANNEL_NAMES = {"api": "API", "link": "magic link", "invitation": "invitation", "dashboard": "dashboard"}
ACTIVITY = {"VIEWED": "viewed", "EMAIL_VERIFIED": "e-mail verified", "USED": "submitted", "REVOKED": "revoked"}
OUTCOMES = {PARSED: "read", DUPLICATE: "duplicate", NOT_A_BILL: "no bill"}


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
class SandboxInvitationRow:
    """An invitation in a list, with its activity log in words."""

    kind: str
    status: str
    uses: str
    made: str
    activity: tuple[str, ...]


@dataclass(frozen=True)
class SandboxJobRow:
    """An upload job in a list; `files` has each file's name and what became of it."""

    id: str
    status: str
    made: str
    files: tuple[str, ...]


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


def connection_row(world: SandboxWorld, connection: SandboxConnection) -> SandboxConnectionRow:
    """Return the row of a connection."""
    # Each other status is a trouble with the account.
    tones = {CONNECTED: "fine", PENDING: ""}
    return SandboxConnectionRow(
        id=connection.id,
        provider_name=connection.provider_name,
        status=connection.status,
        tone=tones.get(connection.status, "poor"),
        site_names=tuple(world.companies.site(site_id).name for site_id in connection.sites),
        made=minute(connection.created_at),
        channel=CHANNEL_NAMES[connection.channel],
    )


def minute(at: float) -> str:
    """Return a time of the sandbox to the minute."""
    return naive_time(at)[:16].replace("T", " ") + " UTC"


def invitation_row(world: SandboxWorld, invitation: SandboxInvitation) -> SandboxInvitationRow:
    """Return the row of an invitation, with its whole log."""
    return SandboxInvitationRow(
        kind="reconnect" if invitation.connection_id else "connect",
        status=world.invitations.status(invitation),
        uses=f"{invitation.use_count} of {invitation.max_uses or 'any number'}",
        made=minute(invitation.created_at),
        activity=tuple(f"{ACTIVITY[each['type']]} {minute(each['createdAt'])}" for each in invitation.log),
    )


def job_row(world: SandboxWorld, job: SandboxJob) -> SandboxJobRow:
    """Return the row of an upload job, with what became of each file."""
    files = (
        f"{each.file_name}: {OUTCOMES[each.outcome]}" if each.outcome else each.file_name
        for each in world.uploads.files_of(job)
    )
    return SandboxJobRow(job.id, job.status, minute(job.created_at), tuple(files))


def bill_row(document: dict[str, Any]) -> SandboxBillRow:
    """Return the row of a document in the provider's JSON."""
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


def line_row(line: dict[str, Any], currency: str) -> BillLineRow:
    """Return the row of a line item in the provider's JSON."""
    quantity = f"{line['quantity']} {line['quantityUnits']}"
    return BillLineRow(
        line["description"], quantity, line["rate"], format_money(Decimal(line["totalCharge"]), currency)
    )

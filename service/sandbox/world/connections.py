"""Connections: what they hold, how credentials are judged, how they look on the wire.

Reference: the provider's sandbox guide for the credentials and the number of sites.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from service.sandbox.wire import fields
from service.sandbox.wire.enums import SAMPLE_TYPES, UTILITY_TYPES, status_detail
from service.sandbox.wire.errors import Invalid
from service.sandbox.wire.times import maybe_time, rest_time
from service.sandbox.world.companies import Company
from service.sandbox.world.rows import Noun

PROVIDER_URL = "https://nectarclimate.com"
PROVIDER_NAME = "Nectar Sandbox Utility"
USERNAME = "nectar-sandbox-username"
PASSWORD = "nectar-sandbox-password"  # noqa: S105 - published in the provider's guide
MFA_CODE = "123456"
SITES_MOST = 3

CHECKS: dict[str, fields.Check] = {
    "url": fields.web_url,
    "username": fields.text(1, 255),
    "password": fields.secret,
    "sites": fields.listing(fields.uuid, 100),
    "country": fields.country,
    "initialDatasourceTypes": fields.listing(fields.choice(UTILITY_TYPES), len(UTILITY_TYPES)),
    "workflowOwnerEmail": fields.nullable(fields.email),
    "dataCollectionStartDate": fields.nullable(fields.iso_day),
    "multiplyByOccupancy": fields.boolean,
    "externalId": fields.nullable(fields.text(0, 255)),
}


@dataclass(frozen=True)
class Submission:
    """What someone entered about a utility account; the password is not kept."""

    url: str
    username: str
    password: str
    sites: tuple[str, ...]
    country: str = "US"
    types: tuple[str, ...] = ()
    owner_email: str | None = None
    start_date: str | None = None
    multiply_by_occupancy: bool = False
    external_id: str | None = None


@dataclass(frozen=True)
class Connection(Noun):
    """A utility account of a company. `secret` is its edit link's; `via` tells which door made it."""

    company_id: str
    secret: str
    url: str
    username: str
    sites: tuple[str, ...]
    status: str
    created_at: float
    updated_at: float
    status_at: float
    first_seen_at: float
    country: str = "US"
    types: tuple[str, ...] = ()
    owner_email: str | None = None
    start_date: str | None = None
    multiply_by_occupancy: bool = False
    external_id: str | None = None
    door: str = "api"
    invitation_id: str | None = None
    collecting_since_at: float | None = None
    """When credentials first worked: sample documents appear the data delay after this."""
    announced: bool = False
    """Whether the events of its documents have been queued."""
    shown_at: float | None = 0.0
    """From when the API shows it; None while its webhook goes first."""
    shown_after_seconds: float = 0.0
    """How long after that webhook the API shows it."""

    @property
    def sample_types(self) -> tuple[str, ...]:
        """The utility types that sample documents are made for: those asked for, or all that the sandbox has."""
        return tuple(kind for kind in SAMPLE_TYPES if kind in self.types) if self.types else SAMPLE_TYPES

    @property
    def provider_name(self) -> str:
        """The utility company's name."""
        return PROVIDER_NAME if is_sandbox_url(self.url) else (urlsplit(self.url).hostname or self.url)

    def as_wire(self, company: Company, accounts: list[dict[str, Any]] | None = None) -> dict[str, Any]:
        """The provider's Connection; the password is never in it."""
        return {
            "id": self.id,
            "created": rest_time(self.created_at),
            "updated": rest_time(self.updated_at),
            "publicCompanyId": company.public_id,
            "connectionMagicLinkSecret": self.secret,
            "status": self.status,
            "statusLastUpdateTime": maybe_time(self.status_at),
            "statusFirstSeenTime": maybe_time(self.first_seen_at),
            "statusErrorDetail": status_detail(self.status),
            "externalId": self.external_id,
            "datasource": {"name": self.provider_name, "url": self.url},
            "company": company.as_reference(),
            "accounts": accounts or [],
            "url": self.url,
            "country": self.country,
            "username": self.username,
            "initialSites": list(self.sites),
            "initialDatasourceTypes": list(self.types),
            "workflowOwnerEmail": self.owner_email,
            "dataCollectionStartDate": self.start_date,
            "multiplyByOccupancy": self.multiply_by_occupancy,
            "isActive": True,
        }


def read_submission(body: Mapping[str, Any], *, sites_later: bool = False) -> Submission:
    """Checks wire-named fields of an API body or of a form; raises `Invalid` naming each wrong one.

    A page that asks for the sites after the sign-in says `sites_later`, and sends them with an edit.
    """
    required = ("url", "username", "password") if sites_later else ("url", "username", "password", "sites")
    return _submission({"sites": [], **fields.read(body, CHECKS, required)}, sites_later=sites_later)


def read_edit(connection: Connection, body: Mapping[str, Any]) -> Submission:
    """The same for an edit: what is absent stays, and without a password the credentials are left as they are."""
    sent = {name: value for name, value in body.items() if value not in ("", None)}
    values = fields.read(sent, CHECKS)
    kept = {
        "url": connection.url,
        "username": connection.username,
        "password": "",
        "sites": list(connection.sites),
        "country": connection.country,
        "initialDatasourceTypes": connection.types,
        "workflowOwnerEmail": connection.owner_email,
        "dataCollectionStartDate": connection.start_date,
        "multiplyByOccupancy": connection.multiply_by_occupancy,
        "externalId": connection.external_id,
    }
    submission = _submission({**kept, **values}, sites_later=True)
    if not submission.password and (submission.url, submission.username) != (connection.url, connection.username):
        raise Invalid({"password": ["This field is required."]})
    return submission


def _submission(values: Mapping[str, Any], *, sites_later: bool = False) -> Submission:
    sites = values["sites"]
    if not sites and not sites_later:
        raise Invalid({"sites": ["This list may not be empty."]})
    if len(sites) > SITES_MOST:
        raise Invalid({"sites": [f"Ensure this field has no more than {SITES_MOST} elements."]})
    return Submission(
        url=values["url"],
        username=values["username"],
        password=values["password"],
        sites=tuple(sites),
        country=values.get("country", "US"),
        types=tuple(values.get("initialDatasourceTypes", ())),
        owner_email=values.get("workflowOwnerEmail"),
        start_date=values.get("dataCollectionStartDate"),
        multiply_by_occupancy=values.get("multiplyByOccupancy", False),
        external_id=values.get("externalId"),
    )


def is_sandbox_url(url: str) -> bool:
    """The guide's provider address, with or without `www.` and a closing slash."""
    parts = urlsplit(url)
    return parts.hostname in {"nectarclimate.com", "www.nectarclimate.com"} and parts.path in {"", "/"}

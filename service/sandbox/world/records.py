"""What the sandbox stores about companies and connections, and each record in the provider's JSON.

Persisted as JSON: a new field needs a default, a renamed one an entry in its table's `stored_as`.
"""

from dataclasses import dataclass, field
from typing import Any, Literal
from urllib.parse import urlsplit

from service.sandbox.wire.enums import SAMPLE_TYPES, status_detail
from service.sandbox.wire.times import maybe_time, rest_time
from service.sandbox.world.rows import SandboxRecord
from service.sandbox.world.sample_utility import PROVIDER_NAME, is_sandbox_url

Channel = Literal["api", "link", "invitation", "dashboard"]
InvitationStatus = Literal["ACTIVE", "EXPIRED", "REVOKED", "FULFILLED"]

CREATE_INVITATION = "CREATE_CONNECTION"
EDIT_INVITATION = "EDIT_CONNECTION"


@dataclass(frozen=True)
class SandboxSite(SandboxRecord):
    """A site of a company; `values` has its JSON fields except the id."""

    company_id: str
    created_at: float
    values: dict[str, Any] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """The site's name."""
        return str(self.values["name"])

    @property
    def address(self) -> str:
        """The postal address; may be empty."""
        return str(self.values["address"])

    def as_wire(self) -> dict[str, Any]:
        """Return the provider's Site."""
        return {"id": self.id, **self.values}


@dataclass(frozen=True)
class SandboxCompany(SandboxRecord):
    """A company; `public_id` is part of link addresses and never of the company's JSON."""

    public_id: str
    created_at: float
    values: dict[str, Any] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """The company's name."""
        return str(self.values["name"])

    @property
    def external_id(self) -> str | None:
        """The caller's own id of the company."""
        value: str | None = self.values["externalId"]
        return value

    def as_wire(self, sites: list[SandboxSite]) -> dict[str, Any]:
        """Return the provider's Company."""
        # `public_id` stays out: it is part of link addresses, and none can be guessed from a company's id.
        return {"id": self.id, **self.values, "sites": [site.as_wire() for site in sites]}

    def as_reference(self) -> dict[str, Any]:
        """Return the short form that connections contain."""
        return {"id": self.id, "name": self.name, "externalId": self.external_id}


@dataclass(frozen=True)
class SandboxConnection(SandboxRecord):
    """A utility account of a company.

    `secret` is that of its edit link, `channel` says how the connection was created.
    """

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
    channel: str = "api"
    invitation_id: str | None = None
    collecting_since_at: float | None = None
    """When credentials first worked: sample documents appear the data delay after this."""
    announced: bool = False
    """Whether the webhooks for its documents are queued."""
    shown_at: float | None = 0.0
    """From when the API shows it; None until the webhook that `webhook_first` sends ahead was sent."""
    shown_after_seconds: float = 0.0
    """How long after that webhook the API shows it."""
    custom_name: str = ""
    """The name of a provider that is not on the list, as the user gave it."""
    mfa_address: str = ""
    """The generated address to which the utility sends its codes."""

    @property
    def sample_types(self) -> tuple[str, ...]:
        """The utility types that sample documents are created for: the requested ones, or all that the sandbox has."""
        return tuple(kind for kind in SAMPLE_TYPES if kind in self.types) if self.types else SAMPLE_TYPES

    @property
    def provider_name(self) -> str:
        """The utility company's name."""
        # The provider knows the names of utilities; the sandbox knows one, and uses the host for others.
        if is_sandbox_url(self.url):
            return PROVIDER_NAME
        return self.custom_name or urlsplit(self.url).hostname or self.url

    def as_wire(self, company: SandboxCompany, accounts: list[dict[str, Any]] | None = None) -> dict[str, Any]:
        """Return the provider's Connection; the password is not stored, so it is never in it."""
        return {
            "id": self.id,
            "created": rest_time(self.created_at),
            "updated": rest_time(self.updated_at),
            "publicCompanyId": company.public_id,
            # Whoever has this secret can edit the account: the API shows it to the key's owner, as the provider does.
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
            # Only the newest page of the provider's documentation has this field, and none says when it is false.
            "isActive": True,
        }


@dataclass(frozen=True)
class SandboxCheck(SandboxRecord):
    """A check of a connection's sign-in that has not ended; its id is the connection's."""

    company_id: str
    due_at: float
    status: str
    """What the check will have found."""


@dataclass(frozen=True)
class SandboxMagicLink(SandboxRecord):
    """A magic link; with a `connection_id` it edits that connection. `prefill` has the API's field names."""

    company_id: str
    created_at: float
    connection_id: str | None = None
    prefill: dict[str, Any] = field(default_factory=dict)
    redirect_uri: str | None = None
    state: str | None = None

    @property
    def secret(self) -> str:
        """The last part of the link's address, which is also its id."""
        return self.id


@dataclass(frozen=True)
class SandboxInvitation(SandboxRecord):
    """An invitation with its uses and its log. `verified` maps a page's proof to the e-mail address it verified."""

    token: str
    company_id: str
    created_at: float
    kind: str = CREATE_INVITATION
    connection_id: str | None = None
    allowed_emails: tuple[str, ...] = ()
    expires_at: float | None = None
    max_uses: int | None = None
    use_count: int = 0
    revoked_at: float | None = None
    prefill: dict[str, Any] = field(default_factory=dict)
    created: tuple[str, ...] = ()
    log: tuple[dict[str, Any], ...] = ()
    verified: dict[str, str] = field(default_factory=dict)
    redirect_uri: str | None = None
    state: str | None = None

    def status(self, now: float) -> InvitationStatus:
        """Return the provider's status at that time; an invitation without a limit of uses is never fulfilled."""
        # Several may be true at once; the first of them is the status.
        if self.revoked_at is not None:
            return "REVOKED"
        if self.max_uses is not None and self.use_count >= self.max_uses:
            return "FULFILLED"
        if self.expires_at is not None and self.expires_at <= now:
            return "EXPIRED"
        return "ACTIVE"

    def as_wire(self, status: str, url: str, connections: list[dict[str, Any]]) -> dict[str, Any]:
        """Return the provider's Invitation, without its log."""
        return {
            "id": self.id,
            "token": self.token,
            "invitationType": self.kind,
            "status": status,
            "invitationUrl": url,
            "companyId": self.company_id,
            "connectionId": self.connection_id,
            "allowedEmails": list(self.allowed_emails),
            "expiresAt": maybe_time(self.expires_at),
            "maxUses": self.max_uses,
            "useCount": self.use_count,
            "createdAt": rest_time(self.created_at),
            "prefill": self.prefill,
            "createdConnections": connections,
        }

    def log_as_wire(self, latest_at: float | None = None) -> list[dict[str, Any]]:
        """Return the log up to a time, oldest first. The provider documents no shape of an entry; this one is ours."""
        kept = (entry for entry in self.log if latest_at is None or entry["createdAt"] <= latest_at)
        return [{**entry, "createdAt": rest_time(entry["createdAt"])} for entry in kept]


@dataclass(frozen=True)
class SandboxJob(SandboxRecord):
    """An upload job; its files are `SandboxUpload`s."""

    company_id: str
    created_at: float
    due_at: float
    status: str = "PENDING"
    fails: bool = False


@dataclass(frozen=True)
class SandboxUpload(SandboxRecord):
    """One uploaded file; its id is that of the document that it becomes."""

    company_id: str
    job_id: str
    site_id: str
    file_name: str
    digest: str
    kind: str
    planned: str = ""
    """The outcome that a trouble, or the content, has decided already."""
    outcome: str = ""
    duplicate_of: str = ""
    number: int = 0
    """How many bills of its site and type were read before it."""
    ended_at: float = 0.0


@dataclass(frozen=True)
class SandboxTracking(SandboxRecord):
    """Whether an account or a meter, whose id it has, is tracked, once that was changed."""

    company_id: str
    is_tracked: bool

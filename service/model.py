"""Nouns of the product: frozen, without I/O. Times are float seconds since the epoch, UTC.

`*_at` holds our own clock; `provider_*_at` (and everything in `History`) holds the provider's. They are never compared.
Ids: `SessionId` "ses_…", `EventId` "evt_…", `CompanyRef` and `SiteRef` are our rows; `Provider…` ids are its UUIDs.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, NewType, Protocol

SessionId = NewType("SessionId", str)
EventId = NewType("EventId", str)
CompanyRef = NewType("CompanyRef", str)
SiteRef = NewType("SiteRef", str)
Tenant = NewType("Tenant", str)
UserId = NewType("UserId", str)
ConnectionId = NewType("ConnectionId", str)
InvitationId = NewType("InvitationId", str)
ProviderCompanyId = NewType("ProviderCompanyId", str)
ProviderSiteId = NewType("ProviderSiteId", str)

JsonObject = dict[str, Any]


class Clock(Protocol):
    """Seconds since the epoch, UTC."""

    def __call__(self) -> float:
        """Tell the time."""
        ...


class SessionStatus(StrEnum):
    """Where a session stands (interface: Session `status`)."""

    CREATED = "created"
    OPENED = "opened"
    CONNECTED = "connected"
    EXPIRED = "expired"
    REVOKED = "revoked"
    EXITED = "exited"
    FAILED = "failed"


class LinkKind(StrEnum):
    """What the provider calls the URL that a session opens."""

    MAGIC_LINK = "magic_link"
    INVITATION = "invitation"


class LinkChoice(StrEnum):
    """What the host asked for; `auto` is an invitation, or a magic link where those are refused."""

    AUTO = "auto"
    MAGIC_LINK = "magic_link"
    INVITATION = "invitation"


class LinkStatus(StrEnum):
    """Whether the provider has given the session's URL."""

    PENDING = "pending"
    READY = "ready"
    FAILED = "failed"


class Mode(StrEnum):
    """A session makes new connections, or repairs a recorded one."""

    CONNECT = "connect"
    RECONNECT = "reconnect"


class EvidenceKind(StrEnum):
    """Why a connection belongs to a session, strongest first."""

    INVITATION = "invitation"
    CLAIMED = "claimed"
    RECONNECT = "reconnect"
    SOLE_CANDIDATE = "sole_candidate"


@dataclass(frozen=True, slots=True)
class Link:
    """The provider's URL for a session. `url` is as good as a password until used: never logged, never in an event."""

    kind: LinkKind
    url: str
    provider_given_at: float
    invitation_id: InvitationId | None = None


@dataclass(frozen=True, slots=True)
class Site:
    """A place whose bills are wanted. `provider_id` is None until the provider has given it."""

    ref: SiteRef
    external_id: str | None
    name: str | None
    address: str | None
    provider_id: ProviderSiteId | None


@dataclass(frozen=True, slots=True)
class Company:
    """The host's customer at the provider. `provider_since_at`: when its first session here found or created it."""

    ref: CompanyRef
    tenant: Tenant
    external_id: str | None
    name: str | None
    provider_id: ProviderCompanyId | None
    provider_since_at: float | None


@dataclass(frozen=True, slots=True)
class Session:
    """One end user's attempt to connect, or to reconnect."""

    id: SessionId
    tenant: Tenant
    user_id: UserId
    company: Company
    sites: tuple[Site, ...]
    mode: Mode
    status: SessionStatus
    link_choice: LinkChoice
    link_kind: LinkKind
    link_status: LinkStatus
    created_at: float
    expires_at: float
    serial: int
    issued_at: int
    key_id: str
    origin: str | None = None
    return_url: str | None = None
    locale: str = "en"
    user_label: str | None = None
    user_email: str | None = None
    support_url: str | None = None
    prefill: Mapping[str, Any] = field(default_factory=dict)
    metadata: Mapping[str, str] = field(default_factory=dict)
    connection_id: ConnectionId | None = None
    failure: str | None = None
    link: Link | None = None
    page_hash: str | None = None
    page_serial: int = 0
    taken_over: bool = False
    opened_at: float | None = None
    revealed_at: float | None = None
    finished_at: float | None = None
    seen_at: float | None = None
    revoked_at: float | None = None
    invitation_uses: int = 0

    @property
    def closed(self) -> bool:
        """Whether no page of it may go on."""
        return self.status in {SessionStatus.EXPIRED, SessionStatus.REVOKED, SessionStatus.FAILED}


@dataclass(frozen=True, slots=True)
class Event:
    """One thing that happened; `seq` is its place in the order in which readers see events."""

    id: EventId
    seq: int
    tenant: Tenant
    type: str
    at: float
    session_id: SessionId | None
    connection_id: ConnectionId | None
    user_id: UserId | None
    data: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class SeenConnection:
    """A connection as the provider tells it. `status` is verbatim."""

    id: ConnectionId
    status: str
    provider_created_at: float
    provider_updated_at: float
    provider_name: str | None = None
    provider_url: str | None = None
    sites: tuple[ProviderSiteId, ...] = ()
    company_id: ProviderCompanyId | None = None


@dataclass(frozen=True, slots=True)
class SeenInvitation:
    """An invitation as the provider tells it, ours or not; a reconnect invitation `edits` a connection."""

    id: InvitationId
    url: str
    status: str
    use_count: int
    created: frozenset[ConnectionId]
    provider_created_at: float
    edits: ConnectionId | None = None
    lifetime_seconds: float | None = None


@dataclass(frozen=True, slots=True)
class Reading:
    """What the provider's lists said of one company; `provider_at` is the Date of the first answer of the reading."""

    provider_at: float
    connections: tuple[SeenConnection, ...]
    invitations: tuple[SeenInvitation, ...]


@dataclass(frozen=True, slots=True)
class Candidate:
    """A session that a connection could belong to."""

    session_id: SessionId
    tenant: Tenant
    user_id: UserId


@dataclass(frozen=True, slots=True)
class Reveal:
    """A magic link was shown to a page at `provider_at`, and perhaps withdrawn."""

    who: Candidate
    provider_at: float
    provider_revoked_at: float | None = None


@dataclass(frozen=True, slots=True)
class Naming:
    """An invitation lists the connection; `who` is None where the invitation is not one of our sessions'."""

    invitation_id: InvitationId
    who: Candidate | None


@dataclass(frozen=True, slots=True)
class Claim:
    """The host settled it; `undone` claims stay in the history and count for nothing."""

    who: Candidate
    at: float
    undone: bool = False


@dataclass(frozen=True, slots=True)
class History:
    """All facts that bear on one connection: sets, because the order in which they came must not matter."""

    connection_id: ConnectionId
    provider_created_at: float
    reveals: frozenset[Reveal] = frozenset()
    namings: frozenset[Naming] = frozenset()
    claims: frozenset[Claim] = frozenset()
    cleared: bool = False
    unclear: bool = False


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whose connection it is. `waiting`: more news may still decide, so nothing is announced as ambiguous yet."""

    kind: EvidenceKind | None = None
    who: Candidate | None = None
    presumed: bool = False
    waiting: bool = False
    candidates: frozenset[Candidate] = frozenset()


@dataclass(frozen=True, slots=True)
class Connection:
    """A recorded provider connection: the provider's truth beside our verdict."""

    id: ConnectionId
    company: CompanyRef
    tenant: Tenant
    seen: SeenConnection
    verdict: Verdict
    recorded_at: float
    updated_at: float
    evidence_at: float | None = None
    cross_device: bool = False
    missing_at: float | None = None
    removed_at: float | None = None

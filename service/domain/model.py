"""The values of the product: frozen, without I/O. Times are float seconds since the epoch, UTC.

`*_at` is a time of this service's clock, `provider_*_at` one of the provider's clock. The two are never compared. In
`ConnectionFacts` and what it holds, all times are the provider's, except when a claim was made.
A `…Ref` is a row of this service; `ConnectionId` and the `Provider…Id`s are the provider's UUIDs.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, NewType, Protocol

from service.domain.provider_steps import LogStep
from service.domain.session_status import ACHIEVED, ENDED, Progress, SessionStatus, progress_of, status_of_session
from service.domain.statuses import REMOVED_STATUS, ConnectionState, canonical_status, state_of
from service.domain.theme import Theme

SessionId = NewType("SessionId", str)
EventId = NewType("EventId", str)
CompanyRef = NewType("CompanyRef", str)
SiteRef = NewType("SiteRef", str)
Tenant = NewType("Tenant", str)
UserId = NewType("UserId", str)
UserRef = NewType("UserRef", str)
ConnectionId = NewType("ConnectionId", str)
InvitationId = NewType("InvitationId", str)
ProviderCompanyId = NewType("ProviderCompanyId", str)
ProviderSiteId = NewType("ProviderSiteId", str)

# The operator's own tenant: it may name whatever the provider shows to the operator's API key.
DEFAULT_TENANT = Tenant("default")

JsonObject = dict[str, Any]


class Clock(Protocol):
    """Seconds since the epoch, UTC."""

    def __call__(self) -> float:
        """Return the current time."""


class LinkKind(StrEnum):
    """The two kinds of URL that the provider makes for a session."""

    MAGIC_LINK = "magic_link"
    INVITATION = "invitation"


class LinkChoice(StrEnum):
    """The `link` of a request; `auto` makes an invitation, or a magic link where the provider refuses invitations."""

    AUTO = "auto"
    MAGIC_LINK = "magic_link"
    INVITATION = "invitation"


class LinkStatus(StrEnum):
    """Whether the provider has given the session's URL."""

    PENDING = "pending"
    READY = "ready"
    FAILED = "failed"


class Mode(StrEnum):
    """Whether a session makes new connections or mends a recorded one."""

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
    """The provider's URL for a session. Anyone who has `url` can use it, so it is in no log, event or API answer."""

    kind: LinkKind
    url: str
    provider_given_at: float
    invitation_id: InvitationId | None = None


@dataclass(frozen=True, slots=True)
class Site:
    """A place whose bills are wanted; `provider_id` is None until the provider has given it."""

    ref: SiteRef
    external_id: str | None
    name: str | None
    address: str | None
    provider_id: ProviderSiteId | None


@dataclass(frozen=True, slots=True)
class Company:
    """The host's customer at the provider; `provider_since_at` is when its first session found or created it there."""

    ref: CompanyRef
    tenant: Tenant
    external_id: str | None
    name: str | None
    provider_id: ProviderCompanyId | None
    provider_since_at: float | None
    polled_at: float | None = None  # when the last poll began that the provider answered
    failed_at: float | None = None  # since when polls fail; None while the provider answers


@dataclass(frozen=True, slots=True)
class Session:
    """One end user's attempt to connect, or to reconnect, utility accounts.

    `serial`, `issued_at` and `key_id`: its page tokens are derived from them. `page_hash`: digest of the bound page's
    key. `resume_hash`: digest of the value with which the same page starts again; `resume_by_host`: the host's page has
    that value. `link_used_at`: when a use of its link was noticed. `provider_steps`: in its invitation's log.
    `settled_at`: when it was achieved or closed. `user_id`: None once its user was erased; `user` stays.
    """

    id: SessionId
    tenant: Tenant
    user: UserRef
    user_id: UserId | None
    company: Company
    sites: tuple[Site, ...]
    mode: Mode
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
    locale: str = ""  # empty: the host gave none
    user_label: str | None = None
    user_email: str | None = None  # "": the host gave one, and no key of this process decrypts it
    support_url: str | None = None
    help_urls: Mapping[str, str] = field(default_factory=dict)
    webhook_url: str | None = None
    webhook_endpoint: str | None = None
    theme: Theme = field(default_factory=Theme)
    ancestors: tuple[str, ...] = ()
    max_connections: int = 1
    more_asked: int = 0  # how many further accounts its user asked to connect
    prefill: Mapping[str, Any] = field(default_factory=dict)
    metadata: Mapping[str, str] = field(default_factory=dict)
    connection_id: ConnectionId | None = None
    failure: str | None = None
    link: Link | None = None
    page_hash: str | None = None
    page_serial: int = 0
    resume_hash: str | None = None
    resume_by_host: bool = False
    resumed_by_host: bool = False
    taken_over: bool = False
    handoff_hash: str | None = None
    handoff_tries: int = 0
    follower_hash: str | None = None
    follower_resume_hash: str | None = None
    opened_at: float | None = None
    revealed_at: float | None = None
    finished_at: float | None = None
    seen_at: float | None = None
    revoked_at: float | None = None
    left_at: float | None = None
    over_at: float | None = None
    settled_at: float | None = None
    link_used_at: float | None = None
    invitation_uses: int = 0
    progress: Progress = Progress.NONE
    provider_steps: tuple[LogStep, ...] = ()

    @property
    def status(self) -> SessionStatus:
        """The status that follows from its other fields."""
        return status_of_session(self)

    @property
    def achieved(self) -> bool:
        """Whether its user's part is done: an attached connection works or is checked, or has before."""
        return self.status in ACHIEVED

    @property
    def closed(self) -> bool:
        """Whether it is over for every page."""
        return self.user_id is None or self.status in ENDED or (self.over_at is not None and not self.achieved)


@dataclass(frozen=True, slots=True)
class ReportedConnection:
    """A connection as the provider reports it; `status` is verbatim."""

    id: ConnectionId
    status: str
    provider_created_at: float
    provider_updated_at: float
    provider_name: str | None = None
    provider_url: str | None = None
    sites: tuple[ProviderSiteId, ...] = ()
    company_id: ProviderCompanyId | None = None


@dataclass(frozen=True, slots=True)
class ReportedInvitation:
    """An invitation as the provider reports it, ours or not; a reconnect invitation `edits` a connection.

    `doubtful`: its uses, its time or what it made could not be read whole, so it may have made anything.
    """

    id: InvitationId
    status: str
    use_count: int
    created: frozenset[ConnectionId]
    provider_created_at: float
    edits: ConnectionId | None = None
    lifetime_seconds: float | None = None
    origin: str | None = None
    doubtful: bool = False

    @property
    def is_explained(self) -> bool:
        """Whether it names as many connections as it was used for: it made no other. A fulfilled one was used."""
        uses = max(self.use_count, int(self.status == "FULFILLED"))
        return not self.doubtful and len(self.created) >= uses


@dataclass(frozen=True, slots=True)
class ProviderSnapshot:
    """What the provider's lists reported about one company; `provider_at` is the Date of the first answer."""

    provider_at: float
    connections: tuple[ReportedConnection, ...]
    invitations: tuple[ReportedInvitation, ...]
    unread_invitations: bool = False  # not even the id of some could be read, or the list could not


@dataclass(frozen=True, slots=True)
class Candidate:
    """A session that a connection could belong to, with its tenant and user."""

    session_id: SessionId
    tenant: Tenant
    user: UserRef


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whose connection it is; `waiting`: a later snapshot may still decide, so it is not announced as ambiguous yet."""

    kind: EvidenceKind | None = None
    owner: Candidate | None = None
    presumed: bool = False
    waiting: bool = False
    candidates: frozenset[Candidate] = frozenset()


@dataclass(frozen=True, slots=True)
class Connection:
    """A recorded connection; a status that is not newer than `provider_mended_at` is still to be checked."""

    id: ConnectionId
    company: CompanyRef
    tenant: Tenant
    reported: ReportedConnection
    verdict: Verdict
    recorded_at: float
    updated_at: float
    evidence_at: float | None = None
    cross_device: bool = False
    resumed_by_host: bool = False
    attention_at: float | None = None  # since when its owner is asked to mend it
    asks_at: float | None = None  # since when its status asks something of its user, confirmed or not
    provider_mended_at: float | None = None  # when the link was given with which its user mended it
    missing_at: float | None = None
    removed_at: float | None = None

    @property
    def status(self) -> str:
        """The status that is shown: of a removed connection the provider's last one is no longer true."""
        return canonical_status(self.reported.status) if self.removed_at is None else REMOVED_STATUS

    @property
    def state(self) -> ConnectionState:
        """What its status means; a removed connection is `inactive`, whatever its last status was."""
        if self.removed_at is not None:
            return ConnectionState.INACTIVE
        state = state_of(self.reported.status)
        mended = self.provider_mended_at is not None and self.reported.provider_updated_at <= self.provider_mended_at
        return ConnectionState.CHECKING if mended and progress_of(state) is Progress.ATTACHED else state

"""A session as the API shows it, with a third of the fields of a `Session`: hosts read it again and again."""

from collections.abc import Mapping
from dataclasses import dataclass

from service.domain.model import (
    ConnectionId,
    LinkKind,
    LinkStatus,
    Mode,
    ProviderCompanyId,
    ProviderSiteId,
    SessionId,
    UserId,
)
from service.domain.session_status import Progress, SessionStatus, status_of_session


@dataclass(frozen=True, slots=True)
class PlaceIds:
    """The ids that a company or a site has at the provider and at the host."""

    provider_id: ProviderCompanyId | ProviderSiteId | None
    external_id: str | None


@dataclass(frozen=True, slots=True)
class SessionSummary:
    """The fields of a session that lists need; names as in `Session`."""

    company: PlaceIds
    sites: tuple[PlaceIds, ...]
    mode: Mode
    link_kind: LinkKind
    link_status: LinkStatus
    metadata: Mapping[str, str]
    progress: Progress
    id: SessionId
    user_id: UserId | None
    origin: str | None
    return_url: str | None
    webhook_url: str | None
    max_connections: int
    created_at: float
    expires_at: float
    connection_id: ConnectionId | None
    failure: str | None
    opened_at: float | None
    revoked_at: float | None
    left_at: float | None
    over_at: float | None

    @property
    def status(self) -> SessionStatus:
        """The status that follows from its other fields, as that of a `Session`."""
        return status_of_session(self)

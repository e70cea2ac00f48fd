"""Invitations: hosted hand-offs with uses, expiry and a log."""

from dataclasses import dataclass, field
from typing import Any, Literal

from service.sandbox.wire import fields
from service.sandbox.wire.enums import UTILITY_TYPES
from service.sandbox.wire.times import maybe_time, rest_time
from service.sandbox.world.rows import Noun

CREATE = "CREATE_CONNECTION"
EDIT = "EDIT_CONNECTION"

Status = Literal["ACTIVE", "EXPIRED", "REVOKED", "FULFILLED"]

CHECKS: dict[str, fields.Check] = {
    "allowedEmails": fields.listing(fields.email, 100),
    "expiresInSeconds": fields.nullable(fields.whole(60, 315_360_000)),
    "maxUses": fields.nullable(fields.whole(1, 1_000_000)),
    "sendEmail": fields.boolean,
}
PREFILL_CHECKS: dict[str, fields.Check] = {
    "datasourceId": fields.text(1, 255),
    "url": fields.web_url,
    "initialSites": fields.listing(fields.uuid, 100),
    "utilityTypes": fields.listing(fields.choice(UTILITY_TYPES), len(UTILITY_TYPES)),
    "country": fields.country,
    "connectionOwnerEmail": fields.email,
    "dataCollectionStartDate": fields.iso_day,
}


@dataclass(frozen=True)
class Invitation(Noun):
    """One hand-off. `verified` maps a page's proof to the e-mail address it verified."""

    token: str
    company_id: str
    created_at: float
    kind: str = CREATE
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

    def status(self, now: float) -> Status:
        """What the provider calls it at that time; unlimited invitations are never fulfilled."""
        if self.revoked_at is not None:
            return "REVOKED"
        if self.max_uses is not None and self.use_count >= self.max_uses:
            return "FULFILLED"
        if self.expires_at is not None and self.expires_at <= now:
            return "EXPIRED"
        return "ACTIVE"

    def as_wire(self, status: str, url: str, connections: list[dict[str, Any]]) -> dict[str, Any]:
        """The provider's Invitation, without its log."""
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

    def log_as_wire(self) -> list[dict[str, Any]]:
        """The log, oldest first. The provider's item shape is not documented; this one is ours."""
        return [{**entry, "createdAt": rest_time(entry["createdAt"])} for entry in self.log]

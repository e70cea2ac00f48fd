"""Invitations: hosted pages with an expiry, a number of uses, allowed e-mail addresses and a log."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from hmac import compare_digest
from typing import Any

from service.sandbox.wire import fields
from service.sandbox.wire.enums import CONNECTED, PENDING, UTILITY_TYPES
from service.sandbox.wire.errors import ClosedLink, ClosedReason, EmailNotVerified, InvalidFields, RecordMissing, found
from service.sandbox.wire.times import rest_time
from service.sandbox.world.companies import SandboxCompanies
from service.sandbox.world.connections import SandboxConnections
from service.sandbox.world.context import SandboxContext
from service.sandbox.world.links import redirect_checks
from service.sandbox.world.records import (
    EDIT_INVITATION,
    Channel,
    InvitationStatus,
    SandboxConnection,
    SandboxInvitation,
)
from service.sandbox.world.rows import SandboxTable

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
CLOSED: dict[str, ClosedReason] = {"EXPIRED": "expired", "REVOKED": "revoked", "FULFILLED": "fulfilled"}


@dataclass(frozen=True)
class Via:
    """How a submission arrives: its channel; for an invitation also which one, and the proof of a verified e-mail."""

    channel: Channel = "api"
    invitation_id: str | None = None
    proof: str | None = None


FROM_API = Via()
"""A submission of the API, which needs no invitation and no proof."""


class SandboxInvitations:
    """The invitations of companies."""

    def __init__(
        self,
        context: SandboxContext,
        table: SandboxTable[SandboxInvitation],
        companies: SandboxCompanies,
        connections: SandboxConnections,
    ) -> None:
        self._settings = context.settings
        self._clock = context.clock
        self._ids = context.ids
        self._troubles = context.troubles
        self._table = table
        self._companies = companies
        self._connections = connections

    def create(self, company_id: str, body: Mapping[str, Any]) -> SandboxInvitation:
        """Create an invitation to add a connection; raises `InvalidFields`."""
        company = self._companies.get(company_id)
        prefill = body.get("prefill")
        prefill = {} if prefill is None else prefill
        if not isinstance(prefill, Mapping):
            raise InvalidFields({"prefill": ["Expected an object."]})
        checked = fields.read(prefill, PREFILL_CHECKS)
        self._companies.require_sites(company.id, checked.get("initialSites", ()), "initialSites")
        return self._put(SandboxInvitation(self._ids.uuid(), self._ids.token(), company.id, 0, prefill=checked), body)

    def create_edit(self, connection_id: str, body: Mapping[str, Any]) -> SandboxInvitation:
        """Create an invitation to renew a connection's credentials; raises `InvalidFields`."""
        connection = self._connections.get_shown(connection_id)
        invitation = SandboxInvitation(
            self._ids.uuid(),
            self._ids.token(),
            connection.company_id,
            0,
            EDIT_INVITATION,
            connection_id=connection.id,
        )
        return self._put(invitation, body)

    def get(self, invitation_id: str) -> SandboxInvitation:
        """Return an invitation; raises `RecordMissing`."""
        return found(self._table.get(invitation_id.lower()))

    def of(self, company_id: str) -> list[SandboxInvitation]:
        """Return a company's invitations, newest first."""
        return self._table.of(company_id)[::-1]

    def as_wire(self, invitation: SandboxInvitation) -> dict[str, Any]:
        """Return the provider's Invitation, without its log."""
        connections = [self._connections.find(connection_id) for connection_id in invitation.created]
        shown = [
            {
                "id": each.id,
                "datasourceName": each.provider_name,
                "status": each.status,
                "created": rest_time(each.created_at),
            }
            for each in connections
            if each and self._connections.is_shown(each)
        ]
        url = f"{self._settings.public_url}/p/i/{invitation.token}"
        return invitation.as_wire(self.status(invitation), url, shown)

    def log_of(self, invitation: SandboxInvitation) -> list[dict[str, Any]]:
        """Return the log, oldest first; the trouble `invitation_activity_lag` hides its newest part."""
        lag = self._troubles.use("invitation_activity_lag", invitation.company_id)
        return invitation.log_as_wire(self._clock.now(invitation.company_id) - lag.size if lag else None)

    def status(self, invitation: SandboxInvitation) -> InvitationStatus:
        """Return the invitation's status now; the trouble `link_expired` makes an active one expired."""
        status = invitation.status(self._clock.now(invitation.company_id))
        if status == "ACTIVE" and self._troubles.active("link_expired", invitation.company_id):
            return "EXPIRED"
        return status

    def revoke(self, invitation_id: str) -> SandboxInvitation:
        """Revoke an invitation; a second call changes nothing."""
        invitation = self.get(invitation_id)
        if invitation.revoked_at is not None:
            return invitation
        return self._log(replace(invitation, revoked_at=self._clock.now(invitation.company_id)), "REVOKED")

    def open(self, token: str) -> SandboxInvitation:
        """Return the invitation of a page that is opened, and log the view; raises `RecordMissing` or `ClosedLink`."""
        invitation = self.by_token(token)
        self._log(invitation, "VIEWED")
        return self._require_active(invitation)

    def by_token(self, token: str) -> SandboxInvitation:
        """Return the invitation with this token, whatever its status; raises `RecordMissing`."""
        # Constant time: the token is all that protects the page.
        return found(next((each for each in self._table if compare_digest(each.token.encode(), token.encode())), None))

    def verify_email(self, token: str, email: str) -> str:
        """Return a proof, for `Via`, that the page's visitor has an allowed address; raises `EmailNotVerified`."""
        invitation = self._require_active(self.by_token(token))
        wanted = email.strip().casefold()
        allowed = next((each for each in invitation.allowed_emails if each.casefold() == wanted), None)
        if allowed is None:
            raise EmailNotVerified
        # The proof belongs to one page's flow; another visitor with the same link has to verify too.
        proof = self._ids.token()
        verified = {**invitation.verified, proof: allowed}
        self._log(replace(invitation, verified=verified), "EMAIL_VERIFIED", email=allowed)
        return proof

    def usable(self, via: Via) -> SandboxInvitation:
        """Return the invitation of a submission; raises `RecordMissing`, `ClosedLink` or `EmailNotVerified`."""
        invitation = self._require_active(self.get(via.invitation_id or ""))
        _require_proof(invitation, via)
        return invitation

    def editor(self, connection: SandboxConnection, via: Via) -> SandboxInvitation | None:
        """Return the invitation that permits this edit; None for another channel. Raises as `usable` does."""
        if via.invitation_id is None:
            return None
        invitation = self.get(via.invitation_id)
        # An invitation may correct the connection that it created, also after its last use.
        if connection.id in invitation.created:
            _require_proof(invitation, via)
            return invitation
        if invitation.connection_id != connection.id:
            raise RecordMissing
        return self.usable(via)

    def count_created(self, invitation: SandboxInvitation, connection: SandboxConnection) -> None:
        """Count the use that created a connection."""
        created = (*invitation.created, connection.id)
        self._use(replace(invitation, created=created), connection)

    def count_edited(self, invitation: SandboxInvitation | None, connection: SandboxConnection) -> None:
        """Count the use of an edit invitation, once the credentials work or their check has begun."""
        if invitation and invitation.kind == EDIT_INVITATION and connection.status in {CONNECTED, PENDING}:
            self._use(invitation, connection)

    def _use(self, invitation: SandboxInvitation, connection: SandboxConnection) -> None:
        used = replace(invitation, use_count=invitation.use_count + 1)
        self._log(used, "USED", connectionId=connection.id)

    def _require_active(self, invitation: SandboxInvitation) -> SandboxInvitation:
        status = self.status(invitation)
        if status != "ACTIVE":
            raise ClosedLink(CLOSED[status])
        return invitation

    def _put(self, invitation: SandboxInvitation, body: Mapping[str, Any]) -> SandboxInvitation:
        values = fields.read(body, CHECKS | redirect_checks(self._settings))
        now = self._clock.now(invitation.company_id)
        lasts = values.get("expiresInSeconds")
        return self._table.put(
            replace(
                invitation,
                created_at=now,
                allowed_emails=tuple(values.get("allowedEmails", ())),
                expires_at=None if lasts is None else now + lasts,
                max_uses=values.get("maxUses"),
                redirect_uri=values.get("redirect_uri"),
                state=values.get("state"),
            )
        )

    def _log(self, invitation: SandboxInvitation, event: str, **details: str) -> SandboxInvitation:
        entry = {"type": event, "createdAt": self._clock.now(invitation.company_id), **details}
        return self._table.put(replace(invitation, log=(*invitation.log, entry)))


def _require_proof(invitation: SandboxInvitation, via: Via) -> None:
    if invitation.allowed_emails and (via.proof or "") not in invitation.verified:
        raise EmailNotVerified

"""Verbs for the hand-offs to end users: magic links, invitations, and what comes in through them."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from hmac import compare_digest
from typing import Any

from service.sandbox.wire import fields
from service.sandbox.wire.enums import CONNECTED
from service.sandbox.wire.errors import ClosedLink, Closing, EmailNotVerified, Invalid, Missing
from service.sandbox.wire.times import rest_time
from service.sandbox.world import invitations, links
from service.sandbox.world.accounts import Accounts, Door
from service.sandbox.world.connections import Connection, Submission
from service.sandbox.world.invitations import Invitation
from service.sandbox.world.links import MagicLink
from service.sandbox.world.registry import found

CLOSED: dict[str, Closing] = {"EXPIRED": "expired", "REVOKED": "revoked", "FULFILLED": "fulfilled"}


@dataclass(frozen=True)
class Via:
    """Through which door something came, and for invitations by which, with the proof of a verified e-mail."""

    door: Door = "api"
    invitation_id: str | None = None
    proof: str | None = None


class Handoffs(Accounts):
    """Links, invitations, and the connections made through them."""

    def connect(self, company_id: str, submission: Submission, via: Via = Via()) -> Connection:
        """Makes a connection, whatever the credentials are worth: its status tells. By invitation it is one use.

        Raises `Missing`, `Invalid` (sites), `ClosedLink` or `EmailNotVerified`.
        """
        with self._rows.together():
            if via.invitation_id is None:
                return self._make(company_id, submission, via.door, None)
            invitation = self._usable(via)
            if invitation.company_id != company_id or invitation.kind != invitations.CREATE:
                raise Missing
            made = self._make(company_id, submission, via.door, invitation.id)
            used = replace(invitation, use_count=invitation.use_count + 1, created=(*invitation.created, made.id))
            self._log(used, "USED", connectionId=made.id)
            return made

    def edit_connection(self, connection_id: str, submission: Submission, via: Via = Via()) -> Connection:
        """Changes a connection and checks its credentials again if any were given.

        An invitation may edit what it made without a further use; a reconnect one is used once the credentials work.
        Raises `Missing`, `Invalid` (sites), `ClosedLink` or `EmailNotVerified`.
        """
        with self._rows.together():
            connection = self.connection(connection_id)
            invitation = self._editor(connection, via)
            changed = self._edit(connection, submission)
            self._count_reconnect(invitation, changed)
            return changed

    def answer_mfa(self, connection_id: str, code: str, via: Via = Via()) -> Connection:
        """Answers the provider's challenge of a connection that waits for one; a wrong code changes nothing."""
        with self._rows.together():
            connection = self.connection(connection_id)
            invitation = self._editor(connection, via)
            answered = self._answer_mfa(connection, code)
            self._count_reconnect(invitation, answered)
            return answered

    def create_link(self, company_id: str, body: Mapping[str, Any]) -> MagicLink:
        """A link for new connections of a company; raises `Invalid`."""
        return self._put_link(self.company(company_id).id, None, body)

    def plain_link(self, company_id: str) -> MagicLink:
        """The company's link without prefill, always the same."""
        company = self.company(company_id)
        plain = (link for link in self._links.of(company.id) if link == _without_prefill(link))
        return next(plain, None) or self.create_link(company.id, {})

    def create_edit_link(self, connection_id: str, body: Mapping[str, Any], company_id: str | None = None) -> MagicLink:
        """A link for the editing of a connection; without prefill it carries the connection's own secret."""
        connection = self.shown_connection(connection_id, company_id)
        if not fields.read(body, self._link_checks()):
            return MagicLink(connection.secret, connection.company_id, connection.created_at, connection.id)
        return self._put_link(connection.company_id, connection.id, body)

    def link_url(self, link: MagicLink) -> str:
        """The page of a magic link."""
        company = self.company(link.company_id)
        step = "workflow/" if link.connection_id else ""
        return f"{self.settings.public_url}/p/connect/{company.public_id}/{step}{link.secret}"

    def find_magic_link(self, public_company_id: str, secret: str) -> MagicLink:
        """A new-connection link by its address; raises `Missing` or `ClosedLink`."""
        return self._found_link(public_company_id, self._links.get(secret), edits=False)

    def find_edit_link(self, public_company_id: str, secret: str) -> MagicLink:
        """An edit link by its address, its `connection_id` set; raises `Missing` or `ClosedLink`."""
        link = self._links.get(secret)
        if link is None:
            own = self.connection_by_secret(secret)
            link = MagicLink(own.secret, own.company_id, own.created_at, own.id)
        return self._found_link(public_company_id, link, edits=True)

    def invite(self, company_id: str, body: Mapping[str, Any]) -> Invitation:
        """An invitation to make a connection; raises `Invalid`."""
        company = self.company(company_id)
        prefill = body.get("prefill") or {}
        if not isinstance(prefill, Mapping):
            raise Invalid({"prefill": ["Expected an object."]})
        checked = fields.read(prefill, invitations.PREFILL_CHECKS)
        self.require_sites(company.id, checked.get("initialSites", ()), "initialSites")
        return self._put_invitation(Invitation(self.ids.uuid(), self.ids.token(), company.id, 0, prefill=checked), body)

    def invite_again(self, connection_id: str, body: Mapping[str, Any]) -> Invitation:
        """An invitation to renew a connection's credentials; raises `Invalid`."""
        connection = self.shown_connection(connection_id)
        fresh = Invitation(
            self.ids.uuid(), self.ids.token(), connection.company_id, 0, invitations.EDIT, connection_id=connection.id
        )
        return self._put_invitation(fresh, body)

    def invitation(self, invitation_id: str) -> Invitation:
        """Raises `Missing`."""
        return found(self._invitations.get(invitation_id.lower()))

    def invitations_of(self, company_id: str) -> list[Invitation]:
        """Newest first."""
        return self._invitations.of(company_id)[::-1]

    def invitation_as_wire(self, invitation: Invitation) -> dict[str, Any]:
        """The provider's Invitation, without its log."""
        connections = [self._connections.get(connection_id) for connection_id in invitation.created]
        shown = [
            {
                "id": one.id,
                "datasourceName": one.provider_name,
                "status": one.status,
                "created": rest_time(one.created_at),
            }
            for one in connections
            if one and self.is_shown(one)
        ]
        url = f"{self.settings.public_url}/p/i/{invitation.token}"
        return invitation.as_wire(self.invitation_status(invitation), url, shown)

    def invitation_status(self, invitation: Invitation) -> invitations.Status:
        """What the provider calls it now, the `link_expired` trouble included."""
        status = invitation.status(self.now(invitation.company_id))
        if status == "ACTIVE" and self.troubles.look("link_expired", invitation.company_id):
            return "EXPIRED"
        return status

    def revoke(self, invitation_id: str) -> Invitation:
        """Ends it at once; doing so again changes nothing."""
        invitation = self.invitation(invitation_id)
        if invitation.revoked_at is not None:
            return invitation
        return self._log(replace(invitation, revoked_at=self.now(invitation.company_id)), "REVOKED")

    def find_invitation(self, token: str) -> Invitation:
        """The invitation of a page that is being opened: logs the view. Raises `Missing` or `ClosedLink`."""
        invitation = self.peek_invitation(token)
        self._log(invitation, "VIEWED")
        return self._require_active(invitation)

    def peek_invitation(self, token: str) -> Invitation:
        """The same for later steps of the page: logs nothing and does not mind a closed one. Raises `Missing`."""
        return found(
            next((one for one in self._invitations if compare_digest(one.token.encode(), token.encode())), None)
        )

    def verify_email(self, token: str, email: str) -> str:
        """A proof for `Via` that this page's person has one of the allowed addresses; raises `EmailNotVerified`."""
        invitation = self._require_active(self.peek_invitation(token))
        allowed = next((one for one in invitation.allowed_emails if one.casefold() == email.strip().casefold()), None)
        if allowed is None:
            raise EmailNotVerified
        proof = self.ids.token()
        self._log(
            replace(invitation, verified={**invitation.verified, proof: allowed}), "EMAIL_VERIFIED", email=allowed
        )
        return proof

    def _usable(self, via: Via) -> Invitation:
        invitation = self._require_active(self.invitation(via.invitation_id or ""))
        _require_proof(invitation, via)
        return invitation

    def _editor(self, connection: Connection, via: Via) -> Invitation | None:
        """The invitation that lets this edit happen; None where another door does."""
        if via.invitation_id is None:
            return None
        invitation = self.invitation(via.invitation_id)
        if connection.id in invitation.created:
            _require_proof(invitation, via)
            return invitation
        if invitation.connection_id != connection.id:
            raise Missing
        return self._usable(via)

    def _count_reconnect(self, invitation: Invitation | None, connection: Connection) -> None:
        if invitation and invitation.kind == invitations.EDIT and connection.status == CONNECTED:
            self._log(replace(invitation, use_count=invitation.use_count + 1), "USED", connectionId=connection.id)

    def _require_active(self, invitation: Invitation) -> Invitation:
        status = self.invitation_status(invitation)
        if status != "ACTIVE":
            raise ClosedLink(CLOSED[status])
        return invitation

    def _put_invitation(self, fresh: Invitation, body: Mapping[str, Any]) -> Invitation:
        values = fields.read(body, invitations.CHECKS | self._redirect_checks())
        now = self.now(fresh.company_id)
        lasts = values.get("expiresInSeconds")
        return self._invitations.put(
            replace(
                fresh,
                created_at=now,
                allowed_emails=tuple(values.get("allowedEmails", ())),
                expires_at=None if lasts is None else now + lasts,
                max_uses=values.get("maxUses"),
                redirect_uri=values.get("redirect_uri"),
                state=values.get("state"),
            )
        )

    def _put_link(self, company_id: str, connection_id: str | None, body: Mapping[str, Any]) -> MagicLink:
        values = fields.read(body, self._link_checks())
        redirect_uri, state = values.pop("redirect_uri", None), values.pop("state", None)
        sites = values.pop("initialSites", [])
        prefill = {name: value for name, value in {"sites": sites, **values}.items() if value}
        self.require_sites(company_id, prefill.get("sites", ()))
        now = self.now(company_id)
        return self._links.put(
            MagicLink(self.ids.token(), company_id, now, connection_id, prefill, redirect_uri, state)
        )

    def _link_checks(self) -> dict[str, fields.Check]:
        return links.CHECKS | self._redirect_checks()

    def _redirect_checks(self) -> dict[str, fields.Check]:
        """Beyond the provider's documentation, so behind a switch; without it these fields are unknown and ignored."""
        return links.REDIRECT_CHECKS if self.settings.redirects else {}

    def _found_link(self, public_company_id: str, link: MagicLink | None, *, edits: bool) -> MagicLink:
        known = found(link)
        if self.company(known.company_id).public_id != public_company_id or bool(known.connection_id) != edits:
            raise Missing
        if self.troubles.strike("link_expired", known.company_id):
            raise ClosedLink("expired")
        return known

    def _log(self, invitation: Invitation, event: str, **details: str) -> Invitation:
        entry = {"type": event, "createdAt": self.now(invitation.company_id), **details}
        return self._invitations.put(replace(invitation, log=(*invitation.log, entry)))


def _require_proof(invitation: Invitation, via: Via) -> None:
    if invitation.allowed_emails and (via.proof or "") not in invitation.verified:
        raise EmailNotVerified


def _without_prefill(link: MagicLink) -> MagicLink:
    return MagicLink(link.id, link.company_id, link.created_at)

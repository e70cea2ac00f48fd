"""Submissions through the API, links, invitations and the dashboard: they change connections and count as uses."""

from service.sandbox.wire.errors import RecordMissing
from service.sandbox.world.account_form import Submission
from service.sandbox.world.connections import SandboxConnections
from service.sandbox.world.context import SandboxContext
from service.sandbox.world.invitations import FROM_API, SandboxInvitations, Via
from service.sandbox.world.records import CREATE_INVITATION, SandboxConnection


class SandboxSubmissions:
    """Creates and edits connections for people; a change and the invitation's use are one transaction.

    Every method raises `RecordMissing`, `InvalidFields` (sites), `ClosedLink` or `EmailNotVerified`.
    """

    def __init__(
        self, context: SandboxContext, connections: SandboxConnections, invitations: SandboxInvitations
    ) -> None:
        self._database = context.database
        self._connections = connections
        self._invitations = invitations

    def create(self, company_id: str, submission: Submission, via: Via = FROM_API) -> SandboxConnection:
        """Create a connection, also with wrong credentials: its status tells. An invitation counts one use."""
        with self._database.transaction():
            if via.invitation_id is None:
                return self._connections.create(company_id, submission, via.channel)
            invitation = self._invitations.usable(via)
            # An invitation works for its own company and its own purpose only.
            if invitation.company_id != company_id or invitation.kind != CREATE_INVITATION:
                raise RecordMissing
            created = self._connections.create(company_id, submission, via.channel, invitation.id)
            self._invitations.count_created(invitation, created)
            return created

    def edit(self, connection_id: str, submission: Submission, via: Via = FROM_API) -> SandboxConnection:
        """Change a connection, and check its credentials again if a password was given.

        An invitation may edit what it created without a further use; an edit invitation counts a use once the
        credentials work.
        """
        with self._database.transaction():
            connection = self._connections.get(connection_id)
            invitation = self._invitations.editor(connection, via)
            changed = self._connections.edit(connection, submission)
            self._invitations.count_edited(invitation, changed)
            return changed

    def answer_mfa(self, connection_id: str, code: str, via: Via = FROM_API) -> SandboxConnection:
        """Answer the provider's request for a code; a wrong code changes nothing."""
        with self._database.transaction():
            connection = self._connections.get(connection_id)
            invitation = self._invitations.editor(connection, via)
            answered = self._connections.answer_mfa(connection, code)
            self._invitations.count_edited(invitation, answered)
            return answered

    def confirm_mfa(self, connection_id: str, address: str = "", via: Via = FROM_API) -> SandboxConnection:
        """Record an MFA set-up as ready, or, without an address, MFA as switched off; the check follows."""
        with self._database.transaction():
            connection = self._connections.get(connection_id)
            invitation = self._invitations.editor(connection, via)
            confirmed = self._connections.confirm_mfa(connection, address)
            self._invitations.count_edited(invitation, confirmed)
            return confirmed

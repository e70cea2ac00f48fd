"""The invitations that this service has created for a company, for decisions about the company's connections."""

from collections.abc import Collection, Sequence

from service.domain.changes import FactKind, OwnInvitation, StoredFact
from service.domain.model import CompanyRef, ConnectionId, InvitationId, SessionId
from service.store.engine import Transaction


def by_invitation(tx: Transaction, invitations: frozenset[InvitationId]) -> dict[InvitationId, SessionId]:
    """Return the sessions for which these invitations were created, those of this service."""
    rows = tx.among("SELECT id, session_id FROM invitations WHERE id IN (:among)", invitations)
    return {InvitationId(row["id"]): SessionId(row["session_id"]) for row in rows}


def may_be_cleared(
    ids: frozenset[ConnectionId], facts: Sequence[StoredFact], recorded: Collection[ConnectionId]
) -> bool:
    """Return whether the verdict on one of these still depends on invitations that might name it."""
    about = {(row.fact.connection_id, row.fact.kind) for row in facts}

    def is_settled(one: ConnectionId) -> bool:
        if {(one, FactKind.NAMED), (one, FactKind.CLEARED)} & about:
            return True
        return (one, FactKind.PRIOR) in about and one not in recorded  # older than this service, so not recorded

    return not all(is_settled(one) for one in ids)


def unlisted(tx: Transaction, ref: CompanyRef, listed: frozenset[InvitationId]) -> tuple[OwnInvitation, ...]:
    """Return the company's own invitations that the provider's list lacks and that have named nothing yet.

    Those of reconnect sessions are left out: they make no connection, so they never name one.
    """
    # Version 0.1.0 stored no times: its invitations (`given_at IS NULL`) cannot be compared, so they are left out.
    rows = tx.all(
        "SELECT i.id, i.given_at, i.ends_at FROM invitations i JOIN sessions s ON s.id = i.session_id "
        "WHERE s.company_ref = :ref AND s.mode = 'connect' AND i.given_at IS NOT NULL "
        "AND i.id NOT IN (SELECT f.invitation_id FROM facts f "
        "WHERE f.company_ref = :ref AND f.kind = 'named' AND f.invitation_id IS NOT NULL)",
        ref=ref,
    )
    return tuple(
        OwnInvitation(InvitationId(row["id"]), row["given_at"], row["ends_at"])
        for row in rows
        if row["id"] not in listed
    )

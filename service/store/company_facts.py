"""The facts by which a company's connections are judged: those of all magic links, and of some connections."""

from service.domain.changes import Fact, FactKind, StoredFact
from service.domain.model import CompanyRef, ConnectionId, InvitationId, Tenant, UserRef
from service.store.engine import Row, Transaction


def facts_about(
    tx: Transaction, ref: CompanyRef, connections: frozenset[ConnectionId], invitations: frozenset[InvitationId]
) -> tuple[StoredFact, ...]:
    """Return the facts that count for these connections.

    They are: the company's listing; what happened to the magic links and the invitations of its sessions; what these
    invitations named; and every fact about one of these connections.
    """
    select = "SELECT f.*, s.tenant, s.user_ref FROM facts f LEFT JOIN sessions s ON s.id = f.session_id"
    kinds = "'listed', 'revealed', 'revoked', 'finished', 'ended', 'replaced'"
    rows = list(tx.all(f"{select} WHERE f.company_ref = :ref AND f.kind IN ({kinds})", ref=ref))
    rows += tx.among(f"{select} WHERE f.connection_id IN (:among)", connections)
    named = f"{select} WHERE f.company_ref = :ref AND f.kind = 'named' AND f.invitation_id IN (:among)"
    rows += [row for row in tx.among(named, invitations, ref=ref) if row["connection_id"] not in connections]
    return tuple(_stored_fact_of(row) for row in rows)


def _stored_fact_of(row: Row) -> StoredFact:
    fact = Fact(
        kind=FactKind(row["kind"]),
        connection_id=row["connection_id"],
        session_id=row["session_id"],
        invitation_id=row["invitation_id"],
        provider_at=row["provider_at"],
        nonce=row["nonce"],
        actor=row["actor"],
    )
    tenant, user = row["tenant"], row["user_ref"]
    return StoredFact(fact, row["recorded_at"], tenant and Tenant(tenant), user and UserRef(user))

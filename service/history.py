"""From a company's ledger to the history of one connection, which is what a verdict is judged by. Pure."""

from collections import defaultdict
from collections.abc import Iterable

from service.ledger import Fact, FactKind, FactRow, Ledger
from service.model import (
    Candidate,
    Claim,
    ConnectionId,
    History,
    InvitationId,
    Naming,
    Reveal,
    SeenConnection,
    SeenInvitation,
)


class Facts:
    """A company's facts, those about to be written (`added`) included, looked up by what they are about."""

    def __init__(self, ledger: Ledger, now: float, added: Iterable[Fact] = ()) -> None:
        self._ledger = ledger
        self._now = now
        self.added: list[Fact] = []
        self._about: defaultdict[ConnectionId | None, list[FactRow]] = defaultdict(list)
        self._named_by: defaultdict[InvitationId | None, set[ConnectionId]] = defaultdict(set)
        for row in ledger.facts:
            self._take(row)
        self.add(*added)
        self._reveals = frozenset(_reveals(self._about[None]))

    def add(self, *facts: Fact) -> None:
        """Let these count; they are about one connection each."""
        for fact in facts:
            self.added.append(fact)
            self._take(_as_row(self._ledger, fact, self._now))

    def kinds(self, connection_id: ConnectionId) -> set[FactKind]:
        """What has been said of a connection."""
        return {row.fact.kind for row in self._about.get(connection_id, ())}

    def named_by(self, invitation_id: InvitationId) -> set[ConnectionId]:
        """What an invitation has ever named."""
        return self._named_by.get(invitation_id, set())

    def history(self, seen: SeenConnection) -> History:
        """All facts on one connection."""
        own = self._about.get(seen.id, [])
        kinds = self.kinds(seen.id)
        return History(
            connection_id=seen.id,
            provider_created_at=seen.provider_created_at,
            reveals=self._reveals,
            namings=frozenset(_own_namings(own)),
            claims=frozenset(_claims(own)),
            cleared=FactKind.CLEARED in kinds,
            unclear=FactKind.UNCLEAR in kinds,
        )

    def _take(self, row: FactRow) -> None:
        self._about[row.fact.connection_id].append(row)
        if row.fact.connection_id is not None:
            self._named_by[row.fact.invitation_id].add(row.fact.connection_id)


def namings(ledger: Ledger, invitations: Iterable[SeenInvitation]) -> list[Fact]:
    """What these invitations name and no fact says yet."""
    known = {(row.fact.invitation_id, row.fact.connection_id, row.fact.session_id) for row in ledger.facts}
    told = (
        Fact(FactKind.NAMED, connection_id, ledger.by_invitation.get(invitation.id), invitation.id)
        for invitation in invitations
        for connection_id in sorted(invitation.created)
    )
    return [fact for fact in told if (fact.invitation_id, fact.connection_id, fact.session_id) not in known]


def _as_row(ledger: Ledger, fact: Fact, now: float) -> FactRow:
    session = ledger.sessions.get(fact.session_id) if fact.session_id else None
    return FactRow(fact, now, session.tenant if session else None, session.user_id if session else None)


def _who(row: FactRow) -> Candidate | None:
    if row.fact.session_id is None or row.tenant is None or row.user_id is None:
        return None
    return Candidate(row.fact.session_id, row.tenant, row.user_id)


def _reveals(rows: list[FactRow]) -> list[Reveal]:
    revoked = {row.fact.session_id: row.fact.provider_at for row in rows if row.fact.kind is FactKind.REVOKED}
    return [
        Reveal(who, row.fact.provider_at or 0.0, revoked.get(who.session_id))
        for row in rows
        if row.fact.kind is FactKind.REVEALED and (who := _who(row)) is not None
    ]


def _own_namings(rows: list[FactRow]) -> list[Naming]:
    named = [row for row in rows if row.fact.kind is FactKind.NAMED and row.fact.invitation_id is not None]
    known = {row.fact.invitation_id for row in named if row.fact.session_id is not None}
    return [
        Naming(row.fact.invitation_id, _who(row))
        for row in named
        if row.fact.invitation_id is not None and (row.fact.session_id or row.fact.invitation_id not in known)
    ]


def _claims(rows: list[FactRow]) -> list[Claim]:
    undone = {row.fact.nonce for row in rows if row.fact.kind is FactKind.UNCLAIMED}
    return [
        Claim(who, row.recorded_at, row.fact.nonce in undone)
        for row in rows
        if row.fact.kind is FactKind.CLAIMED and (who := _who(row)) is not None
    ]

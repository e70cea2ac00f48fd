"""Selects the facts by which one connection is judged, from all that are stored about its company. Pure."""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass

from service.domain.changes import CompanyRecords, Fact, FactKind, StoredFact
from service.domain.model import (
    Candidate,
    ConnectionId,
    InvitationId,
    ProviderSnapshot,
    ReportedConnection,
    ReportedInvitation,
    SessionId,
)

_ENDED = frozenset({"EXPIRED", "REVOKED", "FULFILLED"})


@dataclass(frozen=True, slots=True)
class Reveal:
    """A magic link was shown to a page at `provider_at`, and perhaps revoked later.

    `provider_finished_at` is each time at which its user said "I have finished".
    """

    candidate: Candidate
    provider_at: float
    provider_revoked_at: float | None = None
    provider_finished_at: frozenset[float] = frozenset()


@dataclass(frozen=True, slots=True)
class NamedByInvitation:
    """An invitation lists the connection as created; `candidate` is None for an invitation of no session of ours."""

    invitation_id: InvitationId
    candidate: Candidate | None


@dataclass(frozen=True, slots=True)
class Claim:
    """The host settled the connection for a session; an `undone` claim is kept and counts for nothing."""

    candidate: Candidate
    at: float
    undone: bool = False


@dataclass(frozen=True, slots=True)
class ConnectionFacts:
    """All facts that bear on one connection: sets, because the order in which they were learned must not matter.

    `cleared`: a snapshot ruled out every invitation. `unclear`: none could do so within a day.
    """

    connection_id: ConnectionId
    provider_created_at: float
    reveals: frozenset[Reveal] = frozenset()
    namings: frozenset[NamedByInvitation] = frozenset()
    claims: frozenset[Claim] = frozenset()
    cleared: bool = False
    unclear: bool = False


class CompanyFacts:
    """A company's facts, indexed by connection and by invitation; `added` are those about to be written."""

    def __init__(self, records: CompanyRecords, now: float, added: Iterable[Fact] = ()) -> None:
        self._records = records
        self._now = now
        self.added: list[Fact] = []
        self._about: defaultdict[ConnectionId | None, list[StoredFact]] = defaultdict(list)
        self._named_by: defaultdict[InvitationId | None, set[ConnectionId]] = defaultdict(set)
        for stored in records.facts:
            self._index(stored)
        self.add(*added)
        # A reveal names no connection: it bears on every connection of the company.
        self._reveals = frozenset(_reveals(self._about[None]))

    def add(self, *facts: Fact) -> None:
        """Count these facts too. A reveal or a revocation is not allowed here: it bears on every connection."""
        for fact in facts:
            self.added.append(fact)
            self._index(_as_stored(self._records, fact, self._now))

    def kinds(self, connection_id: ConnectionId) -> set[FactKind]:
        """The kinds of facts that exist about a connection."""
        return {stored.fact.kind for stored in self._about.get(connection_id, ())}

    def named_by(self, invitation_id: InvitationId) -> set[ConnectionId]:
        """Every connection that the invitation has ever named."""
        return self._named_by.get(invitation_id, set())

    def about(self, reported: ReportedConnection) -> ConnectionFacts:
        """All facts that bear on one connection."""
        own = self._about.get(reported.id, [])
        kinds = self.kinds(reported.id)
        return ConnectionFacts(
            connection_id=reported.id,
            provider_created_at=reported.provider_created_at,
            reveals=self._reveals,
            namings=frozenset(_namings(own)),
            claims=frozenset(_claims(own)),
            cleared=FactKind.CLEARED in kinds,
            unclear=FactKind.UNCLEAR in kinds,
        )

    def _index(self, stored: StoredFact) -> None:
        self._about[stored.fact.connection_id].append(stored)
        if stored.fact.connection_id is not None:
            self._named_by[stored.fact.invitation_id].add(stored.fact.connection_id)


def new_namings(records: CompanyRecords, invitations: Iterable[ReportedInvitation]) -> list[Fact]:
    """The facts that these invitations give and that are not stored yet."""
    known = {(row.fact.invitation_id, row.fact.connection_id, row.fact.session_id) for row in records.facts}
    found = (
        Fact(FactKind.NAMED, connection_id, records.by_invitation.get(invitation.id), invitation.id)
        for invitation in invitations
        for connection_id in sorted(invitation.created)
    )
    return [fact for fact in found if (fact.invitation_id, fact.connection_id, fact.session_id) not in known]


def new_endings(records: CompanyRecords, snapshot: ProviderSnapshot) -> list[Fact]:
    """A fact for each invitation that has ended with unexplained uses, unless it is stored already."""
    known = ended(records)
    return [
        Fact(FactKind.ENDED, invitation_id=one.id, provider_at=snapshot.provider_at)
        for one in snapshot.invitations
        if one.id not in known and one.status in _ENDED and not one.is_explained and snapshot.provider_at > 0
    ]


def ended(records: CompanyRecords) -> dict[InvitationId, float]:
    """When, by the provider's clock, a snapshot first showed that an invitation had ended with unexplained uses."""
    return {
        row.fact.invitation_id: row.fact.provider_at
        for row in records.facts
        if row.fact.kind is FactKind.ENDED and row.fact.invitation_id and row.fact.provider_at
    }


def _as_stored(records: CompanyRecords, fact: Fact, now: float) -> StoredFact:
    session = records.session(fact.session_id) if fact.session_id else None
    return StoredFact(fact, now, session.tenant if session else None, session.user if session else None)


def _candidate(stored: StoredFact) -> Candidate | None:
    if stored.fact.session_id is None or stored.tenant is None or stored.user is None:
        return None
    return Candidate(stored.fact.session_id, stored.tenant, stored.user)


def _reveals(rows: list[StoredFact]) -> list[Reveal]:
    revoked = {row.fact.session_id: row.fact.provider_at for row in rows if row.fact.kind is FactKind.REVOKED}
    finished: defaultdict[SessionId | None, set[float]] = defaultdict(set)
    for row in rows:
        if row.fact.kind is FactKind.FINISHED:
            finished[row.fact.session_id].add(row.fact.provider_at or 0.0)
    return [
        Reveal(
            candidate,
            row.fact.provider_at or 0.0,
            revoked.get(candidate.session_id),
            frozenset(finished[candidate.session_id]),
        )
        for row in rows
        if row.fact.kind is FactKind.REVEALED and (candidate := _candidate(row)) is not None
    ]


def _namings(rows: list[StoredFact]) -> list[NamedByInvitation]:
    named = [row for row in rows if row.fact.kind is FactKind.NAMED and row.fact.invitation_id is not None]
    # A list may show an invitation before its row is written. Once the row gives its session, the fact without a
    # session is ignored.
    known = {row.fact.invitation_id for row in named if row.fact.session_id is not None}
    return [
        NamedByInvitation(row.fact.invitation_id, _candidate(row))
        for row in named
        if row.fact.invitation_id is not None and (row.fact.session_id or row.fact.invitation_id not in known)
    ]


def _claims(rows: list[StoredFact]) -> list[Claim]:
    undone = {row.fact.nonce for row in rows if row.fact.kind is FactKind.UNCLAIMED}
    return [
        Claim(candidate, row.recorded_at, row.fact.nonce in undone)
        for row in rows
        if row.fact.kind is FactKind.CLAIMED and (candidate := _candidate(row)) is not None
    ]

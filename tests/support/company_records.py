"""A company's records in memory: keeps what `record` decides, so that its decisions can follow each other."""

from dataclasses import replace

from service.domain.changes import Changes, CompanyRecords, Fact, FactKind, StoredFact
from service.domain.events import NewEvent
from service.domain.model import (
    Candidate,
    Connection,
    ConnectionId,
    InvitationId,
    ProviderSnapshot,
    ReportedConnection,
    ReportedInvitation,
    Session,
    SessionId,
    Verdict,
)
from service.domain.recording import judge_with_facts, record
from service.domain.session_status import Progress
from tests.support.domain_values import COMPANY, CONNECTION, CREATED_AT, NOW, TENANT, reading, reveal_row


class RecordedCompany:
    """Takes provider snapshots one after the other; facts are kept once, as the database does."""

    def __init__(self, *sessions: Session, facts: tuple[StoredFact, ...] = ()) -> None:
        self.sessions = {one.id: one for one in sessions}
        self.facts = list(facts)
        self.connections: dict[ConnectionId, Connection] = {}
        self.attached: dict[tuple[SessionId, ConnectionId], Progress] = {}
        self.events: list[NewEvent] = []
        self.now = NOW
        self.by_invitation: dict[InvitationId, SessionId] = {}

    def reveal(self, owner: Session, after: float, edits: ConnectionId | None = None) -> None:
        self.facts.append(reveal_row(owner, after, edits))

    def finish(self, owner: Session, after: float) -> None:
        at = CREATED_AT + after
        fact = Fact(FactKind.FINISHED, session_id=owner.id, provider_at=at, nonce=f"{at:.0f}")
        self.facts.append(StoredFact(fact, NOW, TENANT, owner.user))

    def revoke(self, owner: Session, after: float) -> None:
        fact = Fact(FactKind.REVOKED, session_id=owner.id, provider_at=CREATED_AT + after)
        self.facts.append(StoredFact(fact, NOW, TENANT, owner.user))

    def take(self, *things: ReportedConnection | ReportedInvitation, after: float = 1.0) -> Changes:
        return self.read(reading(*things, after=after))

    def read(self, event: ProviderSnapshot) -> Changes:
        return self.write(record(self.records(), event, self.now))

    def claim(self, owner: Session, nonce: str = "clm_1", *, undo: bool = False) -> Changes:
        kind = FactKind.UNCLAIMED if undo else FactKind.CLAIMED
        fact = Fact(kind, CONNECTION, owner.id, nonce=nonce)
        return self.write(judge_with_facts(self.records(), self.connections[CONNECTION], (fact,), self.now))

    def records(self) -> CompanyRecords:
        self._note_invitations()
        return CompanyRecords(
            company=COMPANY,
            facts=tuple(self.facts),
            connections=dict(self.connections),
            sessions=dict(self.sessions),
            by_invitation=dict(self.by_invitation),
            attached=dict(self.attached),
        )

    def write(self, changes: Changes) -> Changes:
        self.now += 1
        for fact in changes.facts:
            self._keep(fact)
        self.connections |= {one.id: one for one in changes.connections}
        self._note_invitations()  # a link that is replaced now stays its session's evidence
        self.sessions |= {one.id: one for one in changes.sessions}
        for lost in changes.detachments:
            self.attached.pop((lost.session_id, lost.connection_id), None)
        for new in changes.attachments:
            self.attached.setdefault((new.session_id, new.connection_id), Progress.ATTACHED)
        self.attached |= {(one.session_id, one.connection_id): one.progress for one in changes.advances}
        self.events += changes.events
        return changes

    def verdict(self, connection: ConnectionId = CONNECTION) -> Verdict:
        return self.connections[connection].verdict

    def event_types(self) -> list[str]:
        return [event.type for event in self.events]

    def _note_invitations(self) -> None:
        for one in self.sessions.values():
            if one.link and one.link.invitation_id is not None:
                self.by_invitation[one.link.invitation_id] = one.id

    def _keep(self, fact: Fact) -> None:
        known = {replace(row.fact, provider_at=None) for row in self.facts}
        if replace(fact, provider_at=None) not in known:
            owner = self.sessions.get(fact.session_id) if fact.session_id else None
            who = (owner.tenant, owner.user) if owner else (None, None)
            self.facts.append(StoredFact(fact, self.now, *who))


def shown_to(holder: Session, *others: Session) -> RecordedCompany:
    """A company in which the holder was shown a magic link a minute before the connection."""
    company = RecordedCompany(holder, *others)
    company.reveal(holder, -60)
    return company


def candidate_of(session: Session) -> Candidate:
    return Candidate(session.id, session.tenant, session.user)

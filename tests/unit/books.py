"""A company's books in memory: writes down what `record` decides, so that its decisions can follow each other."""

from dataclasses import replace

from service.ledger import Changes, Fact, FactKind, FactRow, Ledger, News
from service.model import Connection, ConnectionId, Reading, SeenConnection, SeenInvitation, Session, SessionId, Verdict
from service.recording import record, rejudge
from tests.unit.given import COMPANY, CONNECTION, CREATED_AT, NOW, TENANT, reading, reveal_row


class Books:
    """Takes readings one after the other; facts are kept once, as the database does."""

    def __init__(self, *sessions: Session, facts: tuple[FactRow, ...] = ()) -> None:
        self.sessions = {one.id: one for one in sessions}
        self.facts = list(facts)
        self.connections: dict[ConnectionId, Connection] = {}
        self.joined: set[tuple[SessionId, ConnectionId]] = set()
        self.events: list[News] = []
        self.now = NOW

    def reveal(self, owner: Session, after: float, edits: ConnectionId | None = None) -> None:
        self.facts.append(reveal_row(owner, after, edits))

    def revoke(self, owner: Session, after: float) -> None:
        fact = Fact(FactKind.REVOKED, session_id=owner.id, provider_at=CREATED_AT + after)
        self.facts.append(FactRow(fact, NOW, TENANT, owner.user_id))

    def take(self, *things: SeenConnection | SeenInvitation, after: float = 1.0) -> Changes:
        return self.read(reading(*things, after=after))

    def read(self, news: Reading) -> Changes:
        return self.write(record(self.ledger(), news, self.now))

    def claim(self, owner: Session, nonce: str = "clm_1", *, undo: bool = False) -> Changes:
        kind = FactKind.UNCLAIMED if undo else FactKind.CLAIMED
        fact = Fact(kind, CONNECTION, owner.id, nonce=nonce)
        return self.write(rejudge(self.ledger(), self.connections[CONNECTION], (fact,), self.now))

    def ledger(self) -> Ledger:
        return Ledger(
            company=COMPANY,
            facts=tuple(self.facts),
            connections=dict(self.connections),
            sessions=dict(self.sessions),
            by_invitation={
                one.link.invitation_id: one.id
                for one in self.sessions.values()
                if one.link and one.link.invitation_id is not None
            },
            joined=frozenset(self.joined),
            undecided=frozenset(one.id for one in self.connections.values() if one.verdict.waiting),
        )

    def write(self, changes: Changes) -> Changes:
        self.now += 1
        for fact in changes.facts:
            self._keep(fact)
        self.connections |= {one.id: one for one in changes.connections}
        self.sessions |= {one.id: one for one in changes.sessions}
        self.joined -= {(part.session_id, part.connection_id) for part in changes.parts}
        self.joined |= {(join.session_id, join.connection_id) for join in changes.joins}
        self.events += changes.events
        return changes

    def verdict(self, connection: ConnectionId = CONNECTION) -> Verdict:
        return self.connections[connection].verdict

    def told(self) -> list[str]:
        return [news.type for news in self.events]

    def _keep(self, fact: Fact) -> None:
        known = {replace(row.fact, provider_at=None) for row in self.facts}
        if replace(fact, provider_at=None) not in known:
            owner = self.sessions.get(fact.session_id) if fact.session_id else None
            who = (owner.tenant, owner.user_id) if owner else (None, None)
            self.facts.append(FactRow(fact, self.now, *who))

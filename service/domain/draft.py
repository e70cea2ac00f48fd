"""The changes of one company while a decision collects them."""

from collections import defaultdict
from dataclasses import dataclass, field

from service.domain.changes import Advance, Attachment, Changes, CompanyRecords, Detachment, Job
from service.domain.events import NewEvent
from service.domain.evidence import CompanyFacts
from service.domain.model import Connection, ConnectionId, EvidenceKind, Session, SessionId
from service.domain.session_status import Progress


@dataclass(slots=True)
class RecordingDraft:
    """The company's records with what the decision has changed so far; `changes()` returns what is to be written.

    `attached` names, for each connection, the sessions to which it will be attached.
    """

    records: CompanyRecords
    now: float
    facts: CompanyFacts
    connections: dict[ConnectionId, Connection] = field(default_factory=dict)
    sessions: dict[SessionId, Session] = field(default_factory=dict)
    events: list[NewEvent] = field(default_factory=list)
    attachments: list[Attachment] = field(default_factory=list)
    detachments: list[Detachment] = field(default_factory=list)
    jobs: list[Job] = field(default_factory=list)
    attached: defaultdict[ConnectionId, set[SessionId]] = field(init=False)
    _reached: defaultdict[SessionId, dict[ConnectionId, Progress]] = field(init=False)
    _advanced: dict[tuple[SessionId, ConnectionId], Progress] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.attached, self._reached = defaultdict(set), defaultdict(dict)
        for (session_id, connection_id), progress in self.records.attached.items():
            self.attached[connection_id].add(session_id)
            self._reached[session_id][connection_id] = progress

    def attach(self, session_id: SessionId, connection_id: ConnectionId, kind: EvidenceKind) -> None:
        self.attachments.append(Attachment(session_id, connection_id, kind))
        self.attached[connection_id].add(session_id)
        self._reached[session_id].setdefault(connection_id, Progress.ATTACHED)

    def advance(self, session_id: SessionId, connection_id: ConnectionId, progress: Progress) -> None:
        """Note how far the attached connection has brought the session; it never goes back."""
        if progress > self._reached[session_id][connection_id]:
            self._reached[session_id][connection_id] = progress
            self._advanced[session_id, connection_id] = progress

    def detach(self, session_id: SessionId, connection_id: ConnectionId) -> None:
        self.detachments.append(Detachment(session_id, connection_id))
        self.attached[connection_id].discard(session_id)
        self._reached[session_id].pop(connection_id, None)
        self._advanced.pop((session_id, connection_id), None)

    def number_attached(self, session_id: SessionId) -> int:
        """How many connections are attached to the session now."""
        return len(self._reached[session_id])

    def progress(self, session_id: SessionId) -> Progress:
        """How far the connections that are attached now have brought the session."""
        return max(self._reached[session_id].values(), default=Progress.NONE)

    def session(self, session_id: SessionId) -> Session | None:
        """The session as changed so far. Raises SessionUnread."""
        return self.sessions.get(session_id) or self.records.session(session_id)

    def connection(self, connection_id: ConnectionId) -> Connection | None:
        """The connection as changed so far."""
        return self.connections.get(connection_id) or self.records.connections.get(connection_id)

    def changes(self) -> Changes:
        return Changes(
            sessions=tuple(self.sessions.values()),
            connections=tuple(self.connections.values()),
            facts=tuple(self.facts.added),
            events=tuple(self.events),
            jobs=tuple(self.jobs),
            attachments=tuple(self.attachments),
            advances=tuple(Advance(*pair, progress) for pair, progress in self._advanced.items()),
            detachments=tuple(self.detachments),
        )

"""What a reading of the provider changes: pure, from the ledger of one company to the rows to write.

Whatever brought the news (webhook, callback, a look of our own, a claim), this is the one way in which a connection is
recorded, so that order and repetition cannot matter: facts are added, and every verdict is judged anew.
"""

from collections import defaultdict
from dataclasses import dataclass, field, replace

from service.attribution import UNCERTAINTY_SECONDS, clears, settle, stays_unclear
from service.history import Facts, namings
from service.ledger import Changes, Due, Fact, FactKind, Join, Ledger, News, Part, WorkKind
from service.model import (
    Connection,
    ConnectionId,
    EvidenceKind,
    Mode,
    Reading,
    SeenConnection,
    SeenInvitation,
    Session,
    SessionId,
    SessionStatus,
    Verdict,
)
from service.statuses import canonical_status, credentials_work, needs_attention

_DOCUMENTS_SECONDS = 5.0


@dataclass(slots=True)
class _Draft:
    """Changes while they are being found; sessions and joins as they will stand."""

    ledger: Ledger
    now: float
    facts: Facts
    connections: dict[ConnectionId, Connection] = field(default_factory=dict)
    sessions: dict[SessionId, Session] = field(default_factory=dict)
    events: list[News] = field(default_factory=list)
    joins: list[Join] = field(default_factory=list)
    parts: list[Part] = field(default_factory=list)
    work: list[Due] = field(default_factory=list)
    members: defaultdict[ConnectionId, set[SessionId]] = field(init=False)  # the sessions in whose lists it will stand

    def __post_init__(self) -> None:
        self.members = defaultdict(set)
        for session_id, connection_id in self.ledger.joined:
            self.members[connection_id].add(session_id)

    def join(self, session_id: SessionId, connection_id: ConnectionId, kind: EvidenceKind) -> None:
        """The connection shall stand in the session's list."""
        self.joins.append(Join(session_id, connection_id, kind))
        self.members[connection_id].add(session_id)

    def part(self, session_id: SessionId, connection_id: ConnectionId) -> None:
        """It shall not stand there any more."""
        self.parts.append(Part(session_id, connection_id))
        self.members[connection_id].discard(session_id)

    def session(self, session_id: SessionId) -> Session | None:
        """The session as changed so far."""
        return self.sessions.get(session_id) or self.ledger.sessions.get(session_id)

    def done(self) -> Changes:
        """What to write."""
        return Changes(
            sessions=tuple(self.sessions.values()),
            connections=tuple(self.connections.values()),
            facts=tuple(self.facts.added),
            events=tuple(self.events),
            work=tuple(self.work),
            joins=tuple(self.joins),
            parts=tuple(self.parts),
        )


def record(ledger: Ledger, reading: Reading, now: float) -> Changes:
    """Everything that one reading of a company changes; the same reading again changes nothing."""
    draft = _Draft(ledger, now, Facts(ledger, now, namings(ledger, reading.invitations)))
    reading = replace(reading, invitations=tuple(_with_earlier(draft.facts, one) for one in reading.invitations))
    ours = _ours(ledger, reading)
    for seen in reading.connections:
        if seen.id in ours:
            _record_one(draft, seen, reading)
    for invitation in reading.invitations:
        _reconnect_by_invitation(draft, invitation)
    for session in ledger.sessions.values():
        _reconnect_by_link(draft, session)
    return draft.done()


def _with_earlier(facts: Facts, invitation: SeenInvitation) -> SeenInvitation:
    """With what it named before: a connection that is gone from the provider is gone from its invitation too."""
    return replace(invitation, created=invitation.created | facts.named_by(invitation.id))


def rejudge(ledger: Ledger, connection: Connection, facts: tuple[Fact, ...], now: float) -> Changes:
    """A claim or its undoing: add the facts and judge the connection anew, without a reading."""
    draft = _Draft(ledger, now, Facts(ledger, now, facts))
    _apply_verdict(draft, connection.seen, connection)
    return draft.done()


def _ours(ledger: Ledger, reading: Reading) -> set[ConnectionId]:
    """Those no older than the company's first session here, those recorded before, and what our own invitations made.

    What is older was listed before any link was given. No time can tell: its clock may have been set back.
    Companies of version 0.1.0 have no such list, so that there the time must do.
    """
    prior = {row.fact.connection_id for row in ledger.facts if row.fact.kind is FactKind.PRIOR}
    listed = any(row.fact.kind is FactKind.LISTED for row in ledger.facts)
    named = {made for one in reading.invitations if one.id in ledger.by_invitation for made in one.created}
    since_at = ledger.company.provider_since_at
    return {
        seen.id
        for seen in reading.connections
        if seen.id in named
        or seen.id in ledger.connections
        or (seen.id not in prior if listed else _is_as_new(seen, since_at))
    }


def _is_as_new(seen: SeenConnection, since_at: float | None) -> bool:
    return since_at is not None and seen.provider_created_at >= since_at - UNCERTAINTY_SECONDS


def _record_one(draft: _Draft, seen: SeenConnection, reading: Reading) -> None:
    known = draft.ledger.connections.get(seen.id)
    if known is not None and seen.provider_updated_at < known.seen.provider_updated_at:
        seen = known.seen  # older news after newer: the newest truth stays
    _clear(draft, seen, reading)
    _apply_verdict(draft, seen, known)


def _clear(draft: _Draft, seen: SeenConnection, reading: Reading) -> None:
    said = draft.facts.kinds(seen.id)
    if said & {FactKind.NAMED, FactKind.CLEARED}:
        return  # nothing to wait for
    if clears(seen, reading, draft.ledger.unlisted):
        draft.facts.add(Fact(FactKind.CLEARED, seen.id))
    elif FactKind.UNCLEAR not in said and stays_unclear(seen, reading):
        draft.facts.add(Fact(FactKind.UNCLEAR, seen.id))


def _apply_verdict(draft: _Draft, seen: SeenConnection, known: Connection | None) -> None:
    before = known.verdict if known is not None else None
    verdict = settle(before, draft.facts.history(seen))
    if known is not None and _nothing_new(known, seen, verdict):
        _confirm_session(draft, known)
        return
    connection = _connection(draft, seen, known, verdict)
    draft.connections[seen.id] = connection
    _tell_owner(draft, connection, before)
    _tell_status(draft, connection, known)
    _confirm_session(draft, connection)


def _nothing_new(known: Connection, seen: SeenConnection, verdict: Verdict) -> bool:
    there = known.missing_at is None and known.removed_at is None
    return there and verdict == known.verdict and seen == replace(known.seen, company_id=seen.company_id)


def _connection(draft: _Draft, seen: SeenConnection, known: Connection | None, verdict: Verdict) -> Connection:
    owner = draft.session(verdict.who.session_id) if verdict.who else None
    same_owner = known is not None and known.verdict.who == verdict.who and known.verdict.kind == verdict.kind
    return Connection(
        id=seen.id,
        company=draft.ledger.company.ref,
        tenant=draft.ledger.company.tenant,
        seen=seen,
        verdict=verdict,
        recorded_at=known.recorded_at if known else draft.now,
        updated_at=draft.now,
        evidence_at=known.evidence_at if known and same_owner else (draft.now if verdict.who else None),
        cross_device=known.cross_device if known and same_owner else owner is not None and owner.taken_over,
    )


def _tell_owner(draft: _Draft, connection: Connection, before: Verdict | None) -> None:
    verdict, previous = connection.verdict, before.who if before else None
    if verdict.who == previous and verdict.who is not None:
        return
    if previous is not None:
        draft.part(previous.session_id, connection.id)
    if verdict.who is None or (kind := verdict.kind) is None:
        _tell_nobody(draft, connection, before)
        return
    draft.join(verdict.who.session_id, connection.id, kind)
    name = "connection.recorded" if previous is None else "connection.reassigned"
    data = {
        "evidence": kind.value,
        "presumed": verdict.presumed,
        "status": canonical_status(connection.seen.status),
    }
    draft.events.append(News(name, verdict.who.session_id, connection.id, verdict.who.user_id, data))
    draft.work.append(Due(WorkKind.DOCUMENTS, connection.id, _DOCUMENTS_SECONDS))


def _tell_nobody(draft: _Draft, connection: Connection, before: Verdict | None) -> None:
    verdict = connection.verdict
    announced = before is not None and not before.waiting and before.who is None
    if verdict.waiting or (announced and before is not None and before.candidates == verdict.candidates):
        return
    own = sorted(who.session_id for who in verdict.candidates if who.tenant == connection.tenant)
    draft.events.append(News("connection.ambiguous", None, connection.id, None, {"candidates": own}))


def _tell_status(draft: _Draft, connection: Connection, known: Connection | None) -> None:
    status = canonical_status(connection.seen.status)
    before = canonical_status(known.seen.status) if known else None
    owner = connection.verdict.who
    session, user = (owner.session_id, owner.user_id) if owner else (None, None)
    if before is not None and before != status:
        draft.events.append(
            News("connection.updated", session, connection.id, user, {"status": status, "from": before})
        )
    newly_owned = known is None or known.verdict.who != owner
    if owner and needs_attention(status) and (before != status or newly_owned):
        call = f"POST /v1/connections/{connection.id}/reconnect"
        draft.events.append(
            News("connection.needs_attention", session, connection.id, user, {"status": status, "reconnect": call})
        )


def _confirm_session(draft: _Draft, connection: Connection) -> None:
    """The owner's session is connected once credentials work; so is one that reconnected it."""
    if not credentials_work(connection.seen.status):
        return
    for session_id in sorted(draft.members.get(connection.id, ())):
        _connect(draft, session_id, connection)


def _connect(draft: _Draft, session_id: SessionId, connection: Connection) -> None:
    session = draft.session(session_id)
    if session is None or session.status in {SessionStatus.CONNECTED, SessionStatus.REVOKED}:
        return
    draft.sessions[session_id] = replace(session, status=SessionStatus.CONNECTED)
    data = {"status": canonical_status(connection.seen.status)}
    draft.events.append(News("session.connected", session_id, connection.id, session.user_id, data))


def _reconnect_by_invitation(draft: _Draft, invitation: SeenInvitation) -> None:
    session = draft.session(draft.ledger.by_invitation.get(invitation.id, SessionId("")))
    if session is None or session.mode is not Mode.RECONNECT or invitation.use_count <= session.invitation_uses:
        return
    if session.connection_id is None or _standing(draft, session.connection_id) is None:
        return  # the list skipped it this time: the use is counted when it is there
    draft.sessions[session.id] = replace(session, invitation_uses=invitation.use_count)
    _reconnected(draft, session)


def _reconnect_by_link(draft: _Draft, session: Session) -> None:
    """An edit link says nothing by itself: the user must have said so, and the provider must show a later change."""
    if session.mode is not Mode.RECONNECT or session.finished_at is None or session.connection_id is None:
        return
    if session.link is None or session.link.invitation_id is not None:
        return
    started = [
        row.fact.provider_at or 0.0
        for row in draft.ledger.facts
        if row.fact.kind is FactKind.REVEALED and row.fact.session_id == session.id
    ]
    connection = _standing(draft, session.connection_id)
    if started and connection is not None and connection.seen.provider_updated_at >= min(started):
        _reconnected(draft, session)


def _reconnected(draft: _Draft, session: Session) -> None:
    connection = _standing(draft, session.connection_id) if session.connection_id else None
    owner = connection.verdict.who if connection else None
    if connection is None or owner is None or owner.user_id != session.user_id:
        return
    if (session.id, connection.id) not in draft.ledger.joined:
        draft.join(session.id, connection.id, EvidenceKind.RECONNECT)
    _confirm_session(draft, connection)


def _standing(draft: _Draft, connection_id: ConnectionId) -> Connection | None:
    return draft.connections.get(connection_id) or draft.ledger.connections.get(connection_id)

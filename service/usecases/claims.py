"""Claims: the host settles whose connection it is, or undoes that. Both are audited with the id of the API key."""

from dataclasses import replace
from functools import partial

from service.domain import events
from service.domain.attribution import claim_refusal
from service.domain.changes import Changes, CompanyRecords, Fact, FactKind
from service.domain.evidence import CompanyFacts
from service.domain.model import Candidate, ConnectionId, SessionId, Tenant
from service.domain.recording import judge_with_facts
from service.domain.requests import KeptAnswer
from service.domain.runtime import Runtime
from service.errors import AlreadyClaimed
from service.store import Store


class Claims:
    """The claims of hosts on one tenant's connections; `by` is the id of the API key."""

    def __init__(self, store: Store, runtime: Runtime) -> None:
        self._store = store
        self._clock = runtime.clock
        self._new_id = runtime.new_id

    async def claim(
        self,
        tenant: Tenant,
        connection_id: ConnectionId,
        session_id: SessionId,
        by: str,
        kept: KeptAnswer | None = None,
    ) -> None:
        """Settle a connection for a session; repeating changes nothing. Raises AlreadyClaimed, NotFound.

        `kept` is stored in the same transaction.
        """
        connection = await self._store.connections.get(connection_id, tenant)
        session = await self._store.sessions.get(session_id, tenant)
        if session.company.ref != connection.company:
            raise AlreadyClaimed("This session is of another company than the connection")
        candidate = Candidate(session.id, session.tenant, session.user)
        fact = Fact(FactKind.CLAIMED, connection.id, session.id, nonce=self._new_id("clm"), actor=by)
        decide = partial(_claim, connection_id=connection.id, candidate=candidate, fact=fact, now=self._clock())
        ids = [connection.id], [session.id]
        await self._store.connections.change_and_keep(connection.company, *ids, decide, kept)

    async def undo(self, tenant: Tenant, connection_id: ConnectionId, by: str) -> None:
        """Undo the standing claims: the evidence that remains decides. Raises NotFound."""
        connection = await self._store.connections.get(connection_id, tenant)
        decide = partial(_undo, connection_id=connection.id, by=by, now=self._clock())
        await self._store.connections.change(connection.company, [connection.id], [], decide)


def _claim(
    records: CompanyRecords, connection_id: ConnectionId, candidate: Candidate, fact: Fact, now: float
) -> Changes:
    connection = records.connections[connection_id]
    if connection.verdict.owner == candidate and not connection.verdict.presumed:
        return Changes()
    refusal = claim_refusal(CompanyFacts(records, now).about(connection.reported), candidate)
    if refusal is not None:
        raise AlreadyClaimed(refusal[0].upper() + refusal[1:])
    changes = judge_with_facts(records, connection, (fact,), now)
    event = events.connection_claimed(connection_id, candidate.session_id, candidate.user, fact.actor or "")
    return replace(changes, events=(*changes.events, event))


def _undo(records: CompanyRecords, connection_id: ConnectionId, by: str, now: float) -> Changes:
    undone = {row.fact.nonce for row in records.facts if row.fact.kind is FactKind.UNCLAIMED}
    standing = [
        replace(row.fact, kind=FactKind.UNCLAIMED, actor=by)
        for row in records.facts
        if row.fact.kind is FactKind.CLAIMED
        and row.fact.connection_id == connection_id
        and row.fact.nonce not in undone
    ]
    if not standing:
        return Changes()
    connection = records.connections[connection_id]
    changes = judge_with_facts(records, connection, tuple(standing), now)
    return replace(changes, events=(events.connection_claim_undone(connection, by), *changes.events))

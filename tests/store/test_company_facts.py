"""Facts name sessions that had a magic link; a decision gets such a session only when it needs it."""

import pytest

from service.domain.changes import Changes, CompanyRecords, Fact, FactKind, SessionUnread
from service.domain.model import ConnectionId, InvitationId, SessionId
from service.domain.recording import record
from service.domain.session_status import SessionStatus
from service.store import Store
from service.store.company_facts import facts_about
from tests.support.domain_values import ADA, BOB, CONNECTION, MAGIC, NOW, link, reading, seen
from tests.support.store_cases import UNNAMED, create, fresh

REF = UNNAMED.ref
LISTED = Fact(FactKind.LISTED)
REVEALED = Fact(FactKind.REVEALED, session_id=BOB.session_id, provider_at=5.0)
NAMED = Fact(FactKind.NAMED, CONNECTION, ADA.session_id, InvitationId("inv_1"))
ELSEWHERE = Fact(FactKind.NAMED, ConnectionId("another"), ADA.session_id, InvitationId("inv_2"))


@pytest.fixture
async def acme(store: Store) -> Store:
    """Ada's session with an invitation, and Bob's whose magic link was revealed."""
    await create(store, fresh("ada"), link())
    await create(store, fresh("bob"), MAGIC)
    await store.connections.change(REF, [], [], lambda _: Changes(facts=(LISTED, REVEALED, NAMED, ELSEWHERE)))
    return store


async def test_facts_about_other_connections_are_left_out_unless_their_invitation_is_listed(acme: Store) -> None:
    connections, invitations = frozenset({CONNECTION}), frozenset({InvitationId("inv_2")})
    for listed, more in ((frozenset[InvitationId](), set[Fact]()), (invitations, {ELSEWHERE})):
        rows = await acme.engine.read(lambda tx, listed=listed: facts_about(tx, REF, connections, listed))  # type: ignore[misc]
        assert {row.fact for row in rows} == {LISTED, REVEALED, NAMED} | more


async def test_sessions_that_had_a_magic_link_are_left_out(acme: Store) -> None:
    found: list[CompanyRecords] = []

    def decide(records: CompanyRecords) -> Changes:
        found.append(records)
        return Changes()

    await acme.connections.change(REF, [CONNECTION], [], decide)
    (records,) = found
    assert set(records.sessions) == {ADA.session_id}
    assert records.unread == {BOB.session_id}
    assert records.session(SessionId("ses_unknown")) is None
    with pytest.raises(SessionUnread):
        records.session(BOB.session_id)


async def test_a_decision_that_needs_one_is_made_again_with_it(acme: Store) -> None:
    snapshot = reading(seen("connection-2"))
    await acme.connections.change(REF, [ConnectionId("connection-2")], [], lambda found: record(found, snapshot, NOW))
    connection = await acme.connections.get(ConnectionId("connection-2"))
    assert (connection.verdict.owner, connection.verdict.presumed) == (BOB, True)
    assert (await acme.sessions.get(BOB.session_id)).status is SessionStatus.CONNECTED


async def test_a_decision_that_needs_one_that_is_deleted_goes_on_without(acme: Store) -> None:
    await acme.engine.write(lambda tx: tx.run("UPDATE facts SET session_id = 'ses_gone' WHERE kind = 'revealed'"))
    found: list[object] = []

    def decide(records: CompanyRecords) -> Changes:
        found.append(records.session(SessionId("ses_gone")))
        return Changes()

    await acme.connections.change(REF, [], [], decide)
    assert found == [None]

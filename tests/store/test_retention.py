"""Retention: batches of what is long over, each in one transaction; what a verdict needs is left."""

from dataclasses import replace
from functools import partial
from typing import Any

import pytest

from service.domain.changes import Changes, Fact, FactKind
from service.domain.events import document_available
from service.domain.model import ConnectionId, EvidenceKind, InvitationId, Session, SessionId, UserId, UserRef, Verdict
from service.domain.refused_results import refuse_result
from service.domain.session_status import SessionStatus
from service.errors import NotFound
from service.store import Store
from service.store.retention import Deleted
from tests.support.clock import Clock
from tests.support.domain_values import ADA, CONNECTION, TENANT, connection, link
from tests.support.store_cases import UNNAMED, change, count, create, fresh, numbered

REF = UNNAMED.ref
LATER = 10**9  # seconds after everything here
ENDED = {"status": SessionStatus.EXPIRED}


@pytest.fixture
def before(clock: Clock) -> float:
    return clock.now() + LATER


async def over(store: Store, name: str = "ses_ada", user: str = "ada", **fields: Any) -> Session:
    made = await create(store, fresh(user, name), link(invitation_id=f"inv_{name}"))
    return await change(store, made, **(ENDED | fields))


async def record(store: Store, *facts: Fact, owned: bool = True, **fields: Any) -> None:
    verdict = Verdict(EvidenceKind.INVITATION, ADA) if owned else Verdict(candidates=frozenset({ADA}))
    recorded = replace(connection(verdict), company=REF, **fields)
    await store.connections.change(REF, [], [], lambda _: Changes(connections=(recorded,), facts=facts))


async def is_there(store: Store, session_id: str = "ses_ada") -> bool:
    try:
        await store.sessions.get(SessionId(session_id))
    except NotFound:
        return False
    return True


async def test_a_session_goes_with_all_that_is_its_own(store: Store, before: float) -> None:
    made = await over(store)
    await store.sessions.refuse_result(made.id, TENANT, (UserId("eve"), UserRef("usr_eve")), refuse_result)
    assert await count(store, "users") == 2
    assert await store.retention.delete_sessions(before) == Deleted(rows=1)
    for table in ("sessions", "invitations", "users", "facts", "refused_results"):
        assert await count(store, table) == 0, table


@pytest.mark.parametrize("status", [SessionStatus.CREATED, SessionStatus.OPENED])
async def test_a_session_that_did_not_end_is_left_as_it_is(store: Store, before: float, status: SessionStatus) -> None:
    made = await create(store, fresh(metadata={"plan": "pro"}))
    await change(store, made, status=status)
    assert await store.retention.delete_sessions(before) == Deleted(kept=1)
    assert (await store.sessions.get(made.id)).metadata == {"plan": "pro"}


async def test_a_session_that_is_not_over_for_long_enough_is_not_touched(store: Store) -> None:
    made = await over(store)
    assert await store.retention.delete_sessions(made.expires_at) == Deleted()
    assert await is_there(store)


@pytest.mark.parametrize("owned", [True, False])
async def test_the_owner_of_a_connection_and_a_candidate_stay_without_personal_data(
    store: Store, before: float, *, owned: bool
) -> None:
    await over(store, metadata={"plan": "pro"}, user_label="Ada", user_email="ada@example.com")
    await record(store, owned=owned)
    assert await store.retention.delete_sessions(before) == Deleted(kept=1)
    kept = await store.sessions.get(SessionId("ses_ada"))
    assert (kept.metadata, kept.user_label, kept.user_email, kept.user_id) == ({}, None, None, "ada")
    assert kept.link is not None
    assert (kept.link.url, kept.link.invitation_id) == ("", "inv_ses_ada")


@pytest.mark.parametrize(
    ("fact", "stays"),
    [
        (Fact(FactKind.REVEALED, session_id=SessionId("ses_ada"), provider_at=1.0), True),
        (Fact(FactKind.NAMED, CONNECTION, SessionId("ses_ada"), InvitationId("inv_ses_ada")), True),
        (Fact(FactKind.CLAIMED, CONNECTION, SessionId("ses_ada"), nonce="clm"), True),
        (Fact(FactKind.NAMED, ConnectionId("another"), SessionId("ses_ada"), InvitationId("inv_ses_ada")), False),
        (Fact(FactKind.REPLACED, session_id=SessionId("ses_ada")), False),
        (Fact(FactKind.FINISHED, session_id=SessionId("ses_ada"), provider_at=1.0), False),
    ],
    ids=["revealed", "named", "claimed", "named another", "replaced", "finished"],
)
async def test_a_session_stays_for_facts_that_bear_on_a_verdict(
    store: Store, before: float, fact: Fact, *, stays: bool
) -> None:
    await over(store)
    await record(store, fact, owned=False)
    sql = "DELETE FROM connection_candidates"  # so that the fact alone decides
    await store.engine.write(lambda tx: tx.run(sql))
    await store.retention.delete_sessions(before)
    assert await is_there(store) == stays
    assert await count(store, "facts", "kind = 'named'") == (fact.kind is FactKind.NAMED)


async def test_a_session_that_was_kept_is_looked_at_again_after_as_long_a_time(
    store: Store, clock: Clock, before: float
) -> None:
    await over(store)
    await record(store)
    clock.advance(LATER)
    assert await store.retention.delete_sessions(before) == Deleted(kept=1)
    assert await store.retention.delete_sessions(before) == Deleted()
    await store.retention.delete_connections(before)
    assert await store.retention.delete_sessions(clock.now() + 1) == Deleted(kept=1)


async def test_a_removed_connection_goes_with_what_is_about_it(store: Store, clock: Clock, before: float) -> None:
    await over(store)
    facts = (
        Fact(FactKind.NAMED, CONNECTION, SessionId("ses_ada"), InvitationId("inv_ses_ada")),
        Fact(FactKind.CLEARED, CONNECTION),
        Fact(FactKind.PRIOR, CONNECTION),
    )
    await record(store, *facts, removed_at=clock.now())
    recorded = await store.connections.get(CONNECTION)
    await store.documents.name_new(recorded, ["d1"], partial(document_available, recorded))
    assert await store.retention.delete_connections(clock.now()) == Deleted()
    assert await store.retention.delete_connections(before) == Deleted(rows=1)
    assert await count(store, "connections") == await count(store, "documents") == 0
    assert await count(store, "facts", "kind IN ('named', 'prior')") == await count(store, "facts") == 2
    assert await store.retention.delete_sessions(before) == Deleted(rows=1)


async def test_a_connection_that_the_provider_has_is_never_deleted(store: Store, before: float) -> None:
    await over(store)
    await record(store)
    assert await store.retention.delete_connections(before) == Deleted()
    assert await count(store, "connections") == 1


async def test_events_go_in_batches_and_the_last_one_stays(store: Store, before: float) -> None:
    for number in range(3):
        await create(store, fresh(name=f"ses_{number}"))
    await numbered(store)
    highest = await store.engine.read(lambda tx: tx.all("SELECT MAX(seq) AS seq FROM events"))
    assert await store.retention.delete_events(before) == Deleted(rows=2)
    await create(store, fresh("bob"))
    await numbered(store)
    assert [event.seq for event in await store.events.after(0, 10, TENANT)] == [
        highest[0]["seq"],
        highest[0]["seq"] + 1,
    ]


async def test_events_that_are_younger_stay(store: Store, clock: Clock) -> None:
    for number in range(3):
        await create(store, fresh(name=f"ses_{number}"))
    await numbered(store)
    assert await store.retention.delete_events(clock.now()) == Deleted()


async def add_events(store: Store) -> None:
    """Add 450 events that were over long ago."""
    sql = (
        "INSERT INTO events (id, seq, drawn, tenant, type, at, data) "
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 450) "
        "SELECT 'evt_x' || i, 1000 + i, 0, 'default', 'session.created', 0, '{}' FROM n"
    )
    await store.engine.write(lambda tx: tx.run(sql))
    await numbered(store)


async def test_events_that_a_clock_dated_too_late_hold_up_no_others(store: Store, before: float) -> None:
    await add_events(store)
    ahead = "UPDATE events SET at = :at WHERE id IN ('evt_x1', 'evt_x250')"
    await store.engine.write(lambda tx: tx.run(ahead, at=before + 9e8))
    deleted = [await store.retention.delete_events(before) for _ in range(3)]
    assert [one.more for one in deleted] == [True, True, False]
    assert await count(store, "events", "at < :before", before=before) == 1  # the last one, which stays


async def test_a_full_batch_says_that_there_may_be_more(store: Store, before: float) -> None:
    await over(store)
    await add_events(store)
    deleted = [await store.retention.delete_events(before) for _ in range(3)]
    assert [(one.rows, one.more) for one in deleted] == [(200, True), (200, True), (50, False)]


async def test_a_user_stays_as_long_as_something_refers_to_it(store: Store, before: float) -> None:
    await over(store, "ses_1")
    await create(store, fresh(name="ses_2", expires_at=before + 1))
    assert await store.retention.delete_sessions(before) == Deleted(rows=1)
    assert await count(store, "users") == 1

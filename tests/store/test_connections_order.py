"""The same snapshots in any order end alike in the database too: on both of them, and as the pure rules say."""

from collections.abc import Mapping, Sequence
from itertools import permutations
from random import Random

from service.domain.changes import Changes, CompanyBaseline, Fact, FactKind
from service.domain.model import ProviderSnapshot, SessionId
from service.domain.recording import record
from service.domain.session_status import SessionStatus
from service.store import Store
from tests.support import recording_orders as in_memory
from tests.support.domain_values import COMPANY, CREATED_AT, NOW
from tests.support.recording_orders import ADA, BOB, READINGS, USERS, Scenario, snapshot_after
from tests.support.store_cases import UNNAMED, change, connections_of, create, fresh

REF = UNNAMED.ref
ALL_USERS = {one.id: one for one in (BOB, *USERS.values())}
WRITTEN = ("connections", "facts", "session_connections", "events", "event_sessions", "work")
SCENARIOS = 20


async def move_in(store: Store) -> None:
    """The users of the scenarios, each with the link that they have there."""
    for one in ALL_USERS.values():
        made = await create(store, fresh(str(one.user_id), one.id), one.link)
        await change(store, made, status=SessionStatus.OPENED)
    # Of no known time, as of version 0.1.0: what the lists of these scenarios leave out shall count for nothing.
    await store.engine.write(lambda tx: tx.run("UPDATE invitations SET given_at = NULL"))
    assert COMPANY.provider_id is not None
    await store.companies.set_provider_id(REF, CompanyBaseline(COMPANY.provider_id, CREATED_AT - 600))


async def outcome_of(
    store: Store, facts: Mapping[SessionId, Sequence[Fact]], readings: Sequence[ProviderSnapshot]
) -> object:
    """How it ends, from an empty beginning; in the same form as in memory."""
    await store.engine.write(lambda tx: [tx.run(f"DELETE FROM {table}") for table in WRITTEN])  # noqa: S608
    for one in ALL_USERS:
        await change(store, await store.sessions.get(one), status=SessionStatus.OPENED)
    known = tuple(fact for own in facts.values() for fact in own)
    await store.connections.change(REF, [], [], lambda _: Changes(facts=known))
    for snapshot in readings:
        await read(store, snapshot)
    connections = await store.connections.of_company(REF)
    attached = {one: await connections_of(store, one) for one in ALL_USERS}
    return (
        {one.id: (one.verdict, one.reported) for one in connections},
        {one: (await store.sessions.get(one)).status for one in ALL_USERS},
        {(session, one.id) for session, rows in attached.items() for one in rows},
    )


async def read(store: Store, snapshot: ProviderSnapshot) -> None:
    ids = {one.id for one in snapshot.connections} | {made for one in snapshot.invitations for made in one.created}
    invitations = {one.id for one in snapshot.invitations}
    await store.connections.change(REF, ids, invitations, lambda records: record(records, snapshot, NOW))


def shown(name: SessionId, after: float, kind: FactKind = FactKind.REVEALED) -> Fact:
    return Fact(kind, session_id=name, provider_at=CREATED_AT + after)


async def test_every_order_of_a_scenario_ends_alike(store: Store) -> None:
    await move_in(store)
    facts = {ADA.id: [shown(ADA.id, -60)]}
    ends = [await outcome_of(store, facts, order) for order in permutations(READINGS)]
    assert all(each == ends[0] for each in ends)


async def test_any_scenario_in_any_order_ends_as_it_does_in_memory(store: Store) -> None:
    await move_in(store)
    for seed in range(SCENARIOS):
        rng = Random(seed)  # noqa: S311 - a seed, so that a failure can be repeated
        scenario = a_scenario(rng)
        facts = {
            one.id: [
                *(shown(one.id, after) for after in [scenario.reveals.get(name)] if after is not None),
                *(
                    shown(one.id, after, FactKind.REVOKED)
                    for after in [scenario.revoked.get(name)]
                    if after is not None
                ),
            ]
            for name, one in USERS.items()
        }
        polls = [*scenario.polls, *rng.choices(scenario.polls, k=2)]
        rng.shuffle(polls)
        assert await outcome_of(
            store, facts, [snapshot_after(scenario, after) for after in polls]
        ) == in_memory.outcome_of(scenario, polls), seed


def a_scenario(rng: Random) -> Scenario:
    def moments(most: int) -> dict[str, int]:
        return {name: rng.choice((rng.randint(-600, -6), rng.randint(6, 60))) for name in rng.sample([*USERS], most)}

    return Scenario(
        reveals=moments(rng.randint(0, 3)),
        revoked=moments(rng.randint(0, 1)),
        made_by=rng.choice((None, "inv_bob", "inv_operator")),
        named_after=rng.randint(0, 400),
        unused=rng.random() < 0.5,
        polls=[rng.randint(0, 900) for _ in range(rng.randint(1, 5))],
    )

"""The same news in any order ends alike in the database too: on both of them, and as the pure rules say."""

from collections.abc import Mapping, Sequence
from itertools import permutations
from random import Random

from service.domain.changes import Changes, CompanyBaseline, Fact, FactKind
from service.domain.model import ProviderSnapshot, SessionId, SessionStatus
from service.domain.recording import record
from service.store import Store
from tests.support import recording_orders as in_memory
from tests.support.domain_values import COMPANY, CREATED_AT, NOW
from tests.support.recording_orders import ADA, BOB, READINGS, USERS, Story, look
from tests.support.store_cases import UNNAMED, change, connections_of, create, fresh

REF = UNNAMED.ref
PEOPLE = {one.id: one for one in (BOB, *USERS.values())}
WRITTEN = ("connections", "facts", "session_connections", "events", "work")
STORIES = 20


async def move_in(store: Store) -> None:
    """The people of the stories, each with the link that they have there."""
    for one in PEOPLE.values():
        made = await create(store, fresh(one.user_id, one.id), one.link)
        await change(store, made, status=SessionStatus.OPENED)
    # Of no known time, as of version 0.1.0: what the lists of these stories leave out shall count for nothing.
    await store.engine.write(lambda tx: tx.run("UPDATE invitations SET given_at = NULL"))
    assert COMPANY.provider_id is not None
    await store.companies.set_provider_id(REF, CompanyBaseline(COMPANY.provider_id, CREATED_AT - 600))


async def told(store: Store, facts: Mapping[SessionId, Sequence[Fact]], readings: Sequence[ProviderSnapshot]) -> object:
    """How it ends, from an empty beginning; in the words of the stories that are told in memory."""
    await store.engine.write(lambda tx: [tx.run(f"DELETE FROM {table}") for table in WRITTEN])  # noqa: S608
    for one in PEOPLE:
        await change(store, await store.sessions.get(one), status=SessionStatus.OPENED)
    known = tuple(fact for own in facts.values() for fact in own)
    await store.connections.change(REF, [], [], lambda _: Changes(facts=known))
    for news in readings:
        await read(store, news)
    connections = await store.connections.of_company(REF)
    attached = {one: await connections_of(store, one) for one in PEOPLE}
    return (
        {one.id: (one.verdict, one.reported) for one in connections},
        {one: (await store.sessions.get(one)).status for one in PEOPLE},
        {(session, one.id) for session, rows in attached.items() for one in rows},
    )


async def read(store: Store, news: ProviderSnapshot) -> None:
    ids = {one.id for one in news.connections} | {made for one in news.invitations for made in one.created}
    invitations = {one.id for one in news.invitations}
    await store.connections.change(REF, ids, invitations, lambda records: record(records, news, NOW))


def shown(name: SessionId, after: float, kind: FactKind = FactKind.REVEALED) -> Fact:
    return Fact(kind, session_id=name, provider_at=CREATED_AT + after)


async def test_every_order_of_a_story_ends_alike(store: Store) -> None:
    await move_in(store)
    facts = {ADA.id: [shown(ADA.id, -60)]}
    ends = [await told(store, facts, order) for order in permutations(READINGS)]
    assert all(each == ends[0] for each in ends)


async def test_any_story_in_any_order_ends_as_it_does_in_memory(store: Store) -> None:
    await move_in(store)
    for seed in range(STORIES):
        rng = Random(seed)  # noqa: S311 - a seed, so that a failure can be repeated
        story = a_story(rng)
        facts = {
            one.id: [
                *(shown(one.id, after) for after in [story.reveals.get(name)] if after is not None),
                *(shown(one.id, after, FactKind.REVOKED) for after in [story.revoked.get(name)] if after is not None),
            ]
            for name, one in USERS.items()
        }
        looks = [*story.looks, *rng.choices(story.looks, k=2)]
        rng.shuffle(looks)
        assert await told(store, facts, [look(story, after) for after in looks]) == in_memory.told(story, looks), seed


def a_story(rng: Random) -> Story:
    def moments(most: int) -> dict[str, int]:
        return {name: rng.choice((rng.randint(-600, -6), rng.randint(6, 60))) for name in rng.sample([*USERS], most)}

    return Story(
        reveals=moments(rng.randint(0, 3)),
        revoked=moments(rng.randint(0, 1)),
        made_by=rng.choice((None, "inv_bob", "inv_operator")),
        named_after=rng.randint(0, 400),
        unused=rng.random() < 0.5,
        looks=[rng.randint(0, 900) for _ in range(rng.randint(1, 5))],
    )

"""What a decision learns of a session's attached connections, read under the session's lock."""

import asyncio
from dataclasses import replace

from service.domain.changes import Changes
from service.domain.model import Session
from service.store import Store
from tests.support.store_cases import create, fresh


async def attach(store: Store, session: Session, *connections: str) -> None:
    await store.engine.write(
        lambda tx: [
            tx.run(
                "INSERT INTO session_connections (session_id, connection_id, kind, at) "
                "VALUES (:id, :one, 'invitation', 1)",
                id=session.id,
                one=one,
            )
            for one in connections
        ]
    )


async def test_a_decision_gets_the_number_of_its_own_sessions_connections(store: Store) -> None:
    session, other = await create(store, fresh()), await create(store, fresh("ses_other"))
    await attach(store, session, "one", "two")
    await attach(store, other, "three")
    numbers: list[int] = []

    def decide(_found: Session, recorded: int) -> Changes | None:
        numbers.append(recorded)
        return None

    assert (await store.sessions.change_with_count(session.id, decide)).id == session.id
    assert numbers == [2]


async def test_of_two_equal_decisions_at_once_the_second_sees_what_the_first_wrote(store: Store) -> None:
    session = await create(store, fresh())
    await attach(store, session, "one")

    def decide(found: Session, recorded: int) -> Changes | None:
        asked = found.more_asked < recorded
        return Changes(sessions=(replace(found, more_asked=found.more_asked + 1),)) if asked else None

    await asyncio.gather(*(store.sessions.change_with_count(session.id, decide) for _ in range(5)))
    assert (await store.sessions.get(session.id)).more_asked == 1

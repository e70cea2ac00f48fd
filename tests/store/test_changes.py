"""Writing `Changes`: whole or not at all, on whatever it meets."""

from contextlib import nullcontext
from dataclasses import replace
from typing import cast

import pytest

from service.domain.changes import Attachment, Changes, CompletedIntent, Fact, FactKind, Job, JobKind
from service.domain.events import NewEvent
from service.domain.model import EvidenceKind, LinkStatus, Session, SessionId
from service.domain.session_status import SessionStatus
from service.domain.timing import ANSWER_SECONDS
from service.errors import GivenUp, ProviderBroken
from service.store import Store
from service.store.changes import WriteContext, save_session
from service.store.encryption import Cipher
from service.store.engine import Transaction
from tests.support.clock import Clock
from tests.support.domain_values import ADA, CONNECTION, CREATED_AT, MAGIC, NOW, connection, link, with_status
from tests.support.store_cases import UNNAMED, count, create, fresh

WRITTEN = ("connections", "facts", "session_connections", "events", "work")


async def counts(store: Store) -> dict[str, int]:
    return {table: await count(store, table) for table in WRITTEN}


async def test_a_change_that_fails_at_its_end_leaves_nothing_of_its_beginning(store: Store) -> None:
    made = await create(store, fresh())
    before = await counts(store)
    changes = Changes(
        sessions=(with_status(made, SessionStatus.CONNECTED),),
        connections=(replace(connection(), company=UNNAMED.ref),),
        facts=(Fact(FactKind.CLEARED, CONNECTION),),
        attachments=(Attachment(ADA.session_id, CONNECTION, EvidenceKind.CLAIMED),),
        jobs=(Job(JobKind.DOCUMENTS, CONNECTION),),
        events=(NewEvent("connection.recorded", data={"no": object()}),),
    )
    with pytest.raises(TypeError):
        await store.sessions.change(made.id, lambda _: changes)
    assert await counts(store) == before
    assert (await store.sessions.get(made.id)).status is SessionStatus.CREATED


async def test_a_change_of_a_session_that_is_not_there_touches_no_other(store: Store) -> None:
    made = await create(store, fresh())
    stranger = with_status(made, SessionStatus.REVOKED, id=SessionId("ses_nowhere"))
    assert await store.sessions.change(made.id, lambda _: Changes(sessions=(stranger,))) == made
    assert await store.sessions.get(made.id) == made


async def test_an_answered_call_leaves_its_invitation_with_the_times_at_which_it_can_be_used(store: Store) -> None:
    made = await create(store, fresh())
    changes = await answered(store, made)
    await store.sessions.change(made.id, lambda _: changes)
    assert await store.intents.open_intents(made.id) == []
    sql = "SELECT session_id, given_at, ends_at FROM invitations"
    rows = await store.engine.read(lambda tx: [dict(row) for row in tx.all(sql)])
    assert rows == [{"session_id": made.id, "given_at": CREATED_AT - 120, "ends_at": CREATED_AT - 60}]


async def test_an_invitation_of_unknown_time_may_be_used_at_any(store: Store) -> None:
    made = await create(store, fresh(), replace(link(), provider_given_at=0.0))
    rows = await store.engine.read(
        lambda tx: [dict(row) for row in tx.all("SELECT given_at, ends_at FROM invitations")]
    )
    assert (rows, made.id) == ([{"given_at": 0.0, "ends_at": float("inf")}], made.id)


@pytest.mark.parametrize(("seconds", "taken"), [(ANSWER_SECONDS - 1, 1), (ANSWER_SECONDS, 0), (-1, 0)])
async def test_an_answer_is_taken_while_nobody_searches_for_what_the_call_created(
    store: Store, clock: Clock, seconds: float, taken: int
) -> None:
    made = await create(store, fresh())
    changes = await answered(store, made)
    clock.advance(seconds)
    with nullcontext() if taken else pytest.raises(GivenUp):
        await store.sessions.change(made.id, lambda _: changes)
    assert await count(store, "invitations") == taken


async def test_an_invitation_that_the_provider_gave_before_is_not_given_to_another_session(store: Store) -> None:
    await create(store, fresh("ada"), link())
    made = await create(store, fresh("bob"))
    changes = await answered(store, made)
    with pytest.raises(ProviderBroken) as caught:
        await store.sessions.change(made.id, lambda _: changes)
    assert not isinstance(caught.value, GivenUp)
    assert (await store.sessions.get(made.id)).link is None


async def test_who_comes_back_to_a_call_that_was_given_up_changes_nothing(store: Store) -> None:
    made = await create(store, fresh())
    changes = await answered(store, made)
    assert changes.completed_intent is not None
    await store.intents.complete(changes.completed_intent.ref)
    before = await counts(store)
    with pytest.raises(GivenUp):
        await store.sessions.change(made.id, lambda _: changes)
    assert await counts(store) == before
    assert (await store.sessions.get(made.id)).link is None
    assert await count(store, "invitations") == 0


async def answered(store: Store, made: Session) -> Changes:
    """The provider has given the session's invitation, and the intent was written."""
    given = link()
    ready = replace(made, link=given, link_status=LinkStatus.READY)
    ref = await store.intents.begin_invitation(made.id, made.serial)
    return Changes(
        sessions=(ready,),
        completed_intent=CompletedIntent(ref, made.id, given, 60.0),
        events=(NewEvent("session.link_ready"),),
    )


async def test_every_event_has_an_id_of_its_own(store: Store) -> None:
    made = await create(store, fresh())
    event = NewEvent("session.opened", made.id)
    await store.sessions.change(made.id, lambda _: Changes(events=(event, event, event)))
    rows = await store.engine.read(lambda tx: tx.all("SELECT id FROM events"))
    assert len({row["id"] for row in rows}) == 4


class Recorder:
    """A transaction that only notes what it would run."""

    def __init__(self) -> None:
        self.columns: set[str] = set()

    def run(self, _sql: str, **values: object) -> int:
        self.columns |= values.keys()
        return 1


def test_of_a_session_that_was_read_only_what_differs_is_written() -> None:
    context = WriteContext(lambda: NOW, lambda prefix: prefix, Cipher(["k" * 32]))
    stored = fresh(user_email="ada@example.com", link=link())
    for changed, columns in (
        (replace(stored, seen_at=NOW), {"id", "status", "seen_at"}),
        (replace(stored, user_email="bob@example.com"), {"id", "status", "user_email"}),
        (replace(stored, link=MAGIC), {"id", "status", "link_url", "invitation_id"}),
    ):
        recorder = Recorder()
        save_session(cast("Transaction", recorder), context, changed, stored)
        assert recorder.columns == columns
    erased = Recorder()
    save_session(cast("Transaction", erased), context, replace(stored, user_id=None), stored)
    assert {"user_email", "return_url", "link_url"} < erased.columns

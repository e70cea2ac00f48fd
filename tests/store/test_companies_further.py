"""How busy a company is while a session with a working connection may get another one."""

from dataclasses import replace
from typing import Any

import pytest

from service.domain.changes import Attachment, Changes, CompanyActivity
from service.domain.model import ConnectionId, EvidenceKind, Link, LinkKind, Mode, Session
from service.domain.session_status import SessionStatus
from service.domain.timing import FINISHED_SECONDS, OUTLIVED_SECONDS, RECENT_SECONDS
from service.store import Store
from tests.support.clock import Clock
from tests.support.domain_values import CONNECTION, MAGIC, link
from tests.support.store_cases import UNNAMED, change, create, fresh

QUIET = CompanyActivity(**dict.fromkeys(CompanyActivity.__slots__, False))


async def activity(store: Store) -> CompanyActivity:
    return (await store.connections.after_poll(UNNAMED.ref, ()))[1]


async def attach(store: Store, session: Session, connection_id: ConnectionId = CONNECTION) -> None:
    attached = Attachment(session.id, connection_id, EvidenceKind.INVITATION)
    await store.sessions.change(session.id, lambda _: Changes(attachments=(attached,)))


async def connected(store: Store, clock: Clock, given: Link, **fields: Any) -> Session:
    """A session with one working connection, whose page was present just now."""
    made = await create(store, fresh(link_kind=given.kind, **fields), given)
    await attach(store, made)
    at = clock.now()
    clock.advance(1)
    shown = {"link": given, "link_kind": given.kind, "revealed_at": at, "seen_at": clock.now(), "opened_at": at}
    return await change(store, made, status=SessionStatus.CONNECTED, **shown)


async def test_an_invitation_that_has_brought_its_account_is_not_polled_for(store: Store, clock: Clock) -> None:
    await connected(store, clock, link())
    assert await activity(store) == replace(QUIET, present=True, linked=True)


async def test_nor_is_an_edit_link(store: Store, clock: Clock) -> None:
    session = await connected(store, clock, MAGIC, mode=Mode.RECONNECT)
    await change(store, session, finished_at=clock.now())
    assert await activity(store) == replace(QUIET, present=True, linked=True)


@pytest.mark.parametrize("given", [link(), MAGIC], ids=["invitation", "magic link"])
async def test_another_account_is_polled_for_until_two_hours_after_its_page_was_there(
    store: Store, clock: Clock, given: Link
) -> None:
    await connected(store, clock, given, more_asked=1 if given.kind is LinkKind.INVITATION else 0, expires_at=1e12)
    assert await activity(store) == replace(QUIET, present=True, open_sessions=True, linked=True)
    clock.advance(RECENT_SECONDS)
    assert await activity(store) == replace(QUIET, open_sessions=True, linked=True)
    clock.advance(OUTLIVED_SECONDS - RECENT_SECONDS)
    assert await activity(store) == replace(QUIET, linked=True)


async def test_not_two_hours_after_the_sessions_end(store: Store, clock: Clock) -> None:
    session = await connected(store, clock, MAGIC)
    clock.advance(session.expires_at - clock.now() + OUTLIVED_SECONDS)
    await change(store, session, seen_at=clock.now())
    assert await activity(store) == replace(QUIET, present=True, linked=True)


async def test_once_the_other_account_is_recorded_it_is_not_polled_for(store: Store, clock: Clock) -> None:
    session = await connected(store, clock, link(), more_asked=1)
    await attach(store, session, ConnectionId("connection-2"))
    assert await activity(store) == replace(QUIET, present=True, linked=True)


async def test_whose_link_is_not_shown_yet_is_not_polled_for(store: Store, clock: Clock) -> None:
    session = await connected(store, clock, link(), more_asked=1)
    await change(store, session, revealed_at=None)
    assert not (await activity(store)).open_sessions


async def test_who_has_finished_with_a_magic_link_again_waits_until_something_is_recorded_since_then(
    store: Store, clock: Clock
) -> None:
    session = await connected(store, clock, MAGIC)
    assert not (await activity(store)).just_finished
    session = await change(store, session, finished_at=clock.now())
    assert (await activity(store)).just_finished
    clock.advance(FINISHED_SECONDS)
    assert not (await activity(store)).just_finished
    session = await change(store, session, finished_at=clock.now(), seen_at=clock.now())
    await attach(store, session, ConnectionId("connection-2"))
    assert not (await activity(store)).just_finished

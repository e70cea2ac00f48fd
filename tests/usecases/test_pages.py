"""The way back: every state that is refused, and what a page's key is good for. Whole use cases are in integration/."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from itertools import count
from pathlib import Path

import pytest

from service.domain.model import Session, SessionId, UserId
from service.domain.page_starts import PageStart
from service.domain.session_status import SessionStatus
from service.domain.timing import GRACE_SECONDS, RESULT_DAY_SECONDS
from service.domain.tokens import CallbackState, PageToken
from service.errors import BadState, Expired, NotFound, Revoked, TakenOver
from service.signing import Signer
from service.store import Store
from service.store.sqlite import SqliteEngine
from service.usecases.pages import Pages
from tests.support.clock import Clock
from tests.support.domain_values import CREATED_AT, MAGIC, NOW, link, session
from tests.support.fake_provider import FakeProvider
from tests.support.store_cases import change, connections_of, created

SIGNER = Signer(["k" * 32])
KEPT = session(status=SessionStatus.CREATED)
TOKEN = PageToken(KEPT.id, 1, int(NOW))


@dataclass
class PagesOnFile:
    """The use cases of pages over a file of the test's own; the provider is never called."""

    use_cases: Pages
    store: Store
    clock: Clock

    async def change(self, **fields: object) -> Session:
        return await change(self.store, KEPT, **fields)

    async def started(self) -> tuple[str, Session]:
        found = await self.use_cases.start(await self.store.sessions.get(KEPT.id), PageStart(take_over=True))
        return found.page_key, found.snapshot.session


@pytest.fixture
async def pages(tmp_path: Path) -> AsyncIterator[PagesOnFile]:
    clock, numbers = Clock(NOW), count(1)
    engine = SqliteEngine(str(tmp_path / "handoff.db"), clock.now)
    store = Store(engine, clock=clock.now, new_id=lambda prefix: f"{prefix}_{next(numbers)}", keys=("k" * 32,))
    await store.open()
    await store.sessions.create(KEPT, created)
    use_cases = Pages(store, SIGNER, FakeProvider().provider(), clock.now, lambda: f"secret-{next(numbers)}")
    found = PagesOnFile(use_cases, store, clock)
    await found.change(link=MAGIC, link_kind=MAGIC.kind)
    yield found
    await store.close()


def state(**fields: object) -> str:
    known = {"session_id": KEPT.id, "user_id": KEPT.user_id, "page_serial": 1}
    return SIGNER.sign_state(CallbackState(**(known | fields)))  # type: ignore[arg-type]


async def test_a_state_of_the_bound_page_leads_to_its_session(pages: PagesOnFile) -> None:
    _, bound = await pages.started()
    assert (await pages.use_cases.by_state(pages.use_cases.callback_state(bound))).id == KEPT.id


async def test_a_state_that_travels_through_the_provider_is_for_whichever_page_is_bound(pages: PagesOnFile) -> None:
    await pages.started()
    assert (await pages.use_cases.by_state(state(page_serial=0))).id == KEPT.id


async def test_a_tampered_state_is_refused(pages: PagesOnFile) -> None:
    with pytest.raises(BadState):
        await pages.use_cases.by_state(state()[:-1])


async def test_a_state_of_a_session_that_is_not_here_is_refused(pages: PagesOnFile) -> None:
    with pytest.raises(BadState):
        await pages.use_cases.by_state(state(session_id=SessionId("ses_elsewhere")))


async def test_a_state_of_another_user_is_refused(pages: PagesOnFile) -> None:
    await pages.started()
    with pytest.raises(BadState):
        await pages.use_cases.by_state(state(user_id=UserId("mallory")))


async def test_a_state_of_a_page_that_was_taken_over_is_refused(pages: PagesOnFile) -> None:
    _, first = await pages.started()
    await pages.started()
    with pytest.raises(TakenOver):
        await pages.use_cases.by_state(pages.use_cases.callback_state(first))


async def test_a_state_is_accepted_while_its_session_gives_any_and_afterwards_where_it_goes_on(
    pages: PagesOnFile,
) -> None:
    """A page that shows the end still has its way back, so its states must lead there for as long as it gets them."""
    await pages.started()
    pages.clock.advance(3600 + RESULT_DAY_SECONDS - 1)
    assert (await pages.use_cases.by_state(state())).id == KEPT.id
    pages.clock.advance(1)
    with pytest.raises(BadState, match="too old"):
        await pages.use_cases.by_state(state())
    await pages.change(link_used_at=pages.clock.now())
    assert (await pages.use_cases.by_state(state())).id == KEPT.id
    await pages.change(link_used_at=None, status=SessionStatus.CONNECTED)
    assert (await pages.use_cases.by_state(state())).id == KEPT.id


async def test_a_state_of_a_revoked_session_is_refused_after_its_time_and_the_grace(pages: PagesOnFile) -> None:
    await pages.started()
    await pages.change(status=SessionStatus.REVOKED)
    pages.clock.advance(3600 + GRACE_SECONDS)
    assert (await pages.use_cases.by_state(state())).id == KEPT.id
    pages.clock.advance(1)
    with pytest.raises(BadState, match="too old"):
        await pages.use_cases.by_state(state())


async def test_mallorys_own_state_with_adas_connection_writes_no_fact(
    pages: PagesOnFile,
) -> None:
    """A connection id from a browser is a hint to poll now: the way back enqueues a poll, and nothing else."""
    await pages.started()
    before = await pages.store.engine.read(lambda tx: [dict(row) for row in tx.all("SELECT * FROM facts")])
    await pages.use_cases.enqueue_poll(await pages.use_cases.by_state(state()))
    assert await pages.store.engine.read(lambda tx: [dict(row) for row in tx.all("SELECT * FROM facts")]) == before
    assert await connections_of(pages.store, KEPT.id) == []


# pages


async def test_a_get_reveals_nothing_and_a_start_reveals_before_the_link_leaves_us(pages: PagesOnFile) -> None:
    opening = await pages.use_cases.by_embed_token(SIGNER.embed_token(TOKEN, SIGNER.newest_key_id))
    assert opening.closed is None
    assert (await pages.store.sessions.get(KEPT.id)).revealed_at is None
    await pages.started()
    rows = await pages.store.engine.read(lambda tx: tx.all("SELECT * FROM facts WHERE kind = 'revealed'"))
    assert [row["provider_at"] for row in rows] == [CREATED_AT - 120]


async def test_either_url_opens_its_own_route_only(pages: PagesOnFile) -> None:
    embed, connect = (make(TOKEN, SIGNER.newest_key_id) for make in (SIGNER.embed_token, SIGNER.connect_token))
    assert (await pages.use_cases.by_connect_token(connect)).session.id == KEPT.id
    for read, token in ((pages.use_cases.by_embed_token, connect), (pages.use_cases.by_connect_token, embed)):
        with pytest.raises(NotFound):
            await read(token)
    for token in (embed, connect):
        assert pages.use_cases.session_of_token(token) == KEPT.id
    with pytest.raises(NotFound):
        pages.use_cases.session_of_token("neither")


async def test_a_closed_session_opens_with_the_reason(pages: PagesOnFile) -> None:
    await pages.change(status=SessionStatus.REVOKED)
    token = SIGNER.embed_token(TOKEN, SIGNER.newest_key_id)
    assert isinstance((await pages.use_cases.by_embed_token(token)).closed, Revoked)


async def test_an_older_url_opens_with_its_own_end_as_the_reason(pages: PagesOnFile) -> None:
    await pages.change(serial=2, issued_at=int(NOW) + 3000, expires_at=NOW + 6600)
    pages.clock.advance(3600)
    token = SIGNER.embed_token(TOKEN, SIGNER.newest_key_id)
    assert isinstance((await pages.use_cases.by_embed_token(token)).closed, Expired)


async def test_only_the_bound_pages_key_sees_the_link_and_acts(pages: PagesOnFile) -> None:
    first, _ = await pages.started()
    second, _ = await pages.started()
    assert (await pages.use_cases.snapshot(KEPT.id, second)).session.link == MAGIC
    for key, refusal in ((first, TakenOver), (None, NotFound)):
        with pytest.raises(refusal):
            await pages.use_cases.snapshot(KEPT.id, key)
        with pytest.raises(refusal):
            await pages.use_cases.finish(KEPT.id, key)


async def test_a_link_that_came_after_the_page_is_revealed_when_the_page_asks(pages: PagesOnFile) -> None:
    key, _ = await pages.started()
    await pages.change(link=link(), revealed_at=None)
    assert (await pages.use_cases.snapshot(KEPT.id, key)).session.revealed_at == NOW


async def test_a_vanished_page_is_exited_after_a_minute_and_checked_until_then(pages: PagesOnFile) -> None:
    await pages.started()
    pages.clock.advance(20)
    assert await pages.use_cases.check_presence(KEPT.id) == 40
    pages.clock.advance(40)
    assert await pages.use_cases.check_presence(KEPT.id) is None
    assert (await pages.store.sessions.get(KEPT.id)).status is SessionStatus.EXITED


async def test_a_foreign_future_or_odd_event_id_replays_the_session_from_its_start(pages: PagesOnFile) -> None:
    await pages.started()
    (first, *_) = await pages.use_cases.events_after(KEPT.id, 0)
    assert await pages.use_cases.stream_position(KEPT.id, first.id, 99) == first.seq
    assert await pages.use_cases.stream_position(KEPT.id, None, 99) == 99
    for odd in ("evt_future", "", "'; --"):
        assert await pages.use_cases.stream_position(KEPT.id, odd, 99) == 0
    assert await pages.use_cases.stream_position(SessionId("ses_other"), first.id, 99) == 0


async def test_a_result_says_what_stands_and_only_its_user_may_confirm_it(pages: PagesOnFile) -> None:
    text = pages.use_cases.sign_result(await pages.use_cases.outcome(KEPT.id))
    reported = SIGNER.read_result(text, KEPT.tenant, UserId("ada"), NOW)
    assert (reported.status, reported.connection_id) == ("created", None)
    with pytest.raises(BadState):
        SIGNER.read_result(text, KEPT.tenant, UserId("mallory"), NOW)


async def test_a_page_that_stays_and_leaves_is_believed_by_its_key(pages: PagesOnFile) -> None:
    key, bound = await pages.started()
    assert pages.use_cases.holds_page_key(bound, key)
    pages.clock.advance(30)
    await pages.use_cases.heartbeat(KEPT.id, key)
    await pages.use_cases.finish(KEPT.id, key)
    assert (await pages.store.sessions.get(KEPT.id)).seen_at == NOW + 30
    await pages.use_cases.leave(KEPT.id, key, "provider", "closed")
    gone = await pages.store.sessions.get(KEPT.id)
    assert (gone.status, gone.page_hash) == (SessionStatus.EXITED, None)


async def test_a_page_that_starts_again_with_its_key_stays_the_same_page(pages: PagesOnFile) -> None:
    key, bound = await pages.started()
    again = await pages.use_cases.start(bound, PageStart(key))
    assert (again.page_key, again.snapshot.session.page_serial) == (key, 1)

"""Recorded connections, the records that decide about them, and the lock under which that happens."""

import asyncio
from dataclasses import replace

import pytest

from service.domain.changes import Attachment, Changes, CompanyRecords, Detachment, Fact, FactKind, OwnInvitation
from service.domain.events import NewEvent
from service.domain.model import (
    CompanyRef,
    Connection,
    ConnectionId,
    EvidenceKind,
    InvitationId,
    Mode,
    ProviderSiteId,
    SessionId,
    Tenant,
    Verdict,
)
from service.domain.session_status import Progress
from service.errors import NotFound
from service.store import Store
from tests.support.clock import Clock
from tests.support.domain_values import ADA, BOB, CONNECTION, MAGIC, TENANT, connection, link, seen
from tests.support.store_cases import UNNAMED, connections_of, count, create, fresh, numbered

REF = UNNAMED.ref
OWNED = Verdict(EvidenceKind.INVITATION, ADA)
NAMED = Fact(FactKind.NAMED, CONNECTION, ADA.session_id, InvitationId("inv_1"))
CLEARED = Fact(FactKind.CLEARED, CONNECTION)


def one(verdict: Verdict = OWNED, **fields: object) -> Connection:
    return replace(connection(verdict, **fields), company=REF)


async def write(store: Store, changes: Changes) -> None:
    await store.connections.change(REF, [], [], lambda _: changes)


async def records(store: Store, *connections: str, invitations: tuple[str, ...] = ()) -> CompanyRecords:
    read: list[CompanyRecords] = []

    def snapshot_after(found: CompanyRecords) -> Changes:
        read.append(found)
        return Changes()

    ids, named = map(ConnectionId, connections), map(InvitationId, invitations)
    await store.connections.change(REF, ids, named, snapshot_after)
    return read[0]


@pytest.fixture
async def acme(store: Store) -> Store:
    """Ada's session with its invitation, and Bob's with a magic link."""
    await create(store, fresh("ada"), link())
    await create(store, fresh("bob"), MAGIC)
    return store


async def test_a_connection_comes_back_as_it_was_written(acme: Store) -> None:
    facts = seen(
        status="INCORRECT_PASSWORD",
        provider_name="Utility",
        provider_url="https://u.example",
        sites=(ProviderSiteId("s"),),
    )
    verdict = Verdict(EvidenceKind.SOLE_CANDIDATE, ADA, presumed=True, candidates=frozenset({ADA, BOB}))
    times = {"evidence_at": 5.0, "missing_at": 6.0, "removed_at": 7.0}
    given = one(verdict, reported=facts, cross_device=True, resumed_by_host=True, **times)
    await write(acme, Changes(connections=(given,)))
    assert await acme.connections.get(CONNECTION) == given


async def test_an_unattributed_connection_comes_back_as_it_was_written(acme: Store) -> None:
    given = one(Verdict(waiting=True, candidates=frozenset({BOB})))
    await write(acme, Changes(connections=(given,)))
    assert await acme.connections.get(CONNECTION, TENANT) == given


async def test_an_unknown_or_another_tenants_connection_is_not_found(acme: Store) -> None:
    await write(acme, Changes(connections=(one(),)))
    for connection_id, tenant in ((ConnectionId("another"), None), (CONNECTION, Tenant("elsewhere"))):
        with pytest.raises(NotFound):
            await acme.connections.get(connection_id, tenant)


async def test_a_connection_is_recorded_once_and_keeps_the_moment_it_was(acme: Store) -> None:
    await write(acme, Changes(connections=(one(recorded_at=1.0),)))
    await write(acme, Changes(connections=(one(Verdict(), recorded_at=2.0, updated_at=2.0),)))
    assert await count(acme, "connections") == 1
    found = await acme.connections.get(CONNECTION)
    assert (found.recorded_at, found.updated_at, found.verdict) == (1.0, 2.0, Verdict())


# the records


async def test_the_records_of_a_company_that_is_not_there_are_not_found(store: Store) -> None:
    with pytest.raises(NotFound):
        await records(store)


async def test_the_records_of_a_company_without_activity_are_empty(acme: Store) -> None:
    found = await records(acme, CONNECTION)
    assert found.company == UNNAMED
    assert (found.facts, found.connections, found.sessions) == ((), {}, {})
    assert found.attached == {}


async def test_the_records_have_the_facts_on_what_is_asked_for_and_every_reveal_of_the_company(acme: Store) -> None:
    reveal = Fact(FactKind.REVEALED, session_id=BOB.session_id, provider_at=5.0)
    other = replace(NAMED, connection_id=ConnectionId("another"))
    await write(acme, Changes(facts=(NAMED, reveal, other)))
    rows = (await records(acme, CONNECTION)).facts
    assert {row.fact for row in rows} == {NAMED, reveal}
    assert {(row.tenant, row.user) for row in rows} == {(TENANT, "usr_ada"), (TENANT, "usr_bob")}


async def test_facts_of_another_company_do_not_count(acme: Store) -> None:
    elsewhere = replace(UNNAMED, ref=CompanyRef("cmp_other"), external_id="other")
    await create(acme, fresh("carol", company=elsewhere), MAGIC)
    reveal = Fact(FactKind.REVEALED, session_id=SessionId("ses_carol"), provider_at=5.0)
    await acme.connections.change(elsewhere.ref, [], [], lambda _: Changes(facts=(reveal,)))
    assert (await records(acme)).facts == ()


async def test_a_fact_whose_session_is_unknown_has_no_owner(acme: Store) -> None:
    await write(acme, Changes(facts=(replace(NAMED, session_id=None),)))
    (row,) = (await records(acme, CONNECTION)).facts
    assert (row.tenant, row.user) == (None, None)


async def test_the_same_fact_twice_is_one_and_keeps_its_first_time(acme: Store, clock: Clock) -> None:
    reveal = Fact(FactKind.REVEALED, session_id=BOB.session_id, provider_at=5.0)
    await write(acme, Changes(facts=(reveal, CLEARED)))
    first_at = clock.now()
    clock.advance(60)
    await write(acme, Changes(facts=(replace(reveal, provider_at=9.0), CLEARED)))
    rows = (await records(acme, CONNECTION)).facts
    assert {(row.fact.provider_at, row.recorded_at) for row in rows} == {(5.0, first_at), (None, first_at)}


async def test_the_records_name_the_session_of_each_invitation_in_the_snapshot(acme: Store) -> None:
    found = await records(acme, invitations=("inv_1", "inv_elsewhere"))
    assert found.by_invitation == {"inv_1": ADA.session_id}
    assert set(found.sessions) == {ADA.session_id}


async def test_the_records_name_our_invitations_that_were_not_in_the_snapshot(acme: Store) -> None:
    given = link(invitation_id="inv_3")
    await create(acme, fresh("carol"), given)
    own = OwnInvitation(InvitationId("inv_3"), given.provider_given_at, given.provider_given_at + 3600)
    assert (await records(acme, CONNECTION, invitations=("inv_1",))).unlisted == (own,)
    assert (await records(acme, CONNECTION, invitations=("inv_1", "inv_3"))).unlisted == ()
    await write(acme, Changes(facts=(replace(NAMED, invitation_id=InvitationId("inv_3")),)))
    assert (await records(acme, "another", invitations=("inv_1",))).unlisted == ()


async def test_an_invitation_of_a_reconnect_is_not_among_them(acme: Store) -> None:
    mending = replace(fresh("carol"), mode=Mode.RECONNECT, connection_id=CONNECTION)
    await create(acme, mending, link(invitation_id="inv_3"))
    assert (await records(acme, CONNECTION, invitations=("inv_1",))).unlisted == ()


@pytest.mark.parametrize("kind", [FactKind.NAMED, FactKind.CLEARED, FactKind.PRIOR])
async def test_our_invitations_are_left_out_where_no_verdict_depends_on_them(acme: Store, kind: FactKind) -> None:
    await create(acme, fresh("carol"), link(invitation_id="inv_3"))
    assert (await records(acme, CONNECTION, invitations=("inv_1",))).unlisted
    await write(acme, Changes(facts=(Fact(kind, CONNECTION),)))
    assert (await records(acme, CONNECTION, invitations=("inv_1",))).unlisted == ()
    assert (await records(acme, CONNECTION, "another", invitations=("inv_1",))).unlisted
    await write(acme, Changes(connections=(one(),)))
    is_judged = kind is FactKind.PRIOR  # recorded all the same: an invitation of ours had named it
    assert bool((await records(acme, CONNECTION, invitations=("inv_1",))).unlisted) is is_judged


async def test_the_records_have_the_sessions_that_a_verdict_or_a_fact_names(acme: Store) -> None:
    await write(acme, Changes(connections=(one(),), facts=(replace(NAMED, session_id=BOB.session_id),)))
    found = await records(acme, CONNECTION)
    assert set(found.sessions) == {ADA.session_id, BOB.session_id}
    assert set(found.connections) == {CONNECTION}


async def test_the_records_have_the_sessions_that_reconnect_the_connection(acme: Store) -> None:
    await create(acme, fresh("ada", "ses_mending", mode=Mode.RECONNECT, connection_id=CONNECTION))
    assert set((await records(acme, CONNECTION)).sessions) == {"ses_mending"}
    assert set((await records(acme, "another")).sessions) == set()


async def test_what_waits_for_its_verdict_is_always_in_the_records(acme: Store) -> None:
    await write(acme, Changes(connections=(one(Verdict(waiting=True)),), facts=(CLEARED,)))
    found = await records(acme)
    assert set(found.connections) == {CONNECTION}
    assert [row.fact for row in found.facts] == [CLEARED]


# one transaction


async def test_everything_that_a_decision_says_is_written_together(acme: Store) -> None:
    changes = Changes(
        connections=(one(),),
        facts=(NAMED,),
        attachments=(Attachment(ADA.session_id, CONNECTION, EvidenceKind.INVITATION),),
        events=(NewEvent("connection.recorded", ADA.session_id, CONNECTION, ADA.user),),
    )
    await write(acme, changes)
    await numbered(acme)
    assert await connections_of(acme, ADA.session_id) == [await acme.connections.get(CONNECTION)]
    assert (await records(acme, CONNECTION)).attached == {(ADA.session_id, CONNECTION): Progress.ATTACHED}
    assert (await acme.events.after(0, 10))[-1].connection_id == CONNECTION
    await write(acme, Changes(detachments=(Detachment(ADA.session_id, CONNECTION),)))
    assert await connections_of(acme, ADA.session_id) == []


async def test_attaching_again_for_a_better_reason_is_one_attachment(acme: Store) -> None:
    for kind in (EvidenceKind.SOLE_CANDIDATE, EvidenceKind.CLAIMED):
        await write(acme, Changes(connections=(one(),), attachments=(Attachment(ADA.session_id, CONNECTION, kind),)))
    assert await count(acme, "session_connections", "kind = 'claimed'") == 1
    assert await count(acme, "session_connections") == 1


async def test_a_decision_that_refuses_writes_nothing(acme: Store) -> None:
    def refuse(_ledger: CompanyRecords) -> Changes:
        raise NotFound

    with pytest.raises(NotFound):
        await acme.connections.change(REF, [CONNECTION], [], refuse)
    assert await count(acme, "facts") == 0


async def test_a_hundred_polls_at_once_record_one_connection_and_emit_one_event(acme: Store) -> None:
    def decide(found: CompanyRecords) -> Changes:
        if CONNECTION in found.connections:
            return Changes()
        return Changes(connections=(one(),), facts=(NAMED,), events=(NewEvent("connection.recorded"),))

    await asyncio.gather(*(acme.connections.change(REF, [CONNECTION], [], decide) for _ in range(100)))
    assert await count(acme, "connections") == 1
    assert await count(acme, "events", "type = 'connection.recorded'") == 1


# lists


async def test_lists_are_newest_first_and_follow_each_other(acme: Store) -> None:
    rows = [one(reported=seen(f"c{n}"), recorded_at=float(min(n, 3))) for n in range(5)]
    await write(acme, Changes(connections=tuple(rows)))
    found: list[str] = []
    after: tuple[float, str] | None = None
    while page := await acme.connections.list_page(TENANT, {}, after, 2):
        found += [each.id for each in page]
        after = page[-1].recorded_at, page[-1].id
    assert found == ["c4", "c3", "c2", "c1", "c0"]


@pytest.mark.parametrize(
    ("filters", "expected"),
    [
        ({"attributed": True}, {"ada"}),
        ({"attributed": False}, {"nobody"}),
        ({"user_id": "ada"}, {"ada"}),
        ({"user_id": "bob"}, set()),
        ({"status": "INCORRECT_PASSWORD"}, {"ada"}),
        ({"status": "PASSWORD_INCORRECT"}, {"ada"}),
        ({"company": "acme"}, {"ada", "nobody"}),
        ({"company": "another"}, set()),
        ({"user_id": "ada", "attributed": True}, {"ada"}),
    ],
)
async def test_lists_are_filtered(acme: Store, filters: dict[str, object], expected: set[str]) -> None:
    broken = one(reported=seen("ada", status="INCORRECT_PASSWORD"))
    await write(acme, Changes(connections=(broken, one(Verdict(), reported=seen("nobody")))))
    assert {each.id for each in await acme.connections.list_page(TENANT, filters, None, 10)} == expected
    assert await acme.connections.list_page(Tenant("elsewhere"), filters, None, 10) == []


async def test_what_was_removed_is_no_longer_the_companys_to_ask_about(acme: Store) -> None:
    gone = one(reported=seen("gone"), removed_at=5.0)
    await write(acme, Changes(connections=(one(), gone)))
    assert [each.id for each in await acme.connections.of_company(REF)] == [CONNECTION]

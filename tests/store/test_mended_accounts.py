"""What the page of a reconnect session may show of the account that it is for."""

from dataclasses import replace

from service.domain.changes import Changes
from service.domain.model import (
    Candidate,
    ConnectionId,
    EvidenceKind,
    Mode,
    ProviderSiteId,
    SessionId,
    UserRef,
    Verdict,
)
from service.store import Store
from tests.support.domain_values import CONNECTION, TENANT, connection
from tests.support.store_cases import create, fresh

HERS = Verdict(EvidenceKind.CLAIMED, Candidate(SessionId("ses_ada"), TENANT, UserRef("usr_ada")))


async def recorded(store: Store, verdict: Verdict) -> None:
    """A connection of Ada's company, with one site that has a name here and one that has none."""
    made = await create(store, fresh(name="ses_ada", user="ada"))
    one = replace(connection(), company=made.company.ref, verdict=verdict)
    one = replace(one, reported=replace(one.reported, sites=(ProviderSiteId("site-1"), ProviderSiteId("site-9"))))
    named = "UPDATE sites SET provider_id = 'site-1'"
    await store.engine.write(lambda tx: tx.run(named))
    await store.connections.change(made.company.ref, [], [], lambda _: Changes(connections=(one,)))


async def reconnect(store: Store, connection_id: ConnectionId | None) -> SessionId:
    session = fresh(name="ses_again", user="ada", mode=Mode.RECONNECT, connection_id=connection_id)
    return (await create(store, session)).id


async def test_an_account_that_belongs_to_somebody_else_by_now_is_not_shown(store: Store) -> None:
    his = Verdict(EvidenceKind.CLAIMED, Candidate(SessionId("ses_bob"), TENANT, UserRef("usr_bob")))
    await recorded(store, his)
    assert (await store.sessions.page_snapshot(await reconnect(store, CONNECTION))).mends is None


async def test_an_account_without_an_owner_is_not_shown(store: Store) -> None:
    await recorded(store, Verdict())
    assert (await store.sessions.page_snapshot(await reconnect(store, CONNECTION))).mends is None


async def test_a_session_that_connects_mends_nothing(store: Store) -> None:
    await recorded(store, HERS)
    assert (await store.sessions.page_snapshot(SessionId("ses_ada"))).mends is None


async def test_a_connection_that_is_not_recorded_here_is_none(store: Store) -> None:
    await recorded(store, HERS)
    assert (await store.sessions.page_snapshot(await reconnect(store, ConnectionId("other")))).mends is None


async def test_the_account_comes_with_the_names_of_its_sites_that_are_known(store: Store) -> None:
    await recorded(store, HERS)
    found = (await store.sessions.page_snapshot(await reconnect(store, CONNECTION))).mends
    assert found is not None
    assert (found.connection.id, found.sites) == (CONNECTION, ("Headquarters",))

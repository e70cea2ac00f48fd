"""The provider forgets a connection: what is known of it stays, and nothing waits for it any longer."""

from service.domain.changes import Job, JobKind
from tests.support.services import RunningServices
from tests.support.users import WRONG, User


async def forget(services: RunningServices, connection_id: str) -> None:
    answer = await services.sandbox.plain("DELETE", f"/_control/connections/{connection_id}")
    assert answer.status_code == 204


async def test_an_invitation_whose_connection_is_forgotten_still_has_made_it(
    services: RunningServices, ada: User, bob: User
) -> None:
    first = await ada.connected()
    await forget(services, first["id"])
    page = await bob.frame(link="magic_link")
    await page.connect()
    await page.finish()
    await services.later(121)
    await services.later(30)
    found = await bob.newest()
    assert (found["evidence"]["kind"], found["evidence"]["presumed"]) == ("sole_candidate", True)


async def test_a_connection_removed_while_undecided_emits_its_event_and_is_polled_for_no_more(
    services: RunningServices, ada: User, bob: User
) -> None:
    await ada.frame()
    page = await bob.frame(link="magic_link")
    await page.connect()
    await page.finish()
    (undecided,) = await services.rows("/v1/connections", attributed="false")
    assert undecided["confirming"]
    await forget(services, undecided["id"])
    await services.later(30)
    await services.later(65)
    (gone,) = await services.rows("/v1/connections", attributed="false")
    assert (gone["status"], gone["confirming"]) == ("REMOVED", False)
    reported = await services.event_types()
    assert reported[-2:] == ["connection.ambiguous", "connection.removed"]
    await services.later(3 * 3600)
    before = len(services.outgoing.calls)
    for _ in range(10):
        await services.later(30)
    assert len(services.outgoing.calls) == before


async def test_a_session_stays_connected_when_the_connection_that_worked_is_deleted(
    services: RunningServices, ada: User
) -> None:
    page = await ada.frame(link="magic_link")
    for password in ({}, {"password": WRONG}):
        await page.connect(**password)
        await page.finish()
        services.clock.advance(30)
    works, refused = sorted((await page.stored())["connections"], key=lambda one: str(one["status"] != "CONNECTED"))
    await services.later(3 * 3600)
    await forget(services, works["id"])
    company = (await services.parts.store.connections.get(works["id"])).company
    for _ in range(2):
        await services.parts.store.queue.enqueue(Job(JobKind.RECONCILE, company))
        await services.later(70)
    await services.parts.store.retention.delete_connections(services.clock.now() + 1)
    await services.parts.store.queue.enqueue(Job(JobKind.RECONCILE, company))
    await services.later(70)
    stored = await page.stored()
    assert (stored["status"], [one["id"] for one in stored["connections"]]) == ("connected", [refused["id"]])
    assert "session.exited" not in await page.event_types()

"""The provider forgets a connection: what is known of it stays, and nothing waits for it any longer."""

from tests.support.services import RunningServices
from tests.support.users import User


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

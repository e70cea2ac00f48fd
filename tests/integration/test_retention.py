"""The provider forgets a connection: what is known of it stays, and nothing waits for it any longer."""

from tests.support.people import User
from tests.support.services import RunningServices


async def forget(street: RunningServices, connection_id: str) -> None:
    answer = await street.sandbox.plain("DELETE", f"/_control/connections/{connection_id}")
    assert answer.status_code == 204


async def test_an_invitation_whose_connection_is_forgotten_still_has_made_it(
    street: RunningServices, ada: User, bob: User
) -> None:
    first = await ada.connected()
    await forget(street, first["id"])
    page = await bob.frame(link="magic_link")
    await page.connect()
    await page.finish()
    await street.later(121)
    await street.later(30)
    found = await bob.newest()
    assert (found["evidence"]["kind"], found["evidence"]["presumed"]) == ("sole_candidate", True)


async def test_a_connection_forgotten_while_it_is_undecided_is_told_of_and_waited_for_no_more(
    street: RunningServices, ada: User, bob: User
) -> None:
    await ada.frame()
    page = await bob.frame(link="magic_link")
    await page.connect()
    await page.finish()
    (undecided,) = await street.rows("/v1/connections", attributed="false")
    assert undecided["confirming"]
    await forget(street, undecided["id"])
    await street.later(30)
    await street.later(65)
    (gone,) = await street.rows("/v1/connections", attributed="false")
    assert (gone["status"], gone["confirming"]) == ("REMOVED", False)
    told = await street.told()
    assert told[-2:] == ["connection.ambiguous", "connection.removed"]
    await street.later(3 * 3600)
    before = len(street.outgoing.calls)
    for _ in range(10):
        await street.later(30)
    assert len(street.outgoing.calls) == before

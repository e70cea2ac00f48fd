"""A connection that needs attention is reminded of after 1, 3, 10 and 30 days, and not once it is mended."""

from service.domain.timing import LEASE_SECONDS
from tests.support.connection_steps import reconnecting, repair
from tests.support.endpoints import DAY, HOUR
from tests.support.services import RunningServices
from tests.support.users import WRONG, User


async def told(services: RunningServices) -> list[int]:
    events = await services.rows("/v1/events", limit=100)
    return [event["data"]["day"] for event in events if event["type"] == "connection.reminder"]


async def broken(ada: User) -> None:
    page = await ada.frame(expiresIn=30 * 86400)
    await page.connect(WRONG)
    await page.finish()


async def pass_days(services: RunningServices, days: float) -> None:
    for _ in range(int(days * 4)):
        await services.later(DAY / 4)


async def test_an_episode_has_four_reminders(services: RunningServices, ada: User) -> None:
    await broken(ada)
    seen = []
    for _ in range(35):
        await pass_days(services, 1)
        seen.append(len(await told(services)))
    assert await told(services) == [1, 3, 10, 30]
    assert [seen[day - 1] for day in (1, 2, 3, 9, 10, 29, 30, 35)] == [1, 1, 2, 2, 3, 3, 4, 4]
    types = await services.event_types()
    assert types.count("connection.needs_attention") == 1


async def test_a_reminder_names_the_call_that_mends_it(services: RunningServices, ada: User) -> None:
    await broken(ada)
    await pass_days(services, 1.25)
    (event,) = [one for one in await services.rows("/v1/events", limit=100) if one["type"] == "connection.reminder"]
    call = f"POST /v1/connections/{event['connectionId']}/reconnect"
    assert event["data"] == {"status": "PASSWORD_INCORRECT", "state": "action_needed", "day": 1, "reconnect": call}
    assert event["userId"] == "ada"


async def test_none_follows_a_repair_that_no_poll_has_seen_yet(services: RunningServices, ada: User) -> None:
    await broken(ada)
    await services.later(DAY - HOUR)
    await services.sandbox.trouble("status_change", status="CONNECTED")
    services.clock.advance(HOUR + 1)
    await services.drain()
    assert await told(services) == []
    assert (await ada.newest())["needsAttention"] is False
    await pass_days(services, 4)
    assert await told(services) == []


async def test_none_comes_while_the_provider_cannot_be_polled_and_the_last_missed_one_afterwards(
    services: RunningServices, ada: User
) -> None:
    await broken(ada)
    await services.later(DAY - HOUR)
    services.outgoing.is_down = True
    await pass_days(services, 3.5)
    assert await told(services) == []
    services.outgoing.is_down = False
    await services.later(HOUR)
    assert await told(services) == [3]
    await pass_days(services, 7)
    assert await told(services) == [3, 10]


async def test_none_comes_of_what_was_mended_while_the_provider_could_not_be_polled(
    services: RunningServices, ada: User
) -> None:
    await broken(ada)
    await services.later(DAY - HOUR)
    services.outgoing.is_down = True
    await services.sandbox.trouble("status_change", status="CONNECTED")
    await services.later(2 * HOUR)
    assert await told(services) == []
    services.outgoing.is_down = False
    await pass_days(services, 3)
    assert (await ada.newest())["needsAttention"] is False
    assert await told(services) == []


async def test_a_new_episode_is_counted_from_its_own_beginning(services: RunningServices, ada: User) -> None:
    await broken(ada)
    await pass_days(services, 2)
    await services.sandbox.trouble("status_change", status="CONNECTED")
    await pass_days(services, 1)
    assert await told(services) == [1]
    connection = await ada.newest()
    await services.sandbox.trouble("status_change", status="PASSWORD_INCORRECT")
    await pass_days(services, 0.5)
    assert (await ada.newest())["id"] == connection["id"]
    assert (await ada.newest())["needsAttention"] is True
    assert await told(services) == [1]
    await pass_days(services, 4)
    assert await told(services) == [1, 1, 3]


async def test_none_comes_while_the_provider_checks_what_its_user_has_mended(
    services: RunningServices, ada: User
) -> None:
    await broken(ada)
    await services.later(HOUR)
    page = await reconnecting(services, await ada.newest())
    await services.sandbox.trouble("pending_for", seconds=2 * DAY)
    await repair(page)
    await page.finish()
    await pass_days(services, 1.5)
    assert ((await ada.newest())["state"], await told(services)) == ("checking", [])


async def test_the_next_step_comes_where_it_needs_attention_again_by_then(services: RunningServices, ada: User) -> None:
    await broken(ada)
    await services.sandbox.trouble("status_change", status="WEBSITE_DOWN", times=1)
    await pass_days(services, 2)
    assert ((await ada.newest())["state"], await told(services)) == ("delayed", [])
    await services.sandbox.trouble("status_change", status="PASSWORD_INCORRECT", times=1)
    await pass_days(services, 2)
    assert await told(services) == [3]
    assert (await services.event_types()).count("connection.needs_attention") == 1


async def test_nobody_is_reminded_of_an_erased_users_account(services: RunningServices, ada: User) -> None:
    await broken(ada)
    assert (await services.host.delete("/v1/users/ada")).status_code == 204
    await pass_days(services, 4)
    assert await told(services) == []


async def test_a_process_that_dies_tells_no_step_twice(services: RunningServices, ada: User) -> None:
    await broken(ada)
    await pass_days(services, 1.25)
    (job,) = await services.parts.store.engine.read(lambda tx: tx.all("SELECT * FROM work WHERE kind = 'remind'"))
    await services.parts.store.engine.write(lambda tx: tx.run("UPDATE work SET due_at = 0 WHERE kind = 'remind'"))
    await services.die()
    services.clock.advance(LEASE_SECONDS)
    await services.drain()
    assert job["ref"] == (await ada.newest())["id"]
    assert await told(services) == [1]

"""How a session ages: its end, the grace, a new URL, a person who leaves and comes back."""

import pytest

from tests.support.provider_user import ProviderUser
from tests.support.services import HOST_URL, RunningServices, refused
from tests.support.users import FramePage, TopPage, User, check_page, refused_page

FRAMED = {"Sec-Fetch-Dest": "iframe"}
GRACE = 15 * 60


async def beat(page: FramePage | TopPage, seconds: int, every: int = 20) -> None:
    """The page's heartbeat, for so long."""
    for _ in range(0, seconds, every):
        page.services.clock.advance(every)
        assert (await page.post("heartbeat")).status_code == 204
        await page.services.drain()


async def test_its_end_emits_one_event_and_every_page_says_so(services: RunningServices, ada: User) -> None:
    made = await ada.session(expiresIn=60)
    frame, top = FramePage(services, made), TopPage(services, made)
    await services.later(60)
    assert (await frame.stored())["status"] == "expired"
    refused(await frame.post("start"), 410, "expired")
    refused_page(await top.get(), 410, "expired")
    refused_page(await top.post("start"), 410, "expired")
    shown = await frame.http.get(frame.path, headers=FRAMED)
    assert shown.status_code == 410
    check_page(shown, ancestors=HOST_URL)
    await services.later(3600)
    assert (await frame.event_types()).count("session.expired") == 1


async def test_its_end_holds_even_before_the_work_behind_it_was_done(services: RunningServices, ada: User) -> None:
    page = FramePage(services, await ada.session(expiresIn=60))
    services.clock.advance(60)
    refused(await page.post("start"), 410, "expired")


async def test_nothing_ends_a_second_too_early(services: RunningServices, ada: User) -> None:
    page = FramePage(services, await ada.session(expiresIn=60))
    await services.later(59)
    assert (await page.start())["status"] == "opened"


async def test_a_flow_that_is_going_on_is_given_grace_and_can_be_finished(ada: User) -> None:
    page = await ada.frame(expiresIn=60)
    await beat(page, 60 + 10 * 60)
    assert (await page.stored())["status"] == "opened"
    await page.connect()
    assert (await page.finish())["status"] == "connected"


async def test_the_grace_ends_too(services: RunningServices, ada: User) -> None:
    page = await ada.frame(expiresIn=60)
    await beat(page, GRACE)
    await services.later(60)
    assert (await page.stored())["status"] == "expired"
    refused(await page.post("heartbeat"), 410, "expired")


async def test_a_page_without_presence_gets_no_grace(services: RunningServices, ada: User) -> None:
    page = await ada.frame(expiresIn=120)
    await services.later(120)
    assert (await page.stored())["status"] == "expired"


async def test_what_was_finished_at_the_last_moment_is_found_when_its_session_has_ended(
    services: RunningServices, ada: User
) -> None:
    page = await ada.frame(expiresIn=60)
    await page.connect()
    await services.later(60 + GRACE + 60)
    connection = await ada.newest()
    assert (connection["sessionId"], connection["evidence"]["kind"]) == (page.id, "invitation")


async def test_a_connected_session_does_not_expire(services: RunningServices, ada: User) -> None:
    connection = await ada.connected(expiresIn=60)
    await services.later(86400)
    assert (await services.get(f"/v1/sessions/{connection['sessionId']}"))["status"] == "connected"
    assert "session.expired" not in await services.event_types(connection["sessionId"])


async def test_renewing_gives_new_urls_and_the_old_ones_work_until_their_own_end(
    services: RunningServices, ada: User
) -> None:
    made = await ada.session(expiresIn=600)
    services.clock.advance(300)
    renewed = await services.post(f"/v1/sessions/{made['id']}/renew")
    await services.drain()
    assert renewed["embedUrl"] != made["embedUrl"]
    assert renewed["redirectUrl"] != made["redirectUrl"]
    assert renewed["expiresAt"] == "2027-01-15T08:15:00.000Z"
    old, new = TopPage(services, made), TopPage(services, renewed)
    assert [(await page.get()).status_code for page in (old, new)] == [200, 200]
    await services.later(301)
    refused_page(await old.get(), 410, "expired")
    assert (await new.get()).status_code == 200


async def test_an_expired_session_that_is_renewed_can_be_finished(services: RunningServices, ada: User) -> None:
    made = await ada.session(expiresIn=60)
    await services.later(3600)
    renewed = await services.post(f"/v1/sessions/{made['id']}/renew")
    await services.drain()
    page = FramePage(services, renewed)
    assert (await page.start())["link"]["status"] == "ready"
    await page.connect()
    assert (await page.finish())["status"] == "connected"
    assert (await ada.newest())["sessionId"] == made["id"]


async def test_renewing_a_flow_that_is_going_on_does_not_break_it(services: RunningServices, ada: User) -> None:
    page = await ada.frame(expiresIn=600)
    user = ProviderUser(services.sandbox)
    await user.open((await page.view())["link"]["url"])
    await services.post(f"/v1/sessions/{page.id}/renew")
    await services.drain()
    await user.choose_provider()
    await user.sign_in()
    await user.connect()
    assert (await page.finish())["status"] == "connected"


async def test_what_the_first_link_made_is_recorded_even_when_it_was_renewed_in_between(
    services: RunningServices, ada: User
) -> None:
    page = await ada.frame(expiresIn=600)
    await page.connect()
    await services.post(f"/v1/sessions/{page.id}/renew")
    await services.later(10)
    assert (await ada.newest())["sessionId"] == page.id


async def test_revoking_a_renewed_session_withdraws_every_invitation_it_ever_had(
    services: RunningServices, ada: User
) -> None:
    page = await ada.frame()
    first = (await page.view())["link"]["url"]
    await services.post(f"/v1/sessions/{page.id}/renew")
    await services.drain()
    second = (await page.view())["link"]["url"]
    await services.post(f"/v1/sessions/{page.id}/revoke")
    await services.drain()
    user = ProviderUser(services.sandbox)
    assert first != second
    for url in (first, second):
        await user.open(url)
        assert user.last.status_code == 410


async def test_renewing_another_tenants_session_is_refused(services: RunningServices, ada: User) -> None:
    made = await ada.session()
    other = await services.stranger()
    refused(await other.post(f"/v1/sessions/{made['id']}/renew"), 404, "not_found")


async def test_leaving_emits_stage_and_reason_and_coming_back_undoes_it(services: RunningServices, ada: User) -> None:
    page = await ada.frame()
    answer = await page.post("exit", {"stage": "provider", "reason": "cancelled"})
    assert (answer.status_code, answer.content) == (204, b"")
    assert (await page.stored())["status"] == "exited"
    (left,) = [e for e in await services.rows(f"/v1/sessions/{page.id}/events") if e["type"] == "session.exited"]
    assert left["data"] == {"stage": "provider", "reason": "cancelled"}
    back = page.reloaded()
    view = await back.start()
    assert view["status"] == "opened"
    assert view["link"]["url"]
    await back.connect()
    assert (await back.finish())["status"] == "connected"


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({"stage": "Provider page"}, "/stage"),
        ({"stage": "x" * 41}, "/stage"),
        ({"reason": ""}, "/reason"),
        ({"reason": 7}, "/reason"),
        ({"why": "x"}, "/why"),
    ],
)
async def test_leaving_in_words_that_are_not_ours_is_refused(ada: User, body: object, pointer: str) -> None:
    page = await ada.frame()
    refused(await page.post("exit", body), 422, "invalid_request", pointer)
    assert (await page.stored())["status"] == "opened"


async def test_a_page_that_falls_silent_for_a_minute_has_left_and_its_heartbeat_brings_it_back(
    services: RunningServices, ada: User
) -> None:
    page = await ada.frame()
    await beat(page, 40)
    await services.later(59)
    assert (await page.stored())["status"] == "opened"
    await services.later(1)
    assert (await page.stored())["status"] == "exited"
    assert (await page.post("heartbeat")).status_code == 204
    assert (await page.stored())["status"] == "opened"
    await services.later(60)
    assert (await page.event_types()).count("session.exited") == 2


async def test_a_page_whose_presence_was_never_known_has_not_left(services: RunningServices, ada: User) -> None:
    page = await ada.browser()  # no script, no heartbeat: silence says nothing
    await services.later(600)
    assert (await page.stored())["status"] == "opened"
    assert "session.exited" not in await page.event_types()


async def test_a_page_without_a_script_that_took_over_has_not_left(services: RunningServices, ada: User) -> None:
    frame = await ada.frame()
    page = TopPage(services, frame.session)
    await services.later(10)
    await page.press_start({"takeOver": "true"})
    await services.later(50)  # the check of the frame is due
    await services.later(600)
    assert (await page.stored())["status"] == "opened"
    assert "session.exited" not in await page.event_types()


async def test_finishing_after_leaving_counts(services: RunningServices, ada: User) -> None:
    page = await ada.frame()
    await page.connect()
    await services.later(120)
    assert (await page.stored())["status"] in {"connected", "exited"}
    assert (await page.finish())["status"] == "connected"


async def test_a_connected_page_that_leaves_stays_connected(services: RunningServices, ada: User) -> None:
    page = await ada.frame()
    await page.connect()
    await page.finish()
    assert (await page.post("exit", {})).status_code == 204
    await services.later(120)
    assert (await page.stored())["status"] == "connected"
    assert "session.exited" not in await page.event_types()

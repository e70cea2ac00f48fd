"""The embeddable page: what its GET shows, what its script may do, and how an account gets connected in a frame."""

import pytest

from tests.support.services import HOST_URL, SANDBOX_URL, RunningServices, refused
from tests.support.users import SCRIPT, FramePage, User, check_page, refused_in_frame, refused_page

FRAMED = {"Sec-Fetch-Dest": "iframe", "Accept": "text/html"}


async def test_opened_at_top_level_it_says_nothing_of_the_session_and_starts_nothing(
    services: RunningServices, ada: User
) -> None:
    made = await ada.session(userLabel="Ada Lovelace")
    answer = await services.web().get(made["embedUrl"], headers={"Sec-Fetch-Dest": "document"})
    assert answer.status_code == 200
    check_page(answer)
    for secret in ("Acme", "A•••", made["id"]):
        assert secret not in answer.text
    assert (await services.get(f"/v1/sessions/{made['id']}"))["status"] == "created"


async def test_a_get_opens_spends_and_reveals_nothing_however_often(services: RunningServices, ada: User) -> None:
    page = FramePage(services, await ada.session(link="magic_link"))
    for _ in range(3):
        answer = await page.http.get(page.path, headers=FRAMED)
        assert answer.status_code == 200
        assert "/p/connect/" not in answer.text
        assert "set-cookie" not in answer.headers
    assert (await page.stored())["status"] == "created"
    assert await page.event_types() == ["session.created", "session.link_ready"]


async def test_only_the_sessions_own_origin_may_frame_it(services: RunningServices, ada: User) -> None:
    page = FramePage(services, await ada.session())
    answer = await page.http.get(page.path, headers=FRAMED)
    check_page(answer, ancestors=HOST_URL)
    assert "x-frame-options" not in answer.headers
    policy = answer.headers["content-security-policy"]
    assert f"frame-src {SANDBOX_URL} 'self'" in policy
    assert "form-action 'self'" in policy


async def test_a_page_that_was_not_started_learns_nothing(services: RunningServices, ada: User) -> None:
    page = FramePage(services, await ada.session())
    refused(await page.ask(), 404, "not_found")
    for verb in ("finished", "exit", "heartbeat"):
        refused(await page.post(verb), 404, "not_found")
    assert (await page.stored())["status"] == "created"


async def test_a_key_that_is_not_the_pages_is_of_no_use(ada: User) -> None:
    page = await ada.frame()
    page.key = "a-key-somebody-made-up"
    refused(await page.ask(), 409, "taken_over")
    for verb in ("finished", "exit", "heartbeat"):
        refused(await page.post(verb), 409, "taken_over")
    assert (await page.stored())["status"] == "opened"
    assert "session.finished" not in await page.event_types()


async def test_another_pages_key_opens_nothing_here(ada: User, bob: User) -> None:
    own, other = await ada.frame(), await bob.frame()
    own.key = other.key
    refused(await own.ask(), 409, "taken_over")


@pytest.mark.parametrize(
    "headers",
    [
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Sec-Fetch-Site": "cross-site", "Origin": HOST_URL},
    ],
)
@pytest.mark.parametrize("verb", ["start", "finished", "exit", "heartbeat"])
async def test_a_post_from_another_site_is_refused(ada: User, verb: str, headers: dict[str, str]) -> None:
    page = await ada.frame()
    refused(await page.post(verb, **headers), 403, "forbidden")
    assert (await page.stored())["status"] == "opened"


async def test_a_post_whose_origin_is_not_ours_is_refused_where_nothing_else_is_said(ada: User) -> None:
    page = await ada.frame()
    headers = {"Accept": "application/json", "Origin": HOST_URL, "X-Page-Key": page.key or ""}
    refused(await page.http.post(f"{page.path}/finished", json={}, headers=headers), 403, "forbidden")


async def test_a_second_page_must_confirm_and_then_ends_the_first(services: RunningServices, ada: User) -> None:
    first = await ada.frame()
    second = FramePage(services, first.session)
    refused(await second.post("start"), 409, "already_open")
    assert (await first.view())["status"] == "opened"
    view = await second.start(take_over=True)
    assert view["link"]["url"]
    refused(await first.post("heartbeat"), 409, "taken_over")
    refused(await first.ask(), 409, "taken_over")
    opened = [
        event for event in await services.rows(f"/v1/sessions/{first.id}/events") if event["type"].endswith("ened")
    ]
    assert [event["data"]["crossDevice"] for event in opened] == [False, True]


async def test_what_is_connected_after_taking_over_says_so_in_its_evidence(
    services: RunningServices, ada: User
) -> None:
    first = await ada.frame()
    second = FramePage(services, first.session)
    await second.start(take_over=True)
    await second.connect()
    await second.finish()
    assert (await ada.newest())["evidence"]["crossDevice"] is True


async def test_a_page_that_starts_again_with_its_key_goes_on(ada: User) -> None:
    page = await ada.frame()
    key = page.key
    await page.start()
    assert page.key == key


async def test_a_start_before_the_link_is_there_waits_truthfully_and_then_sees_it(
    services: RunningServices, ada: User
) -> None:
    services.outgoing.is_down = True
    page = FramePage(services, await ada.session())
    view = await page.start()
    assert (view["status"], view["link"]["status"], view["link"]["url"]) == ("opened", "pending", None)
    services.outgoing.is_down = False
    await services.later(5)
    view = await page.view()
    assert (view["link"]["status"], view["link"]["kind"]) == ("ready", "invitation")
    assert view["link"]["url"].startswith(f"{SANDBOX_URL}/p/i/")


async def test_a_view_has_every_field_that_the_page_needs_and_no_more(ada: User) -> None:
    view = await (await ada.frame()).view()
    assert set(view) == {
        *("sessionId", "seq", "at", "status", "mode", "link", "connections", "confirming", "finished", "failure"),
        *("ambiguous", "waiting", "unreachableSince", "seen", "expiresAt", "doneUrl", "providerStep"),
        *("account", "hints", "another", "onPhone", "spentHandoff"),
    }
    assert set(view["link"]) == {"status", "kind", "url", "framable"}
    assert (view["connections"], view["confirming"], view["finished"], view["failure"]) == ([], False, False, None)
    assert view["doneUrl"] is None
    assert view["link"]["framable"] is True


@pytest.mark.parametrize(("link", "evidence"), [("invitation", "invitation"), ("magic_link", "sole_candidate")])
async def test_an_account_is_connected_in_the_frame_and_recorded_for_its_user(
    ada: User, link: str, evidence: str
) -> None:
    page = await ada.frame(link=link, metadata={"plan": "pro"})
    assert (await page.connect()).screen.step == "done"
    view = await page.finish()
    assert (view["status"], view["confirming"], view["finished"]) == ("connected", False, True)
    (shown,) = view["connections"]
    connection = await ada.newest()
    assert (shown["id"], shown["status"], shown["needsAttention"]) == (connection["id"], "CONNECTED", False)
    assert (connection["userId"], connection["sessionId"]) == ("ada", page.id)
    assert connection["evidence"]["kind"] == evidence
    assert connection["evidence"]["presumed"] is (link == "magic_link")
    assert connection["evidence"]["crossDevice"] is False
    stored = await page.stored()
    assert (stored["status"], stored["metadata"]) == ("connected", {"plan": "pro"})
    assert [one["id"] for one in stored["connections"]] == [connection["id"]]
    assert await page.event_types() == [
        *("session.created", "session.link_ready", "session.opened", "session.finished"),
        *("connection.recorded", "session.connected"),
        *(["session.progress"] * 2 if link == "invitation" else []),  # viewed and submitted, as its log says
    ]


async def test_finished_before_anything_was_done_is_shown_as_being_confirmed(ada: User) -> None:
    page = await ada.frame()
    view = await page.finish()
    assert (view["status"], view["finished"], view["confirming"]) == ("opened", True, True)


async def test_finished_pressed_again_and_again_is_one_event(ada: User) -> None:
    page = await ada.frame()
    for _ in range(5):
        assert (await page.post("finished")).status_code == 200
    assert (await page.event_types()).count("session.finished") == 1


async def test_three_accounts_connected_through_one_magic_link_are_all_recorded(ada: User) -> None:
    page = await ada.frame(link="magic_link")
    for _ in range(3):
        await page.connect()
    await page.finish()
    found = await ada.connections()
    assert len({connection["id"] for connection in found}) == 3
    assert {connection["sessionId"] for connection in found} == {page.id}
    assert (await page.event_types()).count("session.connected") == 1


@pytest.mark.parametrize("token", ["x", "ses_x.y", "W10.abc", "%00", "é"])
async def test_a_token_that_nobody_here_signed_opens_nothing(services: RunningServices, token: str) -> None:
    refused_page(await services.web().get(f"/embed/{token}"), 404, "not_found")
    text = refused_in_frame(await services.web().get(f"/embed/{token}", headers=FRAMED), 404, "not_found")
    assert text == refused_in_frame(await services.web().get("/embed/another", headers=FRAMED), 404, "not_found")
    refused(await services.web().post(f"/embed/{token}/start", json={}, headers=SCRIPT), 404, "not_found")


async def test_a_redirect_token_opens_no_frame(services: RunningServices, ada: User) -> None:
    token = (await ada.session())["redirectUrl"].rpartition("/")[2]
    refused_in_frame(await services.web().get(f"/embed/{token}", headers=FRAMED), 404, "not_found")
    refused(await services.web().post(f"/embed/{token}/start", json={}, headers=SCRIPT), 404, "not_found")

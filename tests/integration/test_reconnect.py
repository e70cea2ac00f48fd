"""Reconnecting: by invitation and by edit link, the connection keeps its id, its owner and its history."""

from typing import Any

import pytest

from tests.support.connection_steps import ambiguous, broken, claim, reconnecting, repair
from tests.support.provider_user import ProviderUser
from tests.support.sandbox_client import JsonObject
from tests.support.services import RunningServices, refused
from tests.support.users import WRONG, FramePage, TopPage, User, asked_in

UNKNOWN = "00000000-0000-4000-8000-000000000000"


@pytest.mark.parametrize("connection_id", [UNKNOWN, "nonsense", "%00", "00000000-0000-4000-8000-00000000000g"])
async def test_an_unknown_connection_cannot_be_reconnected(services: RunningServices, connection_id: str) -> None:
    refused(await services.host.post(f"/v1/connections/{connection_id}/reconnect", json={}), 404, "not_found")


async def test_another_tenants_connection_cannot_be_reconnected(services: RunningServices, ada: User) -> None:
    connection = await broken(ada)
    other = await services.stranger()
    refused(await other.post(f"/v1/connections/{connection['id']}/reconnect", json={}), 404, "not_found")


async def test_an_unattributed_connection_must_be_claimed_first(services: RunningServices, ada: User) -> None:
    page = await ada.frame()
    stored = await page.stored()
    made = await services.sandbox.connect(stored["company"]["id"], [stored["sites"][0]["id"]])
    await services.later(300)
    refused(await services.host.post(f"/v1/connections/{made['id']}/reconnect", json={}), 422, "invalid_request")


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("userId", "mallory"),
        ("sites", []),
        ("connectionId", UNKNOWN),
        ("expiresIn", 59),
        ("origin", "https://evil.example"),
        ("link", "letter"),
        ("metadata", {"k": 7}),
        ("userEmail", "nobody"),
        ("locale", "!"),
    ],
)
async def test_a_wrong_field_is_refused_by_name(services: RunningServices, ada: User, field: str, value: Any) -> None:
    connection = await broken(ada)
    answer = await services.host.post(f"/v1/connections/{connection['id']}/reconnect", json={field: value})
    problem = refused(answer, 422, "invalid_request")
    assert any(one["pointer"].startswith(f"/{field}") for one in problem["errors"])


async def test_another_users_connection_cannot_be_named_in_a_create(services: RunningServices, ada: User) -> None:
    connection = await broken(ada)
    body = {"userId": "mallory", "connectionId": connection["id"]}
    refused(await services.host.post("/v1/sessions", json=body), 422, "invalid_request", "/connectionId")


async def test_an_unknown_connection_cannot_be_named_in_a_create(services: RunningServices) -> None:
    answer = await services.host.post("/v1/sessions", json={"userId": "ada", "connectionId": UNKNOWN})
    refused(answer, 404, "not_found")


async def test_the_session_says_that_it_reconnects_and_what(services: RunningServices, ada: User) -> None:
    connection = await broken(ada)
    made = await services.post(f"/v1/connections/{connection['id']}/reconnect", {"metadata": {"why": "password"}})
    assert (made["mode"], made["connectionId"], made["userId"]) == ("reconnect", connection["id"], "ada")
    assert (made["metadata"], made["status"]) == ({"why": "password"}, "created")
    assert made["company"]["id"] == connection["company"]["id"]
    assert made["redirectUrl"]
    same = await services.post("/v1/sessions", {"userId": "ada", "connectionId": connection["id"].upper()})
    assert (same["mode"], same["connectionId"]) == ("reconnect", connection["id"])


@pytest.mark.parametrize("link", ["invitation", "magic_link"])
@pytest.mark.parametrize("first", ["invitation", "magic_link"])
async def test_the_connection_is_reconnected_and_stays_the_same_one(
    services: RunningServices, ada: User, first: str, link: str
) -> None:
    connection = await broken(ada, first)
    page = await reconnecting(services, connection, link=link)
    await repair(page)
    services.clock.advance(5)
    view = await page.finish()
    assert view["status"] == "connected"
    (after,) = await ada.connections()
    assert (after["id"], after["status"], after["needsAttention"]) == (connection["id"], "CONNECTED", False)
    assert (after["userId"], after["sessionId"]) == ("ada", connection["sessionId"])
    assert after["createdAt"] == connection["createdAt"]
    assert after["recordedAt"] == connection["recordedAt"]
    stored = await page.stored()
    assert (stored["status"], [one["id"] for one in stored["connections"]]) == ("connected", [connection["id"]])
    assert "session.connected" in await page.event_types()
    assert "connection.recorded" not in await page.event_types()


async def test_an_edit_link_that_was_only_opened_reconnects_nothing(services: RunningServices, ada: User) -> None:
    connection = await broken(ada)
    page = await reconnecting(services, connection, link="magic_link")
    services.clock.advance(30)
    assert (await page.finish())["status"] == "opened"
    await services.later(300)
    assert (await page.stored())["status"] != "connected"
    assert (await ada.newest())["status"] == "PASSWORD_INCORRECT"


async def test_a_reconnect_that_fails_again_is_not_connected(services: RunningServices, ada: User) -> None:
    connection = await broken(ada)
    page = await reconnecting(services, connection)
    user = ProviderUser(services.sandbox)
    await user.open(str((await page.view())["link"]["url"]))
    await user.sign_in(WRONG)
    services.clock.advance(5)
    assert (await page.finish())["status"] == "opened"
    (after,) = await ada.connections()
    assert (after["id"], after["needsAttention"]) == (connection["id"], True)


@pytest.mark.parametrize("link", ["invitation", "magic_link"])
async def test_five_reconnects_in_a_row_keep_the_id(services: RunningServices, ada: User, link: str) -> None:
    connection = await ada.connected()
    company = connection["company"]["id"]
    for _ in range(5):
        services.clock.advance(120)
        await services.sandbox.trouble("status_change", status="PASSWORD_INCORRECT", companyId=company)
        await services.deliver_webhooks()
        assert (await ada.newest())["status"] == "PASSWORD_INCORRECT"
        await services.sandbox.plain("DELETE", "/_control/troubles/status_change")
        page = await reconnecting(services, connection, link=link)
        await repair(page)
        services.clock.advance(5)
        assert (await page.finish())["status"] == "connected"
    (after,) = await ada.connections()
    assert (after["id"], after["status"], after["userId"]) == (connection["id"], "CONNECTED", "ada")


async def test_the_redirect_flow_returns_with_the_connection_it_reconnected(
    services: RunningServices, ada: User
) -> None:
    connection = await broken(ada)
    body = {"returnUrl": "https://app.example.com/back"}
    made = await services.post(f"/v1/connections/{connection['id']}/reconnect", body)
    await services.drain()
    page = TopPage(services, made)
    assert "Reconnect" in (await page.get()).text
    await page.press_start()
    await repair(page)
    services.clock.advance(5)
    reported = asked_in(await page.finish())
    assert (reported["status"], reported["connectionId"], reported["sessionId"]) == (
        "connected",
        connection["id"],
        made["id"],
    )


async def test_the_webhook_alone_shows_that_a_reconnect_is_done(services: RunningServices, ada: User) -> None:
    connection = await broken(ada)
    page = await reconnecting(services, connection, link="invitation")
    await repair(page)
    services.clock.advance(5)
    await services.deliver_webhooks()
    await services.drain()
    assert (await page.stored())["status"] == "connected"


async def test_a_revoked_reconnect_session_leaves_the_connection_as_it_was(
    services: RunningServices, ada: User
) -> None:
    connection = await broken(ada)
    page = await reconnecting(services, connection)
    await services.post(f"/v1/sessions/{page.id}/revoke")
    await services.later(60)
    (after,) = await ada.connections()
    assert (after["id"], after["userId"], after["status"]) == (connection["id"], "ada", "PASSWORD_INCORRECT")
    assert (await services.get(f"/v1/sessions/{page.id}"))["status"] == "revoked"


async def test_an_edit_link_makes_nobody_a_candidate_for_new_connections(
    services: RunningServices, ada: User, bob: User
) -> None:
    connection = await broken(ada)
    await reconnecting(services, connection, link="magic_link")
    his = await bob.frame(link="magic_link")
    await his.connect()
    await his.finish()
    for _ in range(15):
        await services.later(10)
    assert (await bob.newest())["evidence"]["kind"] == "sole_candidate"


async def mended_by_ada(services: RunningServices, connection: JsonObject) -> FramePage:
    """Ada's reconnect session that has mended the connection."""
    mending = await reconnecting(services, connection)
    await repair(mending)
    services.clock.advance(5)
    assert (await mending.finish())["status"] == "connected"
    return mending


async def lost_by(mending: FramePage) -> list[str]:
    """Check that neither API, page nor export of Ada's session shows the connection; return the session's events."""
    stored, view = await mending.stored(), await mending.view()
    assert (stored["status"], stored["connections"]) == ("opened", [])
    assert (view["status"], view["connections"], view["account"]) == ("opened", [], None)
    export: Any = await mending.services.get("/v1/users/ada/export")
    assert [one["connections"] for one in export["sessions"] if one["id"] == mending.id] == [[]]
    return await mending.event_types()


async def test_a_reconnect_loses_the_connection_that_is_claimed_for_another_user(
    services: RunningServices, ada: User, bob: User
) -> None:
    connection = await broken(ada, "magic_link")
    mending = await mended_by_ada(services, connection)
    his = await bob.session()
    assert (await claim(services, connection, his["id"])).status_code == 200
    assert {"connection.reassigned", "session.reopened"} <= set(await lost_by(mending))
    await services.later(60)
    assert (await mending.stored())["connections"] == []


async def test_a_reconnect_loses_the_connection_whose_claim_is_undone(
    services: RunningServices, ada: User, bob: User
) -> None:
    connection, hers, _ = await ambiguous(services, ada, bob, WRONG)
    assert (await claim(services, connection, hers.id)).status_code == 200
    mending = await mended_by_ada(services, connection)
    assert (await services.host.delete(f"/v1/connections/{connection['id']}/claim")).is_success
    assert (await lost_by(mending))[-1] == "session.reopened"


async def test_a_page_of_a_reconnect_has_no_link_once_the_account_is_another_users(
    services: RunningServices, ada: User, bob: User
) -> None:
    connection = await broken(ada, "magic_link")
    page = await reconnecting(services, connection, link="magic_link")
    assert (await page.view())["link"]["url"]
    assert (await claim(services, connection, (await bob.session())["id"])).status_code == 200
    assert (await page.view())["link"] == {"status": "failed", "kind": "magic_link", "url": None, "framable": True}


async def test_no_link_is_made_for_an_account_that_became_another_users(
    services: RunningServices, ada: User, bob: User
) -> None:
    connection = await broken(ada, "magic_link")
    his = await bob.session()
    made = await services.post(
        f"/v1/connections/{connection['id']}/reconnect", {"origin": "https://app.example.com", "link": "invitation"}
    )
    assert (await claim(services, connection, his["id"])).status_code == 200
    await services.drain()
    stored = await services.get(f"/v1/sessions/{made['id']}")
    assert (stored["status"], stored["failure"]["code"]) == ("failed", "provider_refused")

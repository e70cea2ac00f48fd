"""A session's status over HTTP: what is checked is submitted, never expired; and what a page still shows afterwards."""

from typing import Any

import httpx
import pytest

from tests.support.connection_steps import broken, reconnecting
from tests.support.provider_user import ProviderUser
from tests.support.sandbox_client import JsonObject
from tests.support.services import RunningServices
from tests.support.users import WRONG, FramePage, TopPage, User

HOUR, DAY = 3600, 86_400
GRACE = 900


async def connected_as(services: RunningServices, user: User, status: str, **fields: Any) -> FramePage:
    """A page whose user connected an account that the provider reports with this status."""
    page = await user.frame(**fields)
    await page.connect()
    await reports(services, page, status)
    await page.finish()
    return page


async def reports(services: RunningServices, page: FramePage | TopPage, status: str) -> None:
    company = (await page.stored())["company"]["id"]
    await services.sandbox.trouble("status_change", status=status, times=1, companyId=company)


async def test_an_account_that_is_checked_is_submitted_long_after_the_session_is_over(
    services: RunningServices, ada: User
) -> None:
    page = await connected_as(services, ada, "PENDING")
    assert (await page.stored())["status"] == "submitted"
    await services.later(2 * DAY)
    stored = await page.stored()
    assert stored["status"] == "submitted"
    assert [(one["status"], one["state"]) for one in stored["connections"]] == [("PENDING", "checking")]
    types = await page.event_types()
    assert "session.submitted" in types
    assert not {"session.expired", "session.exited", "session.connected"} & set(types)


async def test_it_is_connected_once_the_provider_says_so_days_later(services: RunningServices, ada: User) -> None:
    page = await connected_as(services, ada, "PENDING")
    await services.later(2 * DAY)
    await reports(services, page, "CONNECTED")
    await services.later(DAY)
    assert (await page.stored())["status"] == "connected"
    assert (await page.event_types())[-1] == "session.connected"


@pytest.mark.parametrize("status", ["UNDER_INVESTIGATION", "WEBSITE_DOWN", "URL_INACCESSIBLE", "OTHER_ERROR"])
async def test_a_delay_at_the_utility_is_not_the_users_matter(
    services: RunningServices, ada: User, status: str
) -> None:
    page = await connected_as(services, ada, status)
    stored = await page.stored()
    assert (stored["status"], stored["connections"][0]["state"]) == ("submitted", "delayed")
    assert stored["connections"][0]["needsAttention"] is False


async def test_a_sign_in_with_no_accounts_behind_it_is_not_connected(services: RunningServices, ada: User) -> None:
    page = await connected_as(services, ada, "NO_ACCOUNTS_FOUND")
    stored = await page.stored()
    assert (stored["status"], stored["connections"][0]["state"]) == ("opened", "empty")
    assert stored["connections"][0]["needsAttention"] is True
    assert "connection.needs_attention" in await page.event_types()


async def test_a_session_whose_account_still_asks_something_is_left_and_not_expired_when_its_time_is_over(
    services: RunningServices, ada: User
) -> None:
    page = await ada.frame()
    await page.connect(WRONG)
    await page.finish()
    await services.later(HOUR + GRACE + 60)
    assert (await page.stored())["status"] == "exited"
    exits = [e for e in await services.rows("/v1/events", limit=100) if e["type"] == "session.exited"]
    assert "time" in [event["data"]["reason"] for event in exits]
    assert "session.expired" not in await page.event_types()


async def test_a_used_invitation_keeps_its_session_open_until_its_connection_is_listed(
    services: RunningServices, ada: User
) -> None:
    page = await ada.frame()
    await page.connect()
    hidden: list[str] = []
    services.outgoing.reshape = _without_connections(hidden)
    await page.finish()
    await services.later(HOUR + GRACE + 60)
    assert hidden
    assert (await page.stored())["status"] == "exited"  # its page is gone; it is not expired
    services.outgoing.reshape = None
    await services.later(DAY / 2)
    assert (await page.stored())["status"] == "connected"


def _without_connections(hidden: list[str]) -> Any:
    """The provider counts the use at once, and names the connection later."""

    def reshape(_request: httpx.Request, body: Any) -> Any:
        if isinstance(body, dict) and "invitations" in body:
            for one in body["invitations"]:
                hidden.append(one["id"])
                one["createdConnections"] = []
        if isinstance(body, dict) and "connections" in body:
            body["connections"], body["total"] = [], 0
        return body

    return reshape


async def test_renewing_a_submitted_session_shows_no_used_invitation_again(
    services: RunningServices, ada: User
) -> None:
    await services.sandbox.trouble("pending_for", seconds=3600, status="PASSWORD_INCORRECT")
    page = await ada.frame(expiresIn=600)
    await page.connect()
    assert (await page.finish())["status"] == "submitted"
    for _ in range(8):
        await services.later(1200)
    renewed = FramePage(services, await services.post(f"/v1/sessions/{page.id}/renew"))
    view = await renewed.start()
    assert (view["status"], view["link"]["url"]) == ("submitted", None)
    assert [one["needsAttention"] for one in view["connections"]] == [True]


async def test_renewing_keeps_what_was_achieved_and_makes_no_link(services: RunningServices, ada: User) -> None:
    page = await connected_as(services, ada, "PENDING")
    made = len(await _invitations(services, page))
    await services.later(HOUR + GRACE + 1)
    renewed = await services.post(f"/v1/sessions/{page.id}/renew")
    await services.later(60)
    assert (renewed["status"], (await page.stored())["status"]) == ("submitted", "submitted")
    assert len(await _invitations(services, page)) == made


async def _invitations(services: RunningServices, page: FramePage) -> list[JsonObject]:
    company = (await page.stored())["company"]["id"]
    listed: list[JsonObject] = await services.sandbox.get(f"/invitation/company/{company}")
    return listed


async def test_a_revoked_session_hears_no_more_of_its_own_and_its_connection_is_still_reported(
    services: RunningServices, ada: User
) -> None:
    page = await connected_as(services, ada, "PENDING")
    await services.post(f"/v1/sessions/{page.id}/revoke")
    before = await page.event_types()
    await reports(services, page, "CONNECTED")
    await services.later(DAY)
    assert (await page.stored())["status"] == "revoked"
    assert (await page.event_types())[len(before) :] == ["connection.updated"]


@pytest.mark.parametrize(
    ("status", "state"), [("CONNECTED", "working"), ("SOMETHING_NEW", "delayed"), ("COMPANY_INACTIVE", "inactive")]
)
async def test_connections_are_filtered_by_state(services: RunningServices, ada: User, status: str, state: str) -> None:
    await connected_as(services, ada, "CONNECTED")
    if status != "CONNECTED":
        await services.parts.store.engine.write(
            lambda tx: tx.run(
                "UPDATE connections SET status = :s, provider_status = :s, state = :state", s=status, state=state
            )
        )
    for each in ("checking", "delayed", "working", "empty", "action_needed", "inactive"):
        rows = await services.rows("/v1/connections", state=each)
        assert [row["state"] for row in rows] == ([state] if each == state else [])


async def test_an_unknown_state_is_refused(services: RunningServices) -> None:
    answer = await services.host.get("/v1/connections", params={"state": "happy"})
    assert answer.status_code == 422
    assert answer.json()["errors"] == [{"pointer": "/state", "detail": "is not a connection state"}]


async def test_a_removed_connection_is_inactive(services: RunningServices, ada: User) -> None:
    page = await connected_as(services, ada, "CONNECTED")
    (connection,) = await ada.connections()
    sql = "UPDATE connections SET removed_at = 1.0, state = 'inactive'"
    await services.parts.store.engine.write(lambda tx: tx.run(sql))
    row = await services.get(f"/v1/connections/{connection['id']}")
    assert (row["status"], row["state"], row["needsAttention"]) == ("REMOVED", "inactive", False)
    assert [one["id"] for one in await services.rows("/v1/connections", state="inactive")] == [connection["id"]]
    assert await services.rows("/v1/connections", state="working") == []
    # As version 0.2.0 left such a row: with the provider's last status.
    assert [one["id"] for one in await services.rows("/v1/connections", status="REMOVED")] == [connection["id"]]
    assert await services.rows("/v1/connections", status="CONNECTED") == []
    assert (await page.stored())["status"] == "connected"


async def test_a_reconnect_that_leads_to_a_check_is_submitted(services: RunningServices, ada: User) -> None:
    page = await reconnecting(services, await broken(ada))
    user = ProviderUser(services.sandbox)
    await user.open(str((await page.view())["link"]["url"]))
    if user.screen.step == "credentials":
        await user.sign_in()
    if user.screen.step == "settings":
        await user.press("Save changes")
    await services.sandbox.trouble("status_change", status="PENDING", times=1)
    await page.finish()
    assert (await page.stored())["status"] == "submitted"

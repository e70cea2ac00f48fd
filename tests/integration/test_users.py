"""DELETE /v1/users/{id}: what is stored about a user is erased everywhere, and the verdicts stay, without the user."""

import json

import httpx
import pytest

from service.domain.model import Tenant, UserId
from service.errors import NotFound
from tests.support.endpoints import endpoint, wait
from tests.support.marked_user import MARKS, WORDS, ZOE, erase, erased, lived, zoe_of
from tests.support.services import RunningServices, refused
from tests.support.stored_rows import rows_with
from tests.support.users import User, asked_in, refused_page

DEFAULT = Tenant("default")


async def test_a_user_is_erased_with_a_key_only(services: RunningServices, ada: User) -> None:
    await ada.session()
    refused(await services.web().delete("/v1/users/ada"), 401, "unauthorized")
    assert await services.rows("/v1/sessions", userId="ada")


async def test_another_tenants_user_is_not_there(services: RunningServices, ada: User) -> None:
    await ada.session()
    other = await services.stranger()
    refused(await other.delete("/v1/users/ada"), 404, "not_found")
    assert await services.rows("/v1/sessions", userId="ada")


async def test_a_parameter_is_refused(services: RunningServices, ada: User) -> None:
    await ada.session()
    refused(await services.host.delete("/v1/users/ada?dryRun=true"), 422, "invalid_request")
    assert await services.rows("/v1/sessions", userId="ada")


async def test_who_is_erased_already_is_not_there(services: RunningServices, ada: User) -> None:
    await ada.session()
    await erased(services, "ada")
    refused(await erase(services, "ada"), 404, "not_found")
    refused(await services.host.get("/v1/users/ada/export"), 404, "not_found")


async def test_nothing_of_an_erased_user_is_stored_anywhere(services: RunningServices) -> None:
    await lived(services)
    assert await rows_with(services, *WORDS)
    await erased(services, ZOE)
    assert await rows_with(services, *WORDS) == []


async def test_no_delivery_that_is_still_to_be_sent_names_an_erased_user(services: RunningServices) -> None:
    await lived(services)
    await erased(services, ZOE)
    await services.deliver()
    posts = services.receivers.main.posts
    assert {"session.created", "user.erased"} <= {post.json["type"] for post in posts}
    assert not any(word in json.dumps([post.path, post.json]) for post in posts for word in WORDS)


async def test_what_receivers_answer_about_an_erased_user_is_not_kept(services: RunningServices) -> None:
    answer = b"HTTP/1.1 500 No\r\nContent-Length: 10\r\n\r\nWho is zoe"
    services.receivers.main.answer = lambda _: [answer]
    await endpoint(services)
    await zoe_of(services).connected()
    await services.deliver()
    assert await rows_with(services, "Who is zoe")
    await erased(services, ZOE)
    assert await rows_with(services, "Who is zoe") == []
    await wait(services, 3600, steps=4)
    posts = [post.json["type"] for post in services.receivers.main.posts]
    assert posts.count("session.created") > 1
    assert await rows_with(services, "Who is zoe") == []


async def test_no_list_names_an_erased_user(services: RunningServices) -> None:
    await lived(services)
    await erased(services, ZOE)
    for path in ("/v1/sessions", "/v1/connections", "/v1/events"):
        text = json.dumps(await services.rows(path, limit=100))
        assert not any(word in text for word in WORDS), path
    assert await services.rows("/v1/sessions", userId=ZOE) == []
    assert await services.rows("/v1/connections", userId=ZOE) == []


async def test_what_is_encrypted_of_a_session_is_erased_too(services: RunningServices) -> None:
    made = await zoe_of(services).session(**MARKS)
    before = await services.parts.store.sessions.get(made["id"])
    assert before.link is not None
    assert (before.link.url.startswith("http"), before.user_email) == (True, MARKS["userEmail"])
    await erased(services, ZOE)
    after = await services.parts.store.sessions.get(made["id"])
    assert after.link is not None
    assert (after.link.url, after.user_email, after.page_hash) == ("", None, None)
    assert after.link.invitation_id == before.link.invitation_id


async def test_the_verdict_on_a_connection_stays_without_the_user(services: RunningServices, ada: User) -> None:
    made = await ada.connected()
    await erased(services, "ada")
    assert await services.get(f"/v1/connections/{made['id']}") == made | {"userId": None}
    assert (await services.get(f"/v1/sessions/{made['sessionId']}"))["connections"][0]["id"] == made["id"]


async def test_open_sessions_end_at_once_and_their_invitations_at_the_provider(
    services: RunningServices, ada: User
) -> None:
    page = await ada.frame()
    url = (await page.view())["link"]["url"]
    assert (await erase(services, "ada")).status_code == 204
    refused(await page.post("finished"), 410, "revoked")
    refused_page(await services.web().get(page.session["redirectUrl"], headers={"Accept": "text/html"}), 410, "revoked")
    assert (await services.get(f"/v1/sessions/{page.id}"))["status"] == "revoked"
    await services.drain()
    assert (await services.sandbox.plain("GET", httpx.URL(url).raw_path.decode())).status_code in {404, 410}


async def test_the_invitation_of_a_session_that_is_just_over_is_revoked_too(
    services: RunningServices, ada: User
) -> None:
    made = await ada.session(expiresIn=60)
    await services.later(70)
    assert (await services.get(f"/v1/sessions/{made['id']}"))["status"] == "expired"
    before = len(services.outgoing.calls)
    await erased(services, "ada")
    (invitation,) = await services.parts.store.sessions.invitations(made["id"])
    assert any(invitation in call and not call.startswith("GET") for call in services.outgoing.calls[before:])
    assert (await services.get(f"/v1/sessions/{made['id']}"))["status"] == "expired"


async def test_a_session_of_an_erased_user_is_not_renewed(services: RunningServices, ada: User) -> None:
    made = await ada.connected()
    await services.later(3600 + 901)
    await erased(services, "ada")
    session = await services.get(f"/v1/sessions/{made['sessionId']}")
    assert session["status"] == "connected"
    refused(await services.host.post(f"/v1/sessions/{session['id']}/renew"), 409, "session_closed")


async def test_a_connection_of_an_erased_user_is_not_reconnected(services: RunningServices, ada: User) -> None:
    made = await ada.connected()
    await erased(services, "ada")
    refused(await services.host.post(f"/v1/connections/{made['id']}/reconnect", json={}), 422, "invalid_request")
    refused(
        await services.host.post("/v1/sessions", json={"userId": "ada", "connectionId": made["id"]}),
        422,
        "invalid_request",
        "/connectionId",
    )


async def test_a_connection_that_arrives_late_belongs_to_the_erased_user(services: RunningServices, ada: User) -> None:
    page = await ada.frame()
    await page.connect()
    await erased(services, "ada")
    await services.deliver_webhooks()
    (late,) = await services.rows("/v1/connections")
    assert (late["userId"], late["sessionId"], late["evidence"]["kind"]) == (None, page.id, "invitation")
    recorded = [event for event in await services.rows("/v1/events", limit=100) if event["connectionId"] == late["id"]]
    assert {event["userId"] for event in recorded} == {None}
    assert await services.rows("/v1/connections", userId="ada") == []


async def test_the_same_user_id_afterwards_is_another_user(services: RunningServices, ada: User) -> None:
    old = await ada.connected()
    await erased(services, "ada")
    new = await ada.connected()
    assert [one["id"] for one in await ada.connections()] == [new["id"]]
    assert (await services.get(f"/v1/connections/{old['id']}"))["userId"] is None
    assert [one["id"] for one in await services.rows("/v1/sessions", userId="ada")] == [new["sessionId"]]
    exported = await services.get("/v1/users/ada/export")
    assert [one["id"] for one in exported["sessions"]] == [new["sessionId"]]


async def test_the_magic_links_of_an_erased_user_are_still_anothers(services: RunningServices, ada: User) -> None:
    await ada.frame(link="magic_link", expiresIn=60)
    await services.later(1000)
    await erased(services, "ada")
    page = await ada.frame(link="magic_link")
    await page.connect()
    await page.finish()
    await services.later(150)
    (row,) = await services.rows("/v1/connections")
    assert (row["userId"], row["evidence"], row["confirming"]) == (None, None, False)
    assert sorted(str(one["userId"]) for one in row["candidates"]) == ["None", "ada"]


async def test_an_equal_call_after_an_erasure_makes_a_session_of_the_new_user(
    services: RunningServices, ada: User
) -> None:
    headers = {"Idempotency-Key": "order-1"}
    first = await services.host.post("/v1/sessions", json=ada.wants(), headers=headers)
    await erased(services, "ada")
    again = await services.host.post("/v1/sessions", json=ada.wants(), headers=headers)
    assert (again.status_code, again.json()["id"] == first.json()["id"]) == (201, False)
    assert (await services.get(f"/v1/sessions/{again.json()['id']}"))["userId"] == "ada"


async def test_an_erasure_is_in_the_log_with_the_key_and_without_the_user(services: RunningServices, ada: User) -> None:
    await ada.session()
    await erased(services, "ada")
    (event,) = [one for one in await services.rows("/v1/events", limit=100) if one["type"] == "user.erased"]
    assert (event["data"], event["userId"], event["sessionId"]) == ({"by": "bootstrap"}, None, None)


async def test_an_erasure_that_was_interrupted_is_completed_by_a_job(services: RunningServices) -> None:
    await lived(services)
    user = await services.parts.store.users.begin_erasure(DEFAULT, UserId(ZOE), "key_1")
    first, *_ = await services.parts.store.users.sessions(user)
    await services.die()
    assert await rows_with(services, "zoequill-metadata")
    assert (await services.get(f"/v1/sessions/{first}"))["userId"] is None
    with pytest.raises(NotFound):
        await services.parts.store.users.begin_erasure(DEFAULT, UserId(ZOE), "key_1")
    await services.drain()
    assert await rows_with(services, *WORDS) == []
    assert await services.parts.store.users.is_erased(user)


async def test_a_link_that_arrives_after_the_erasure_is_revoked_and_not_stored(services: RunningServices) -> None:
    made = await services.post("/v1/sessions", zoe_of(services).wants(**MARKS))

    async def meanwhile(request: httpx.Request) -> None:
        if request.method == "POST" and "/invitation" in request.url.path:
            services.outgoing.after = None
            assert (await erase(services, ZOE)).status_code == 204

    services.outgoing.after = meanwhile
    await services.drain()
    session = await services.parts.store.sessions.get(made["id"])
    assert session.link is not None
    assert (session.status.value, session.link.url) == ("revoked", "")
    (invitation,) = await services.parts.store.sessions.invitations(made["id"])
    assert session.company.provider_id is not None
    listed = await services.parts.provider.links.invitations(session.company.provider_id)
    assert [one.status for one in listed if one.id == invitation] == ["REVOKED"]
    assert await rows_with(services, *WORDS) == []


async def test_users_of_several_tenants_with_one_id_are_erased_apart(services: RunningServices, ada: User) -> None:
    other = await services.stranger()
    theirs = (await other.post("/v1/sessions", json=ada.wants(company={"externalId": "evil", "name": "E"}))).json()
    await ada.session()
    await erased(services, "ada")
    assert (await other.get(f"/v1/sessions/{theirs['id']}")).json()["userId"] == "ada"


async def test_whom_a_result_was_presented_for_is_erased_without_a_session(
    services: RunningServices, ada: User
) -> None:
    page = await ada.browser()
    await page.connect()
    state = asked_in(await page.finish())["state"]
    refused(await services.host.post("/v1/verify", json={"state": state, "userId": ZOE}), 422, "invalid_request")
    exported = await services.get(f"/v1/users/{ZOE}/export")
    (event,) = exported["events"]
    assert (event["data"], event["userId"]) == ({"presentedFor": ZOE}, None)
    await erased(services, ZOE)
    assert await rows_with(services, *WORDS) == []
    (event,) = [one for one in await services.rows("/v1/events", limit=100) if one["type"] == "session.verify_failed"]
    assert (event["data"], event["userId"]) == ({"presentedFor": None}, "ada")


async def test_a_result_that_is_presented_for_anybody_stores_few_users(services: RunningServices, ada: User) -> None:
    page = await ada.browser()
    await page.connect()
    state = asked_in(await page.finish())["state"]
    for number in range(9):
        await services.host.post("/v1/verify", json={"state": state, "userId": f"mallory-{number}"})
    users = await services.parts.store.engine.read(lambda tx: tx.all("SELECT user_id FROM users"))
    assert len(users) == 6

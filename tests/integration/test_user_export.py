"""GET /v1/users/{id}/export: everything that erasing the user would erase, and nothing about anybody else."""

import json
from typing import Any

from tests.support.connection_steps import ambiguous, claim
from tests.support.marked_user import ZOE, lived, zoe_of
from tests.support.services import RunningServices, refused
from tests.support.users import User


async def test_an_export_has_everything_that_erasing_erases(services: RunningServices) -> None:
    await lived(services)
    exported: Any = await services.get(f"/v1/users/{ZOE}/export")
    text = json.dumps(exported)
    for mark in (
        "zoequill-7741",
        "Zoequill Feather",
        "zoequill@",
        "zoequill-support",
        "zoequill-return",
        "zoequill-metadata",
        "zoequill-utility",
        "zoequill-hook",
    ):
        assert mark in text
    assert {one["idempotencyKey"] for one in exported["storedAnswers"]} == {"zoequill-order", "zoequill-revoke"}
    assert {one["userId"] for one in exported["connections"]} == {ZOE}
    assert "session.created" in {one["type"] for one in exported["events"]}
    assert len(exported["sessions"]) == len(await services.rows("/v1/sessions", userId=ZOE))


async def test_an_export_names_no_other_user_and_no_link(services: RunningServices) -> None:
    zoe, bob = zoe_of(services), User(services, "bob-5512")
    row, hers, his = await ambiguous(services, zoe, bob)
    await claim(services, row, his.id)
    await services.host.delete(f"/v1/connections/{row['id']}/claim")
    exported = await services.get(f"/v1/users/{ZOE}/export")
    assert [one["sessionId"] for one in exported["connections"][0]["candidates"]] == [hers.id]
    assert "bob-5512" not in json.dumps(exported)
    link = (await services.parts.store.sessions.get(hers.id)).link  # type: ignore[arg-type]
    assert link is not None
    assert link.url not in json.dumps(exported)


async def test_an_export_is_in_the_log_with_the_key(services: RunningServices, ada: User) -> None:
    await ada.session()
    await services.get("/v1/users/ada/export")
    (event,) = [one for one in await services.rows("/v1/events", limit=100) if one["type"] == "user.exported"]
    assert (event["data"], event["userId"]) == ({"by": "bootstrap"}, "ada")


async def test_another_tenants_user_is_not_exported(services: RunningServices, ada: User) -> None:
    await ada.session()
    other = await services.stranger()
    refused(await other.get("/v1/users/ada/export"), 404, "not_found")
    refused(await services.web().get("/v1/users/ada/export"), 401, "unauthorized")
    assert "user.exported" not in await services.event_types()

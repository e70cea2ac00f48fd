"""Zoe, of whom everything that is stored has a word in it that occurs nowhere else, and the call that erases a user."""

from urllib.parse import quote

import httpx

from tests.support.connection_steps import ambiguous, claim
from tests.support.endpoints import endpoint
from tests.support.receivers import URL
from tests.support.sandbox_client import JsonObject
from tests.support.services import HOST_URL, RunningServices
from tests.support.users import User

ZOE = "zoequill-7741"
MARKS: JsonObject = {
    "userLabel": "Zoequill Feather",
    "userEmail": "zoequill@example.com",
    "supportUrl": "https://help.example.com/zoequill-support",
    "helpUrls": {"upload": "https://help.example.com/zoequill-bills"},
    "returnUrl": f"{HOST_URL}/done?for=zoequill-return",
    "metadata": {"crm": "zoequill-metadata"},
    "prefill": {"url": "https://zoequill-utility.example.com", "country": "US"},
}
WORDS = ("zoequill", "Zoequill")  # of letters enough that no random text has them


def zoe_of(services: RunningServices) -> User:
    return User(services, ZOE)


async def erase(services: RunningServices, user_id: str) -> httpx.Response:
    return await services.host.delete(f"/v1/users/{quote(user_id, safe='')}")


async def erased(services: RunningServices, user_id: str) -> None:
    answer = await erase(services, user_id)
    assert (answer.status_code, answer.content) == (204, b"")
    await services.drain()


async def lived(services: RunningServices) -> JsonObject:
    """All that may be stored about Zoe: sessions open and over, a connection, a claim, answers, webhooks."""
    zoe = zoe_of(services)
    headers = {"Idempotency-Key": "zoequill-order"}
    await endpoint(services)
    body = zoe.wants(**MARKS, webhookUrl=f"{URL}/zoequill-hook")
    assert (await services.host.post("/v1/sessions", json=body, headers=headers)).status_code == 201
    await services.drain()
    made = await zoe.connected(**(MARKS | {"prefill": None, "userEmail": None}))
    await services.deliver_webhooks()
    row, hers, _ = await ambiguous(services, zoe, User(services, "bob"))
    await claim(services, row, hers.id)
    await services.host.post(f"/v1/sessions/{hers.id}/revoke", headers={"Idempotency-Key": "zoequill-revoke"})
    await services.drain()
    return made

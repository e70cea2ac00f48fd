"""The provider's webhooks as a test sends them, signed by Svix's own library."""

import json
from datetime import UTC, datetime
from typing import Any

import httpx
from svix.webhooks import Webhook as Svix

from tests.support.people import User
from tests.support.sandbox_client import SECRET
from tests.support.services import RunningServices

HOOK = "/webhooks/nectar"
UNKNOWN = "00000000-0000-4000-8000-000000000000"


def signed(
    street: RunningServices, body: bytes, message_id: str = "msg_1", secret: str = SECRET, late: int = 0
) -> httpx.Headers:
    """The headers of Svix's own library."""
    at = datetime.fromtimestamp(street.clock.now() - late, UTC)
    return httpx.Headers(
        {
            "svix-id": message_id,
            "svix-timestamp": str(int(at.timestamp())),
            "svix-signature": Svix(secret).sign(message_id, at, body.decode()),
        }
    )


async def send(street: RunningServices, event: Any, message_id: str = "msg_1", **how: Any) -> httpx.Response:
    body = event if isinstance(event, bytes) else json.dumps(event).encode()
    return await street.web().post(HOOK, content=body, headers=signed(street, body, message_id, **how))


def created(connection_id: str, **more: Any) -> dict[str, Any]:
    return {"eventType": "connection.created.v2", "id": connection_id, **more}


async def made_by(person: User) -> str:
    """The id of a connection that this person has made and nobody here has heard of."""
    page = await person.frame()
    await page.connect()
    company = (await page.stored())["company"]["id"]
    (made,) = (await person.street.sandbox.get(f"/company/{company}/connection"))["connections"]
    return str(made["id"])

"""The provider's webhooks as a test sends them, signed by Svix's own library."""

import json
from datetime import UTC, datetime
from typing import Any

import httpx
from svix.webhooks import Webhook as Svix

from tests.support.sandbox_client import SECRET
from tests.support.services import RunningServices
from tests.support.users import User

HOOK = "/webhooks/nectar"
UNKNOWN = "00000000-0000-4000-8000-000000000000"


def signed(
    services: RunningServices, body: bytes, message_id: str = "msg_1", secret: str = SECRET, late: int = 0
) -> httpx.Headers:
    """The headers of Svix's own library."""
    at = datetime.fromtimestamp(services.clock.now() - late, UTC)
    return httpx.Headers(
        {
            "svix-id": message_id,
            "svix-timestamp": str(int(at.timestamp())),
            "svix-signature": Svix(secret).sign(message_id, at, body.decode()),
        }
    )


async def send(services: RunningServices, event: Any, message_id: str = "msg_1", **how: Any) -> httpx.Response:
    body = event if isinstance(event, bytes) else json.dumps(event).encode()
    return await services.web().post(HOOK, content=body, headers=signed(services, body, message_id, **how))


def created(connection_id: str, **more: Any) -> dict[str, Any]:
    return {"eventType": "connection.created.v2", "id": connection_id, **more}


async def made_by(user: User) -> str:
    """The id of a connection that this user has made and the service does not know."""
    page = await user.frame()
    await page.connect()
    company = (await page.stored())["company"]["id"]
    (made,) = (await user.services.sandbox.get(f"/company/{company}/connection"))["connections"]
    return str(made["id"])

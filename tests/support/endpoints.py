"""What several tests of webhook endpoints share: making one, and checking its signatures with the public libraries."""

import base64
from collections.abc import Callable, Mapping
from typing import Any

import standardwebhooks
import svix.webhooks
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from tests.support.receivers import URL, Post
from tests.support.sandbox_client import JsonObject
from tests.support.services import RunningServices

HOUR = 3600.0
DAY = 24 * HOUR


async def endpoint(services: RunningServices, url: str = URL, **fields: Any) -> JsonObject:
    made: JsonObject = await services.post("/v1/webhook-endpoints", {"url": url} | fields)
    return made


async def seen(services: RunningServices, made: Mapping[str, Any]) -> JsonObject:
    """The endpoint as its host reads it now."""
    found: JsonObject = await services.get(f"/v1/webhook-endpoints/{made['id']}")
    return found


async def deliveries(services: RunningServices, made: Mapping[str, Any], **query: str) -> list[JsonObject]:
    return await services.rows(f"/v1/webhook-endpoints/{made['id']}/deliveries", limit=100, **query)


async def wait(services: RunningServices, seconds: float, *, steps: int = 1) -> None:
    """Time passes in steps; whatever becomes due in it is done and delivered."""
    for _ in range(steps):
        await services.later(seconds / steps)
        await services.deliver()


def verified(post: Post, secret: str) -> Any:
    """The body, which both public libraries verify. They read the machine's clock: the test's must begin there."""
    svix.webhooks.Webhook(secret).verify(post.body, post.headers)
    return standardwebhooks.Webhook(secret).verify(post.body, post.headers)


def verified_by_key(post: Post, public_key: str) -> None:
    """Raise InvalidSignature unless its first v1a signature is of this key."""
    key = Ed25519PublicKey.from_public_bytes(base64.b64decode(public_key.removeprefix("whpk_")))
    signed = f"{post.id}.{post.headers['webhook-timestamp']}.".encode() + post.body
    key.verify(base64.b64decode(marks(post, "v1a")[0]), signed)


def marks(post: Post, version: str) -> list[str]:
    """The signatures of this version, newest secret first."""
    each = (mark.split(",", 1) for mark in post.headers["webhook-signature"].split(" "))
    return [mark for found, mark in each if found == version]


def failing(services: RunningServices, status: int = 500, while_: Callable[[Post], bool] = lambda _: True) -> None:
    services.receivers.main.answer = lambda post: status if while_(post) else 204

"""Deliveries are verified on Node by the unmodified npm packages of hosts: standardwebhooks and svix."""

import asyncio
import json
from collections.abc import Mapping
from pathlib import Path
from time import time  # noqa: TID251 - the packages read the machine's clock
from typing import Any

import pytest
from playwright._impl._driver import compute_driver_executable

from service.domain.endpoints import EndpointSecret
from service.outbound import signed_headers
from tests.support.clock import Clock
from tests.support.endpoints import endpoint, seen
from tests.support.receivers import Post
from tests.support.sandbox_client import JsonObject
from tests.support.services import RunningServices
from tests.support.users import User
from tests.support.webhook_vectors import BODY, SECRET, SENT, SIGNATURE

NODE = Path(__file__).parents[1] / "node"
VERIFIED = {"standardwebhooks": "verified", "svix": "verified", "v1a": "verified"}
REFUSED = dict.fromkeys(VERIFIED, "No matching signature found")


@pytest.fixture
def clock() -> Clock:
    return Clock(time())


async def verdicts(*cases: JsonObject) -> list[dict[str, str]]:
    """What each verifier says of each case."""
    assert (NODE / "node_modules" / "svix").is_dir(), "run `make node-packages` first"
    process = await asyncio.create_subprocess_exec(
        *(compute_driver_executable()[0], str(NODE / "verify-webhooks.mjs")),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    found, _ = await process.communicate(json.dumps(cases).encode())
    assert process.returncode == 0
    answers: list[dict[str, str]] = json.loads(found)
    return answers


def case(post: Post, secret: str, made: Mapping[str, Any], **changes: str) -> JsonObject:
    headers = {name: value for name, value in post.headers.items() if name.startswith("webhook-")}
    return {"body": post.body.decode(), "headers": headers, "secret": secret, "publicKey": made["publicKey"]} | changes


def without_mark(verdict: dict[str, str]) -> dict[str, str]:
    return {name: verdict[name] for name in VERIFIED}


async def test_what_was_changed_or_signed_by_another_is_refused(services: RunningServices, ada: User) -> None:
    made = await endpoint(services)
    other = await endpoint(services, "https://hooks.example.com/other")
    await ada.session()
    await services.deliver()
    post = next(one for one in services.receivers.main.posts if one.path == "/magiclink")
    cases = [
        case(post, made["secret"], made, body=post.body.decode().replace("session.created", "session.revoked", 1)),
        case(post, other["secret"], other),
    ]
    assert [without_mark(one) for one in await verdicts(*cases)] == [REFUSED, REFUSED]


async def test_every_delivery_is_verified_before_and_after_a_rotation(services: RunningServices, ada: User) -> None:
    made = await endpoint(services)
    await ada.session()
    await services.deliver()
    rotated = await services.post(f"/v1/webhook-endpoints/{made['id']}/rotate-secret")
    await ada.session()
    await services.deliver()
    first, *_, last = services.receivers.main.posts
    cases = [
        case(first, made["secret"], made),
        case(last, made["secret"], made),
        case(last, rotated["secret"], await seen(services, made)),
    ]
    assert made["publicKey"] != rotated["publicKey"]
    assert [without_mark(one) for one in await verdicts(*cases)] == [VERIFIED] * 3


async def test_the_published_vector_is_what_the_package_signs() -> None:
    private_key = "whsk_TM0Imyj/ltqdtsNG7BFOD1uKMZ81q6Yk2oz27U+4pvs="
    headers = signed_headers(
        [EndpointSecret("whs_1", SECRET, private_key, 0.0)], "msg_p5jXN8AQM9LWM0D4loKWxJek", SENT, BODY
    )
    # Reference: RFC 8032, 7.1, test 2: the two keys of an Ed25519 vector.
    public_key = "whpk_PUAXw+hDiVqStwqnTRt+vJyYLM8uxJaMwM1V8Sr0Zgw="
    (verdict,) = await verdicts({"body": BODY.decode(), "headers": headers, "secret": SECRET, "publicKey": public_key})
    assert (verdict["signed"], headers["webhook-signature"].split(" ")[0]) == (SIGNATURE, SIGNATURE)
    # It is of 2021: the packages verify it, and then refuse its age.
    assert (verdict["standardwebhooks"], verdict["v1a"]) == ("Message timestamp too old", "verified")

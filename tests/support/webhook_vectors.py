"""The webhook whose signature is published, and an event in the provider's own form."""

import base64
import json
from typing import Any

# Reference: the vector published by Svix and by the Standard Webhooks specification.
SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
BODY = b'{"test": 2432232314}'
SENT = 1614265330
SIGNATURE = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
OTHER = "whsec_" + base64.b64encode(b"another secret of enough length").decode()
CONNECTION = "11111111-1111-4111-8111-111111111111"


def headers(family: str = "svix", **changes: str) -> dict[str, str]:
    named = {"id": "msg_p5jXN8AQM9LWM0D4loKWxJek", "timestamp": str(SENT), "signature": SIGNATURE} | changes
    return {f"{family}-{name}": value for name, value in named.items()}


def event(**fields: Any) -> bytes:
    return json.dumps({"eventType": "connection.updated.v2", "id": CONNECTION} | fields).encode()

"""The signature of a webhook, against Svix's own code."""

from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st
from svix.webhooks import Webhook

from service.sandbox.deliveries import RETRY_SECONDS, sign

SECRET = "whsec_c2FuZGJveC1zaWduaW5nLXNlY3JldC0wMTIzNDU2Nzg5"


@given(st.text(), st.integers(1, 4_000_000_000))
def test_it_signs_as_svix_does(body: str, timestamp: int) -> None:
    raw = body.encode("utf-8", "replace")
    theirs = Webhook(SECRET).sign("msg_1", datetime.fromtimestamp(timestamp, UTC), raw.decode())
    assert sign(SECRET, "msg_1", timestamp, raw) == theirs


def test_its_retry_schedule_is_the_one_that_svix_publishes() -> None:
    minute, hour = 60, 3600
    assert (5, 5 * minute, 30 * minute, 2 * hour, 5 * hour, 10 * hour, 10 * hour) == RETRY_SECONDS

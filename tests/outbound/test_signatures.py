"""Signatures of deliveries, with the published vector, and verified by the public libraries."""

import base64
import os
from datetime import UTC, datetime
from time import time  # noqa: TID251 - the libraries read the machine's clock

import pytest
import standardwebhooks
import svix.webhooks
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from service.domain.endpoints import EndpointSecret
from service.outbound import new_secret, public_key, signed_headers
from tests.support.webhook_vectors import BODY, SECRET, SENT, SIGNATURE

# Reference: RFC 8032, 7.1, test 2: the key of an Ed25519 vector.
SEED = bytes.fromhex("4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb")
PUBLIC_KEY = bytes.fromhex("3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c")
PRIVATE = "whsk_" + base64.b64encode(SEED).decode()


def secret(key: str = SECRET, private_key: str = PRIVATE) -> EndpointSecret:
    return EndpointSecret("whs_1", key, private_key, 0.0)


def test_the_published_vector() -> None:
    headers = signed_headers([secret()], "msg_p5jXN8AQM9LWM0D4loKWxJek", SENT, BODY)
    assert headers["webhook-signature"].split(" ")[0] == SIGNATURE
    assert headers["webhook-timestamp"] == str(SENT)


def test_the_libraries_sign_the_same() -> None:
    headers = signed_headers([secret()], "evt_1", SENT, BODY)
    at = datetime.fromtimestamp(SENT, UTC)
    for library in (standardwebhooks.Webhook(SECRET), svix.webhooks.Webhook(SECRET)):
        assert library.sign("evt_1", at, BODY.decode()) == headers["webhook-signature"].split(" ")[0]


def test_the_libraries_verify_what_a_new_secret_signs() -> None:
    made = secret(*new_secret(os.urandom))
    headers = signed_headers([secret(), made], "evt_1", int(time()), BODY)
    for key in (made.key, SECRET):
        assert standardwebhooks.Webhook(key).verify(BODY, headers) == {"test": 2432232314}
        svix.webhooks.Webhook(key).verify(BODY, headers)
    with pytest.raises(standardwebhooks.WebhookVerificationError):
        standardwebhooks.Webhook(made.key).verify(BODY + b" ", headers)


def test_the_public_key_is_that_of_the_private_key() -> None:
    assert public_key(secret()) == "whpk_" + base64.b64encode(PUBLIC_KEY).decode()


def test_v1a_is_verified_with_the_public_key_alone() -> None:
    headers = signed_headers([secret()], "evt_1", SENT, BODY)
    version, _, mark = headers["webhook-signature"].split(" ")[1].partition(",")
    assert version == "v1a"
    key = Ed25519PublicKey.from_public_bytes(PUBLIC_KEY)
    key.verify(base64.b64decode(mark), f"evt_1.{SENT}.".encode() + BODY)
    with pytest.raises(InvalidSignature):
        key.verify(base64.b64decode(mark), f"evt_2.{SENT}.".encode() + BODY)


def test_the_two_keys_of_a_secret_are_independent_and_of_full_length() -> None:
    taken: list[int] = []

    def random_bytes(number: int) -> bytes:
        taken.append(number)
        return bytes([len(taken)]) * number

    key, private_key = new_secret(random_bytes)
    assert taken == [32, 32]
    assert (key, private_key) == (
        "whsec_" + base64.b64encode(b"\1" * 32).decode(),
        "whsk_" + base64.b64encode(b"\2" * 32).decode(),
    )


def test_a_secret_is_not_shown_by_repr() -> None:
    assert SECRET not in repr(secret())
    assert PRIVATE not in repr(secret())

"""Signs deliveries: Standard Webhooks v1 (HMAC-SHA256) and v1a (Ed25519).

Reference: the Standard Webhooks specification, "Signature scheme": what is signed is "id.timestamp.body".
"""

import base64
import hashlib
import hmac
from collections.abc import Callable, Sequence

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from service.domain.endpoints import EndpointSecret

_KEY_BYTES = 32
_SYMMETRIC, _PRIVATE, _PUBLIC = "whsec_", "whsk_", "whpk_"


def new_secret(random_bytes: Callable[[int], bytes]) -> tuple[str, str]:
    """Return a new symmetric secret and a new private key."""
    # Two independent keys: a receiver that verifies v1a has only the public key, and can forge nothing.
    return _SYMMETRIC + _base64(random_bytes(_KEY_BYTES)), _PRIVATE + _base64(random_bytes(_KEY_BYTES))


def public_key(secret: EndpointSecret) -> str:
    """Return the key with which receivers verify v1a."""
    return _PUBLIC + _base64(_private(secret).public_key().public_bytes_raw())


def signed_headers(secrets: Sequence[EndpointSecret], message_id: str, at: int, body: bytes) -> dict[str, str]:
    """Return the three headers; each secret signs in both ways, the newest first."""
    signed = f"{message_id}.{at}.".encode() + body
    marks = [f"v1,{_base64(_hmac(secret, signed))}" for secret in secrets]
    marks += [f"v1a,{_base64(_private(secret).sign(signed))}" for secret in secrets]
    return {"webhook-id": message_id, "webhook-timestamp": str(at), "webhook-signature": " ".join(marks)}


def _hmac(secret: EndpointSecret, signed: bytes) -> bytes:
    return hmac.new(_bytes(secret.key, _SYMMETRIC), signed, hashlib.sha256).digest()


def _private(secret: EndpointSecret) -> Ed25519PrivateKey:
    return Ed25519PrivateKey.from_private_bytes(_bytes(secret.private_key, _PRIVATE)[:_KEY_BYTES])


def _bytes(text: str, prefix: str) -> bytes:
    return base64.b64decode(text.removeprefix(prefix))


def _base64(raw: bytes) -> str:
    return base64.b64encode(raw).decode()

"""The adapter to hosts' webhook endpoints: guards the address, signs, and posts. No database, no decision."""

from service.outbound.addresses import AddressGuard, Resolve, resolve
from service.outbound.network import WebhookNetwork
from service.outbound.sender import ReceiverAnswer, WebhookSender
from service.outbound.signatures import new_secret, public_key, signed_headers

__all__ = [
    "AddressGuard",
    "ReceiverAnswer",
    "Resolve",
    "WebhookNetwork",
    "WebhookSender",
    "new_secret",
    "public_key",
    "resolve",
    "signed_headers",
]

"""The values that are signed (a page's token, a callback's state, a session's result), and digests of secrets. Pure.

`service.signing` signs and verifies them.
"""

import hashlib
import hmac
from dataclasses import dataclass

from service.domain.model import SessionId, Tenant, UserId, UserRef


@dataclass(frozen=True, slots=True)
class PageToken:
    """What a page URL carries: its session, and which of its URLs it is (`serial` rises with each renewal)."""

    session_id: SessionId
    serial: int
    issued_at: int


# Stands for an erased user in signed values. A request cannot name it, since a `userId` has at least one character.
ERASED_USER = UserId("")


@dataclass(frozen=True, slots=True)
class CallbackState:
    """What travels through the provider: the session, its user, and the page that was started (`page_serial`)."""

    session_id: SessionId
    user_id: UserId
    page_serial: int


@dataclass(frozen=True, slots=True)
class ReadState:
    """A state that came back. It names its user by a digest, since it travelled in addresses that others can read."""

    session_id: SessionId
    user_digest: str
    page_serial: int

    def is_for(self, user_id: UserId) -> bool:
        """Whether it was signed for this user."""
        return hmac.compare_digest(self.user_digest.encode(), user_digest(user_id).encode())


@dataclass(frozen=True, slots=True)
class SessionResult:
    """What the host confirms with POST /v1/verify: who finished what, and when (`at`, seconds since the epoch)."""

    session_id: SessionId
    tenant: Tenant
    user_id: UserId
    status: str
    connection_id: str | None
    at: int


@dataclass(frozen=True, slots=True)
class StatusToken:
    """What the URL of a status page carries: whose connections it shows, and the one origin that may frame it."""

    tenant: Tenant
    user: UserRef
    origin: str
    issued_at: int


@dataclass(frozen=True, slots=True)
class HandoffToken:
    """What the address for another device carries: `nonce` names the one offer that the session's row knows."""

    session_id: SessionId
    nonce: str
    issued_at: int


def key_id(key: str) -> str:
    """Eight hex digits that name a key; a hash with its own prefix, so that it cannot serve as anything else."""
    return hashlib.sha256(b"key-id.v1:" + key.encode()).hexdigest()[:8]


def digest(secret: str) -> str:
    """The stored form of a page key or an API key: those are random and long, so a plain hash is enough."""
    return hashlib.sha256(b"stored.v1:" + secret.encode("utf-8", "surrogatepass")).hexdigest()


def page_key_of_form(session_id: SessionId, form_value: str) -> str:
    """Return the page key that a start by this form binds, so that a form that is sent twice starts one page."""
    return hashlib.sha256(f"form.v1:{session_id}:".encode() + form_value.encode("utf-8", "surrogatepass")).hexdigest()


def user_digest(user_id: str) -> str:
    # States and results travel in addresses, which must not contain the host's user id.
    return hashlib.sha256(b"user.v1:" + user_id.encode("utf-8", "surrogatepass")).hexdigest()[:32]

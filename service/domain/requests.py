"""What a host asks for, already validated: the values that use cases take."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from service.domain.model import ConnectionId, LinkChoice, Session, UserId


@dataclass(frozen=True, slots=True)
class PlaceRequest:
    """A company or a site as the host names it: by the provider's `id`, or by its own `external_id`.

    One named by `external_id` is looked up at the provider and created where it does not exist.
    """

    id: str | None = None
    external_id: str | None = None
    name: str | None = None
    address: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionRequest:
    """A session to create. With `connection_id` it reconnects that connection, and `company` and `sites` are empty."""

    user_id: UserId
    company: PlaceRequest
    sites: tuple[PlaceRequest, ...]
    expires_in: int
    link: LinkChoice
    origin: str | None = None
    return_url: str | None = None
    locale: str = "en"
    user_label: str | None = None
    user_email: str | None = None
    support_url: str | None = None
    prefill: Mapping[str, Any] = field(default_factory=dict)
    metadata: Mapping[str, str] = field(default_factory=dict)
    connection_id: ConnectionId | None = None


@dataclass(frozen=True, slots=True)
class IdempotentRequest:
    """The Idempotency-Key of a call to `route`, and the digest of the body that it came with."""

    route: str
    key: str
    body_digest: str


@dataclass(frozen=True, slots=True)
class CreateOptions:
    """How a session is created.

    `render` makes the answer that is stored for equal calls, in the same transaction; with None the caller stores it
    later. `prepare_in_seconds` is when a worker may make the link.
    """

    idempotency: IdempotentRequest | None = None
    render: Callable[[Session], Mapping[str, Any]] | None = None
    prepare_in_seconds: float = 0.0

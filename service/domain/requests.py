"""What a host asks for, already validated: the values that use cases take."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from typing import Any

from service.domain.model import (
    Company,
    ConnectionId,
    LinkChoice,
    LinkKind,
    LinkStatus,
    Mode,
    Session,
    SessionId,
    Site,
    Tenant,
    UserId,
    UserRef,
)
from service.domain.theme import Theme


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
    """A session to create. With `connection_id` it reconnects that connection, and `company` and `sites` are empty.

    `webhook_endpoint` is the endpoint beneath whose path `webhook_url` is.
    """

    user_id: UserId
    company: PlaceRequest
    sites: tuple[PlaceRequest, ...]
    expires_in: int
    link: LinkChoice
    origin: str | None = None
    return_url: str | None = None
    locale: str = ""
    user_label: str | None = None
    user_email: str | None = None
    support_url: str | None = None
    help_urls: Mapping[str, str] = field(default_factory=dict)
    webhook_url: str | None = None
    webhook_endpoint: str | None = None
    theme: Theme = field(default_factory=Theme)
    ancestors: tuple[str, ...] = ()
    max_connections: int = 1
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
class KeyLease:
    """One call's right to answer its Idempotency-Key: `token` is new for each call, and the key's row holds one token.

    While the call is under way the lease is renewed. When it has ended, an equal call takes the key over.
    """

    tenant: Tenant
    request: IdempotentRequest
    token: str


@dataclass(frozen=True, slots=True)
class KeptAnswer:
    """What equal calls are answered with; written in the transaction that does what the call asks for.

    Otherwise a process that died between the two would make an equal call do everything once more. With `is_partial`
    the call stores its whole answer later; until then, this answer is enough for an equal call to read the rest.
    """

    key: KeyLease
    answer: Mapping[str, Any]
    is_partial: bool = False


@dataclass(frozen=True, slots=True)
class CreateOptions:
    """How a session is created.

    `render` makes the answer that is stored for equal calls, in the same transaction; with None the caller stores it
    later. `prepare_in_seconds` is when a worker may make the link.
    """

    key: KeyLease | None = None
    render: Callable[[Session], Mapping[str, Any]] | None = None
    prepare_in_seconds: float = 0.0


# Fields that a request and its session share are copied. The excluded ones differ: company and sites are looked up
# first, and `link` is a choice in the request and the provider's URL in the session.
_SHARED = {each.name for each in fields(SessionRequest)} & {each.name for each in fields(Session)}
_COPIED = tuple(sorted(_SHARED - {"company", "sites", "link"}))


def new_session(
    session_id: SessionId,
    tenant: Tenant,
    request: SessionRequest,
    places: tuple[UserRef, Company, tuple[Site, ...]],
    issued: tuple[float, str],
) -> Session:
    """Return the session as requested; `issued` is the time and the id of the key that signs its URLs.

    `places` are the user, company and sites with new ids; the store replaces those that it already has.
    """
    now, key_id = issued
    user, company, sites = places
    return Session(
        id=session_id,
        tenant=tenant,
        user=user,
        company=company,
        sites=sites,
        mode=Mode.RECONNECT if request.connection_id else Mode.CONNECT,
        link_choice=request.link,
        # `auto` tries the exact kind first.
        link_kind=LinkKind.MAGIC_LINK if request.link is LinkChoice.MAGIC_LINK else LinkKind.INVITATION,
        link_status=LinkStatus.PENDING,
        created_at=now,
        expires_at=now + request.expires_in,
        serial=1,
        issued_at=int(now),
        key_id=key_id,
        **{name: getattr(request, name) for name in _COPIED},
    )

"""Nouns of recording: what a story reads in one transaction, and what it wants written in the same one.

A story's decision is a pure function from what is there (`Session`, `Ledger`) to `Changes`; the store loads the one and
writes the other in a single transaction. So nothing is said that did not happen, and no decision does I/O.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from service.model import (
    Company,
    Connection,
    ConnectionId,
    EvidenceKind,
    InvitationId,
    Link,
    LinkChoice,
    Session,
    SessionId,
    Tenant,
    UserId,
)


class FactKind(StrEnum):
    """What can bear on whose a connection is. Facts are only ever added."""

    LISTED = "listed"  # of a company: its connections were listed before it was given any link of ours
    PRIOR = "prior"  # of a connection: it was among them
    REVEALED = "revealed"
    REVOKED = "revoked"
    NAMED = "named"
    CLEARED = "cleared"
    UNCLEAR = "unclear"
    CLAIMED = "claimed"
    UNCLAIMED = "unclaimed"


@dataclass(frozen=True, slots=True)
class Fact:
    """One fact; the same fact told twice is one row (its identity is everything but its time and its actor).

    `actor` is the API key, by its id, with which a claim was made or undone.
    """

    kind: FactKind
    connection_id: ConnectionId | None = None
    session_id: SessionId | None = None
    invitation_id: InvitationId | None = None
    provider_at: float | None = None
    nonce: str = ""
    actor: str | None = None


class WorkKind(StrEnum):
    """What the background loop knows to do; `ref` names the row it is for."""

    PREPARE = "prepare"
    RECONCILE = "reconcile"
    EXPIRE = "expire"
    PRESENCE = "presence"
    WITHDRAW = "withdraw"
    SWEEP = "sweep"
    WEBHOOK = "webhook"
    DOCUMENTS = "documents"
    PURGE = "purge"


@dataclass(frozen=True, slots=True)
class Due:
    """Run `kind` for `ref` in `in_seconds`; an earlier time already asked for stays."""

    kind: WorkKind
    ref: str
    in_seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class News:
    """An event to be written with the change it tells of."""

    type: str
    session_id: SessionId | None = None
    connection_id: ConnectionId | None = None
    user_id: UserId | None = None
    data: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Join:
    """The connection stands in the session's list, for this reason."""

    session_id: SessionId
    connection_id: ConnectionId
    kind: EvidenceKind


@dataclass(frozen=True, slots=True)
class Part:
    """The connection leaves the session's list: its verdict was overturned or undone."""

    session_id: SessionId
    connection_id: ConnectionId


# How long after its note a call for an invitation may be answered, and the answer written down: longer than a call may
# take. Whoever looks for what lost calls have made begins only then.
ANSWER_SECONDS = 35.0


@dataclass(frozen=True, slots=True)
class Answered:
    """The call noted as `ref` gave the session this invitation, which lives so long from then on."""

    ref: str
    session_id: SessionId
    link: Link
    lifetime_seconds: float


@dataclass(frozen=True, slots=True)
class Changes:
    """Everything one transaction writes. Sessions and connections stand as they shall be afterwards.

    With `answered`, all of it only while that call's note may be answered: who comes back too late changes nothing.
    """

    sessions: tuple[Session, ...] = ()
    connections: tuple[Connection, ...] = ()
    facts: tuple[Fact, ...] = ()
    events: tuple[News, ...] = ()
    work: tuple[Due, ...] = ()
    joins: tuple[Join, ...] = ()
    parts: tuple[Part, ...] = ()
    answered: Answered | None = None


@dataclass(frozen=True, slots=True)
class FactRow:
    """A fact as it stands, with who the session behind it is."""

    fact: Fact
    recorded_at: float
    tenant: Tenant | None
    user_id: UserId | None


@dataclass(frozen=True, slots=True)
class OwnInvitation:
    """An invitation of ours and when, by the provider's clock, it could be used."""

    id: InvitationId
    provider_given_at: float
    provider_ends_at: float


@dataclass(frozen=True, slots=True)
class Ledger:
    """What is known of a company while its row is locked: enough to judge the connections asked about."""

    company: Company
    facts: tuple[FactRow, ...]
    connections: Mapping[ConnectionId, Connection]
    sessions: Mapping[SessionId, Session]
    by_invitation: Mapping[InvitationId, SessionId]
    joined: frozenset[tuple[SessionId, ConnectionId]]
    undecided: frozenset[ConnectionId]
    unlisted: tuple[OwnInvitation, ...] = ()  # ours, of this company, not among those read, and nothing named by them


@dataclass(frozen=True, slots=True)
class Place:
    """A company or a site as the host names it: by the provider's id, or by its own, to be found or created."""

    id: str | None = None
    external_id: str | None = None
    name: str | None = None
    address: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class NewSession:
    """What a host asks for, checked already."""

    user_id: UserId
    company: Place
    sites: tuple[Place, ...]
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
class Repeat:
    """An Idempotency-Key, and the digest of the body it came with."""

    route: str
    key: str
    body_digest: str


@dataclass(frozen=True, slots=True)
class Wanted:
    """How a session is to be made: `render` gives the answer to keep for equal calls, None keeps it for later."""

    repeat: Repeat | None = None
    render: Callable[[Session], Mapping[str, Any]] | None = None
    prepare_in_seconds: float = 0.0

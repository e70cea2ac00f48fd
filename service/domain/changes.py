"""The input and the output of a decision: `CompanyRecords`, `Changes`, and the facts and jobs in them.

A decision is a pure function from `Session` or `CompanyRecords` to `Changes`. In one transaction the store reads its
input under a row lock, calls the function, and writes its output. So an event and the change that it reports are
written together or not at all.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from service.domain.events import NewEvent
from service.domain.model import (
    Company,
    Connection,
    ConnectionId,
    EvidenceKind,
    InvitationId,
    Link,
    ProviderCompanyId,
    Session,
    SessionId,
    Tenant,
    UserRef,
)
from service.domain.session_status import Progress


class FactKind(StrEnum):
    """What can count for or against an owner of a connection. Facts are appended and never changed or deleted."""

    LISTED = "listed"  # of a company: its connections were listed before it was given its first link
    PRIOR = "prior"  # of a connection: it was in that list, so it is older than this service
    REVEALED = "revealed"  # of a session: its magic link was shown to a page
    REVOKED = "revoked"  # of a session: its magic link was revoked by the host
    FINISHED = "finished"  # of a session: with its magic link shown, its user said "I have finished"
    ENDED = "ended"  # of an invitation: it had ended, and its uses are not explained by what it named
    REPLACED = "replaced"  # of a session: its invitation had ended unused, and another takes its place
    NAMED = "named"  # of a connection: an invitation lists it as created
    CLEARED = "cleared"  # of a connection: a snapshot shows that no invitation can still name it
    UNCLEAR = "unclear"  # of a connection: no snapshot of a whole day could show that
    CLAIMED = "claimed"  # of a connection: the host settled it for a session
    UNCLAIMED = "unclaimed"  # the claim with the same nonce was undone


@dataclass(frozen=True, slots=True)
class Fact:
    """One fact. The same fact written twice is one row: its identity is everything but its time and its actor.

    `actor` is the id of the API key with which a claim was made or undone.
    """

    kind: FactKind
    connection_id: ConnectionId | None = None
    session_id: SessionId | None = None
    invitation_id: InvitationId | None = None
    provider_at: float | None = None
    nonce: str = ""
    actor: str | None = None


class JobKind(StrEnum):
    """What a worker can do; a job's `ref` is the id of the row that it is for."""

    PREPARE = "prepare"  # a session: make its link
    RECONCILE = "reconcile"  # a company: poll the provider and record
    EXPIRE = "expire"  # a session: expire it when its time is over
    PRESENCE = "presence"  # a session: notice that its page disappeared
    WITHDRAW = "withdraw"  # a session: revoke its invitations at the provider
    SWEEP = "sweep"  # a session: revoke invitations whose answers were lost
    WEBHOOK = "webhook"  # a stored webhook: process it
    DOCUMENTS = "documents"  # a connection: name its new documents
    UPLOADS = "uploads"  # a company: name its new documents without a connection
    REPLAY = "replay"  # a replay: give the endpoint's next events a delivery
    REMIND = "remind"  # a connection that needs attention: remind its host
    PURGE = "purge"  # delete what is no longer kept
    ERASE = "erase"  # an erased user: revoke their sessions, and erase what is stored about them
    ENCRYPT = "encrypt"  # what earlier versions stored as it is, or secrets of endpoints with the newest key


@dataclass(frozen=True, slots=True)
class Job:
    """Run `kind` for `ref` in `in_seconds`. Where the same job is already due earlier, that time stays.

    `waited_for`: a page waits for it, so it is leased before the others.
    """

    kind: JobKind
    ref: str
    in_seconds: float = 0.0
    waited_for: bool = False


@dataclass(frozen=True, slots=True)
class LeasedJob:
    """A job that one worker holds until its lease ends; `lease` is the token that finishing it needs.

    Each write of what the job has read needs the token too (`require_lease`): a worker that lost its lease writes
    nothing.
    """

    kind: JobKind
    ref: str
    attempts: int
    lease: str
    waited_for: bool = False


@dataclass(frozen=True, slots=True)
class Attachment:
    """The connection is attached to the session, for this reason."""

    session_id: SessionId
    connection_id: ConnectionId
    kind: EvidenceKind


@dataclass(frozen=True, slots=True)
class Advance:
    """The connection, attached to the session, has brought it this far."""

    session_id: SessionId
    connection_id: ConnectionId
    progress: Progress


@dataclass(frozen=True, slots=True)
class Detachment:
    """The connection is no longer attached to the session: its verdict was overturned or undone."""

    session_id: SessionId
    connection_id: ConnectionId


@dataclass(frozen=True, slots=True)
class RefusedResult:
    """A result of the session was presented for `user`, who is not its user."""

    session_id: SessionId
    user: UserRef


@dataclass(frozen=True, slots=True)
class CompletedIntent:
    """The creating call with the intent `ref` gave the session this invitation, valid for `lifetime_seconds`."""

    ref: str
    session_id: SessionId
    link: Link
    lifetime_seconds: float


@dataclass(frozen=True, slots=True)
class Changes:
    """Everything that one transaction writes. Sessions and connections are given as they are afterwards.

    `ended_jobs` are deleted before `jobs` are enqueued, also while they run: then they do not run again.
    `polled_at`: when the poll of the company began whose answer is recorded. With `completed_intent`, all of it is
    written only while that intent may still be answered (ANSWER_SECONDS): an answer that comes later changes nothing.
    """

    sessions: tuple[Session, ...] = ()
    connections: tuple[Connection, ...] = ()
    facts: tuple[Fact, ...] = ()
    events: tuple[NewEvent, ...] = ()
    ended_jobs: tuple[Job, ...] = ()
    jobs: tuple[Job, ...] = ()
    attachments: tuple[Attachment, ...] = ()
    advances: tuple[Advance, ...] = ()
    detachments: tuple[Detachment, ...] = ()
    refused_results: tuple[RefusedResult, ...] = ()
    polled_at: float | None = None
    completed_intent: CompletedIntent | None = None


@dataclass(frozen=True, slots=True)
class StoredFact:
    """A fact as read from the database, with the tenant and user of its session."""

    fact: Fact
    recorded_at: float
    tenant: Tenant | None
    user: UserRef | None


@dataclass(frozen=True, slots=True)
class OwnInvitation:
    """An invitation made by this service and when, by the provider's clock, it could be used."""

    id: InvitationId
    provider_given_at: float
    provider_ends_at: float


@dataclass(frozen=True, slots=True)
class CompanyRecords:
    """What is stored about a company, read while its row is locked: enough to judge the connections asked for.

    `attached` is how far each attached connection has brought its session. `unlisted` are this service's invitations of
    the company that the provider's list lacks and that named nothing yet. `unread` are sessions that were left out: the
    many that had a magic link, of which a decision rarely changes one.
    """

    company: Company
    facts: tuple[StoredFact, ...]
    connections: Mapping[ConnectionId, Connection]
    sessions: Mapping[SessionId, Session]
    by_invitation: Mapping[InvitationId, SessionId]
    attached: Mapping[tuple[SessionId, ConnectionId], Progress]
    unlisted: tuple[OwnInvitation, ...] = ()
    unread: frozenset[SessionId] = frozenset()

    def session(self, session_id: SessionId) -> Session | None:
        """One of the sessions; None where it is not among them. Raises SessionUnread."""
        if session_id in self.unread:
            raise SessionUnread(session_id)
        return self.sessions.get(session_id)


class SessionUnread(Exception):
    """A decision needs a session that was left out: it is read, and the decision made again."""

    def __init__(self, session_id: SessionId) -> None:
        super().__init__(session_id)
        self.session_id = session_id


@dataclass(frozen=True, slots=True)
class CompanyBaseline:
    """A company as reported before its first link was given; `prior` are the connections that it had then.

    It is not `complete` where the id of a listed connection could not be read.
    """

    provider_id: ProviderCompanyId
    provider_at: float
    prior: frozenset[ConnectionId] = frozenset()
    complete: bool = True


@dataclass(frozen=True, slots=True)
class CompanyActivity:
    """How busy a company is: it decides the poll interval.

    `present`: a page reported its presence, or a user finished, within the last ten minutes. `just_finished`: a user
    said "I have finished" within the last minute and a half and nothing is recorded yet. `open_sessions`: a link that
    was shown can still be used, of a session that is open, or over for two hours at most; where an account of it works,
    for another one, and its page was there within two hours. `undecided`: the verdict on a connection is waiting.
    `linked`: a link was given at any time.
    """

    present: bool
    just_finished: bool
    open_sessions: bool
    undecided: bool
    linked: bool

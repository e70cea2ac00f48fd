"""The JSON that `/v1` answers, as types: mypy holds the code to them, and OpenAPI is generated from them.

Nothing is validated at run time: an answer is a plain dict. `NotRequired` fields are left out where they do not apply.
"""

from collections.abc import Mapping
from enum import StrEnum
from typing import Annotated, Any, Literal, NotRequired

from pydantic import Field, WithJsonSchema

# Before Python 3.12 pydantic cannot read `typing.TypedDict`.
from typing_extensions import TypedDict

from service.domain.model import (
    ConnectionId,
    EventId,
    EvidenceKind,
    LinkKind,
    LinkStatus,
    Mode,
    ProviderCompanyId,
    ProviderSiteId,
    SessionId,
    UserId,
)
from service.domain.provider_steps import LogStep
from service.domain.session_status import SessionStatus
from service.domain.statuses import ConnectionState
from service.web.api.word_answers import WordsJson


def _inline(kind: type[StrEnum]) -> WithJsonSchema:
    """The words of a short enum, written where the field is."""
    return WithJsonSchema({"enum": [one.value for one in kind]})


Time = Annotated[str, WithJsonSchema({"type": "string", "format": "date-time"})]
Uri = Annotated[str, WithJsonSchema({"type": "string", "format": "uri"})]
ConnectionUuid = Annotated[ConnectionId, WithJsonSchema({"type": "string", "format": "uuid"})]
ModeWord = Annotated[Mode, _inline(Mode)]
LinkKindWord = Annotated[LinkKind, _inline(LinkKind)]
LinkStatusWord = Annotated[LinkStatus, _inline(LinkStatus)]
LogStepWord = Annotated[LogStep, _inline(LogStep)]

SESSION_STATUSES: Mapping[str, str] = {
    SessionStatus.CREATED: "Created; no page was started yet.",
    SessionStatus.OPENED: "A page was started.",
    SessionStatus.SUBMITTED: "A connection is recorded and the provider checks it: the user's part is done.",
    SessionStatus.CONNECTED: "A connection is recorded that works, or has worked since.",
    SessionStatus.EXITED: "The user left, or a page whose presence was known was gone for 60 s: they may come back. "
    "Or its time is over, and what is recorded still asks something of the user.",
    SessionStatus.EXPIRED: "Its time is over, and nothing is recorded.",
    SessionStatus.REVOKED: "You ended it.",
    SessionStatus.FAILED: "There is no link, or no longer one; `failure` says why.",
}
EVIDENCE_KINDS: Mapping[str, str] = {
    EvidenceKind.INVITATION: "The session's own one-use invitation lists the connection.",
    EvidenceKind.CLAIMED: "You settled it with a claim.",
    EvidenceKind.RECONNECT: "A reconnect session of its user mended it. Its `evidence` stays the one it had before.",
    EvidenceKind.SOLE_CANDIDATE: (
        "Magic links only: everybody who could have made it is one user. Then `presumed` is true."
    ),
}
CONNECTION_STATES: Mapping[str, str] = {
    ConnectionState.CHECKING: "`PENDING`, or a status from before its user mended it: the provider checks it.",
    ConnectionState.DELAYED: "`UNDER_INVESTIGATION`, `WEBSITE_DOWN`, `URL_INACCESSIBLE`, `OTHER_ERROR` or a status "
    "that is unknown here: the provider is working on it.",
    ConnectionState.WORKING: "`CONNECTED`.",
    ConnectionState.EMPTY: "`NO_ACCOUNTS_FOUND`: the sign-in worked, and there are no accounts behind it.",
    ConnectionState.ACTION_NEEDED: "`PASSWORD_INCORRECT`, `MFA_TOKEN_EXPIRED`, `NEW_PASSWORD_NEEDED` or "
    "`ADDITIONAL_CREDENTIALS_NEEDED`: only the end user can mend it.",
    ConnectionState.INACTIVE: "`COMPANY_INACTIVE`, or removed at the provider.",
}
# Enums that are components of their own, each value with its description.
DESCRIBED_ENUMS: Mapping[type[StrEnum], tuple[str, Mapping[str, str]]] = {
    SessionStatus: ("The status of a session.", SESSION_STATUSES),
    ConnectionState: ("What a connection's status means.", CONNECTION_STATES),
    EvidenceKind: ("Why a connection belongs to its user. We never guess.", EVIDENCE_KINDS),
}


class ReferenceJson(TypedDict):
    """A company or a site."""

    id: Annotated[
        ProviderCompanyId | ProviderSiteId | None,
        Field(description="The provider's id; null until the provider has given it."),
    ]
    externalId: Annotated[str | None, Field(description="Yours, where you named one.")]


class LinkStateJson(TypedDict):
    """The provider's link of a session; its URL is shown to started pages only."""

    kind: Annotated[LinkKindWord, Field(description="What the provider gave, or is asked for.")]
    status: Annotated[LinkStatusWord, Field(description="`pending` until the provider has answered.")]


class SessionConnectionJson(TypedDict):
    """A recorded connection in its session."""

    id: Annotated[ConnectionUuid, Field(description="The provider's UUID.")]
    status: Annotated[str, Field(description="Canonical; see Connection.")]
    state: ConnectionState
    provider: Annotated[str | None, Field(description="The utility's name.")]
    needsAttention: Annotated[bool, Field(description="Only the end user can mend it.")]
    presumed: Annotated[bool, Field(description="Evidence is `sole_candidate`.")]


class FailureJson(TypedDict):
    """Why a session has no link, or no longer one."""

    code: Annotated[
        str,
        Field(
            description="A code of the list of errors; `link_refused`: the provider's link cannot be read, is not on "
            "its configured pages or was given before; `link_revoked`: it was revoked at the provider; `link_expired`: "
            "it ended there unused, and so did three others. After the last two `renew` gives another. "
            "`provider_refused`: the same creation with `prepare: now` answers in `detail` what the provider refused."
        ),
    ]


class SessionJson(TypedDict):
    """One end user's attempt."""

    id: Annotated[SessionId, Field(pattern="^ses_", description="Ours.")]
    status: SessionStatus
    userId: Annotated[UserId | None, Field(description="Yours; null once the user was erased.")]
    mode: Annotated[ModeWord, Field(description="Whether it makes connections or mends one.")]
    company: ReferenceJson
    sites: Annotated[list[ReferenceJson], Field(description="Empty in a reconnect session.")]
    link: LinkStateJson
    origin: Annotated[str | None, Field(description="Who may frame its page.")]
    returnUrl: Annotated[str | None, Field(description="Where the redirect flow ends.")]
    webhookUrl: Annotated[str | None, Field(description="Where its events are delivered too.")]
    maxConnections: Annotated[int, Field(description="How many accounts its user may connect with invitations.")]
    connections: Annotated[list[SessionConnectionJson], Field(description="Recorded connections, oldest first.")]
    createdAt: Annotated[Time, Field(description="UTC.")]
    expiresAt: Annotated[Time, Field(description="UTC; a flow that is under way then has 15 minutes more.")]
    metadata: Annotated[dict[str, str], Field(description="Yours.")]
    connectionId: NotRequired[Annotated[ConnectionUuid, Field(description="In a reconnect session: what it mends.")]]
    failure: NotRequired[Annotated[FailureJson, Field(description="Why there is no link.")]]


class MadeSessionJson(SessionJson):
    """A session with its URLs: only the answer that made them has them."""

    embedUrl: Annotated[Uri | None, Field(description="For the frame; null without `origin`.")]
    redirectUrl: Annotated[Uri, Field(description="For the redirect flow.")]


class EvidenceJson(TypedDict):
    """Why a connection belongs to its user, and since when."""

    kind: EvidenceKind
    at: Annotated[Time, Field(description="When we knew.")]
    presumed: Annotated[bool, Field(description="True for `sole_candidate` only.")]
    crossDevice: Annotated[bool, Field(description="Another page than the first was started; confirmed where asked.")]
    resumedBy: NotRequired[Annotated[Literal["host"], Field(description="Your page kept what showed a reload.")]]


class ProviderJson(TypedDict):
    """The utility."""

    name: Annotated[str | None, Field(description="As the provider calls it.")]
    url: Annotated[str | None, Field(description="Its own address.")]


class CandidateJson(TypedDict):
    """A session of yours that a connection could belong to."""

    sessionId: Annotated[SessionId, Field(description="Name it to claim the connection.")]
    userId: Annotated[UserId | None, Field(description="Yours; null once the user was erased.")]


class ConnectionJson(TypedDict):
    """A recorded connection."""

    id: Annotated[ConnectionUuid, Field(description="The provider's UUID.")]
    userId: Annotated[UserId | None, Field(description="Whose it is; null without owner, or once erased.")]
    sessionId: Annotated[SessionId | None, Field(description="The session that made it.")]
    company: ReferenceJson
    sites: Annotated[list[ReferenceJson], Field(description="The places it is for.")]
    status: Annotated[
        str,
        Field(
            description="Canonical: `PASSWORD_INCORRECT` for both of the provider's spellings, `REMOVED` for one that "
            "the provider no longer has."
        ),
    ]
    providerStatus: Annotated[str, Field(description="The provider's word.")]
    state: ConnectionState
    provider: Annotated[ProviderJson, Field(description="The utility.")]
    evidence: Annotated[EvidenceJson | None, Field(description="Null while it is not attributed.")]
    createdAt: Annotated[Time, Field(description="By the provider's clock.")]
    recordedAt: Annotated[Time, Field(description="UTC.")]
    updatedAt: Annotated[Time, Field(description="UTC.")]
    needsAttention: Annotated[bool, Field(description="Only the end user can mend it, through a reconnect.")]
    words: WordsJson
    candidates: NotRequired[
        Annotated[list[CandidateJson], Field(description="Not attributed: the sessions it could belong to.")]
    ]
    confirming: NotRequired[
        Annotated[bool, Field(description="Not attributed: the provider's next answer may still decide.")]
    ]


class EventJson(TypedDict):
    """One thing that happened."""

    id: Annotated[EventId, Field(pattern="^evt_", description="The same wherever the event is read.")]
    seq: Annotated[int, Field(description="Its place in the order in which readers see events.")]
    type: Annotated[str, Field(description="What happened.")]
    at: Annotated[Time, Field(description="UTC.")]
    sessionId: Annotated[SessionId | None, Field(description="Of which session.")]
    connectionId: Annotated[ConnectionId | None, Field(description="Of which connection.")]
    userId: Annotated[UserId | None, Field(description="Of which user; null once erased.")]
    data: Annotated[dict[str, Any], Field(description="More, by type.")]


Next = Annotated[str | None, Field(description="For `after`; null at the end.")]


class SessionListJson(TypedDict):
    """A page of sessions."""

    data: list[SessionJson]
    next: Next


class ConnectionListJson(TypedDict):
    """A page of connections."""

    data: list[ConnectionJson]
    next: Next


class EventListJson(TypedDict):
    """A page of events."""

    data: list[EventJson]
    next: Annotated[str | None, Field(description="For `after`.")]


class ProviderListJson(TypedDict):
    """The provider's own records, unchanged."""

    data: list[dict[str, Any]]
    next: Annotated[str | None, Field(description="For `after`. Always null for usage, which is complete.")]


class VerifiedJson(TypedDict):
    """A result that is ours, of this user, and fresh."""

    valid: Literal[True]
    sessionId: SessionId
    userId: Annotated[UserId, Field(description="As you sent it.")]
    status: SessionStatus
    connectionId: Annotated[str | None, Field(description="The newest connection that works, otherwise the newest.")]
    connectionState: Annotated[
        ConnectionState | None, Field(description="What that connection's status means now; null if it is not theirs.")
    ]
    at: Annotated[Time, Field(description="When it was signed.")]


class FieldProblemJson(TypedDict):
    """One field of a request that is wrong."""

    pointer: Annotated[str, Field(description="RFC 6901; for a query parameter, a slash and its name.")]
    detail: Annotated[str, Field(description="What is wrong with it; never its value.")]


class ProblemJson(TypedDict):
    """Every refusal; see RFC 9457."""

    type: Annotated[Uri, Field(description="`urn:magiclink:error:<code>`.")]
    title: Annotated[str, Field(description="The same for every occurrence of the code.")]
    status: Annotated[int, Field(description="The answer's own.")]
    detail: Annotated[str, Field(description="Of this occurrence.")]
    code: Annotated[str, Field(description="For your program; the list is closed.")]
    requestId: Annotated[str | None, Field(description="Also in `X-Request-Id`; name it when you ask us.")]
    failure: NotRequired[Annotated[FailureJson, Field(description="With `session_closed`: why the session failed.")]]
    errors: NotRequired[Annotated[list[FieldProblemJson], Field(description="With `invalid_request`: what is wrong.")]]


# One for each answer; OpenAPI has a component for each, and for what they contain.
ANSWERS = (
    SessionJson,
    MadeSessionJson,
    ConnectionJson,
    EventJson,
    SessionListJson,
    ConnectionListJson,
    EventListJson,
    ProviderListJson,
    VerifiedJson,
    ProblemJson,
)

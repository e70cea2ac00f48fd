"""The JSON that the pages' own script receives, as types, and how it is made from a snapshot.

As in `service.web.api.answers`: plain dicts, held to their types by mypy, from which OpenAPI is generated.
"""

from collections.abc import Mapping
from enum import StrEnum
from typing import Annotated, Literal

from pydantic import Field

# Before Python 3.12 pydantic cannot read `typing.TypedDict`.
from typing_extensions import TypedDict

from service.domain.event_json import iso
from service.domain.handoffs import spent_offer
from service.domain.model import Connection, ConnectionId, LinkStatus, Session, SessionId
from service.domain.more_accounts import AnotherAccount, another_of
from service.domain.page_view import PageSnapshot, Waiting, has_arrived, waiting_for
from service.domain.provider_steps import furthest_step
from service.domain.session_status import SessionStatus
from service.domain.session_time import link_can_be_shown
from service.domain.statuses import ConnectionState, needs_attention
from service.settings.utility_hints import UtilityHints
from service.web.api.answers import FailureJson, LinkKindWord, LinkStatusWord, LogStepWord, ModeWord, Time
from service.web.languages import Language
from service.web.pages.advice import AccountJson, HintJson, account_json, hints_json, words_of

WAITING: Mapping[str, str] = {
    Waiting.ASKING: "The provider has not answered a poll since the user finished.",
    Waiting.NOTHING: "The provider has answered, and lists nothing that could be the account.",
    Waiting.UNREACHABLE: "Polls of the provider fail, and nothing had arrived before.",
    Waiting.USED: "The link was used, and the provider does not list the account yet.",
    Waiting.SETTLING: "An account has arrived, and its owner is not decided yet.",
    Waiting.AMBIGUOUS: "An account has arrived, and its owner was still undecided after two minutes.",
    Waiting.ARRIVED: "A connection is recorded, and no further one is waited for.",
}
DESCRIBED_ENUMS: Mapping[type[StrEnum], tuple[str, Mapping[str, str]]] = {
    Waiting: ("What the service knows of the account that the user connected at the provider.", WAITING),
}


class ViewLinkJson(TypedDict):
    """The provider's link as a started page may know it."""

    status: LinkStatusWord
    kind: LinkKindWord
    url: Annotated[str | None, Field(description="The provider's page, once it may be shown.")]
    framable: Annotated[bool, Field(description="Whether it may be shown in a frame.")]


class ViewConnectionJson(TypedDict):
    """A recorded connection as a started page may know it."""

    id: ConnectionId
    status: Annotated[str, Field(description="Canonical; see Connection.")]
    state: ConnectionState
    words: Annotated[str, Field(description="Of which status the page shows the words.")]
    provider: Annotated[str | None, Field(description="The utility's name.")]
    needsAttention: Annotated[bool, Field(description="Only the end user can mend it.")]


class ViewJson(TypedDict):
    """What a started page may know of its session."""

    sessionId: SessionId
    seq: Annotated[int, Field(description="Position of the newest event in it.")]
    at: Time
    status: SessionStatus
    mode: ModeWord
    link: ViewLinkJson
    connections: list[ViewConnectionJson]
    account: Annotated[AccountJson | None, Field(description="In a reconnect session: what it mends.")]
    hints: Annotated[list[HintJson], Field(description="What the utilities need whose sign-in is ahead or failed.")]
    confirming: Annotated[bool, Field(description="The user has finished, and the provider is still polled.")]
    finished: Annotated[bool, Field(description='The user said "I have finished", or there is nothing left to do.')]
    ambiguous: Annotated[
        bool, Field(description="The user has finished, and an account has arrived whose owner is being settled.")
    ]
    waiting: Annotated[Waiting | None, Field(description="What is known of the user's account; null if not waiting.")]
    unreachableSince: Annotated[Time | None, Field(description="Since when the provider answers no poll.")]
    another: Annotated[
        Literal["possible", "asked"] | None,
        Field(description="Another account: `…/another` makes its invitation, or it is asked for and not recorded."),
    ]
    seen: Annotated[bool, Field(description="Anything of what the user did at the provider has arrived.")]
    providerStep: Annotated[LogStepWord | None, Field(description="How far its user came, as the link's log tells.")]
    failure: FailureJson | None
    expiresAt: Time
    onPhone: Annotated[bool, Field(description="Another device goes on; this page follows, without the link.")]
    spentHandoff: Annotated[
        str | None, Field(description="`id` of this page's offer to another device that too many wrong codes ended.")
    ]
    doneUrl: Annotated[str | None, Field(description="Our callback, in the redirect flow.")]


class StartedJson(TypedDict):
    """The page's key, this once, and its view of the session."""

    pageKey: Annotated[
        str | None,
        Field(description="For `X-Page-Key`: it identifies this page. Null in the redirect flow: the cookie has it."),
    ]
    view: ViewJson


class QrJson(TypedDict):
    """A QR code as one SVG path, in a square of `size` modules."""

    size: int
    path: str


class HandoffJson(TypedDict):
    """What a page shows for another device: the address as a QR code, and the code that is typed there."""

    id: str
    url: str
    code: str
    qr: QrJson
    secondsLeft: int


class StreamMessageJson(TypedDict):
    """The data of a server-sent event: `type` is "view" or the type of an event of the log."""

    type: str
    sessionId: SessionId
    seq: int
    at: str
    view: ViewJson


class StreamErrorJson(TypedDict):
    """The data of a stream's last server-sent event, where an error ends it; `type` is the error's code."""

    type: str
    sessionId: SessionId


ANSWERS = (ViewJson, StartedJson, HandoffJson)


def view_json(snapshot: PageSnapshot, done_url: str | None, hints: UtilityHints, language: Language) -> ViewJson:
    """What a started page may know of its session, the link's URL included, since only a started page may ask."""
    session = snapshot.session
    shown = link_can_be_shown(session, snapshot.at)
    another = another_of(session, len(snapshot.connections), snapshot.at)
    done = session.achieved and another is not AnotherAccount.ASKED
    finished = session.finished_at is not None or (done or not shown)
    settled = session.closed or session.status is SessionStatus.CONNECTED
    failed_at, waiting = session.company.failed_at, waiting_for(snapshot)
    return {
        "sessionId": session.id,
        "seq": snapshot.seq,
        "at": iso(snapshot.at),
        # For its page, a session whose time is over is expired, whatever else is known of it.
        "status": SessionStatus.EXPIRED if session.closed and session.over_at is not None else session.status,
        "mode": session.mode,
        "link": _link(session, shown=shown and not snapshot.follows, is_lost=snapshot.is_lost),
        "connections": [_connection(one) for one in snapshot.connections],
        "account": account_json(snapshot, language),
        "hints": hints_json(snapshot, hints, language),
        "confirming": finished and not settled,
        "finished": finished,
        "ambiguous": waiting is Waiting.AMBIGUOUS,
        "waiting": waiting if finished and not done and not session.closed else None,
        "unreachableSince": iso(failed_at) if failed_at is not None else None,
        "another": another.value if another is not None and not snapshot.follows else None,
        "onPhone": snapshot.follows,
        "spentHandoff": spent_offer(session),
        "seen": has_arrived(snapshot),
        "providerStep": furthest_step(session.provider_steps),
        "failure": {"code": session.failure} if session.failure else None,
        "expiresAt": iso(session.expires_at),
        "doneUrl": done_url,
    }


def _link(session: Session, *, shown: bool, is_lost: bool) -> ViewLinkJson:
    # The link is shown only after the reveal is stored: attribution assumes that no user had the link earlier.
    reveal = shown and session.link is not None and session.revealed_at is not None and not is_lost
    return {
        "status": LinkStatus.FAILED if is_lost else session.link_status,
        "kind": session.link_kind,
        "url": session.link.url if session.link and reveal else None,
        "framable": True,
    }


def _connection(connection: Connection) -> ViewConnectionJson:
    return {
        "id": connection.id,
        "status": connection.status,
        "state": connection.state,
        "words": words_of(connection).status,
        "provider": connection.reported.provider_name,
        "needsAttention": needs_attention(connection.state),
    }

"""The JSON that the pages' own script receives, as types, and how it is made from a snapshot.

As in `service.web.api.answers`: plain dicts, held to their types by mypy, from which OpenAPI is generated.
"""

from typing import Annotated

from pydantic import Field

# Before Python 3.12 pydantic cannot read `typing.TypedDict`.
from typing_extensions import TypedDict

from service.domain.model import Connection, ConnectionId, PageSnapshot, Session, SessionId, SessionStatus
from service.domain.statuses import canonical_status, needs_attention
from service.web.api.answers import FailureJson, LinkKindWord, LinkStatusWord, ModeWord, Time
from service.web.api.json import iso


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
    confirming: Annotated[bool, Field(description="The user has finished, and the provider is still polled.")]
    finished: Annotated[bool, Field(description='The user said "I have finished".')]
    failure: FailureJson | None
    expiresAt: Time
    doneUrl: Annotated[str | None, Field(description="Our callback, in the redirect flow.")]


class StartedJson(TypedDict):
    """The page's key, this once, and its view of the session."""

    pageKey: Annotated[str, Field(description="For `X-Page-Key`; whoever holds it is this page.")]
    view: ViewJson


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


ANSWERS = (ViewJson, StartedJson)


def view_json(snapshot: PageSnapshot, done_url: str | None) -> ViewJson:
    """What a started page may know of its session, the link's URL included, since only a started page may ask."""
    session = snapshot.session
    finished = session.finished_at is not None
    settled = session.closed or session.status is SessionStatus.CONNECTED
    return {
        "sessionId": session.id,
        "seq": snapshot.seq,
        "at": iso(snapshot.at),
        "status": session.status,
        "mode": session.mode,
        "link": _link(session),
        "connections": [_connection(one) for one in snapshot.connections],
        "confirming": finished and not settled,
        "finished": finished,
        "failure": {"code": session.failure} if session.failure else None,
        "expiresAt": iso(session.expires_at),
        "doneUrl": done_url,
    }


def _link(session: Session) -> ViewLinkJson:
    # The link is shown only after the reveal is stored: attribution assumes that no user had the link earlier.
    reveal = session.link is not None and session.revealed_at is not None and not session.closed
    return {
        "status": session.link_status,
        "kind": session.link_kind,
        "url": session.link.url if session.link and reveal else None,
        "framable": True,
    }


def _connection(connection: Connection) -> ViewConnectionJson:
    status = canonical_status(connection.reported.status)
    return {
        "id": connection.id,
        "status": status,
        "provider": connection.reported.provider_name,
        "needsAttention": needs_attention(status),
    }

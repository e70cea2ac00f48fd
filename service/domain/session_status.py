"""A session's status, as a pure function of the session's other fields and of the connections attached to it.

A status is never set. A change writes what happened to the session, and the status follows from that.
"""

from enum import IntEnum, StrEnum
from typing import Protocol

from service.domain.statuses import ConnectionState


class SessionStatus(StrEnum):
    """The `status` of a session, as in the API."""

    CREATED = "created"
    OPENED = "opened"
    SUBMITTED = "submitted"
    CONNECTED = "connected"
    EXPIRED = "expired"
    REVOKED = "revoked"
    EXITED = "exited"
    FAILED = "failed"


class Progress(IntEnum):
    """How far its connections have brought a session. An attached one never takes it back; a detached one is ignored.

    So a status that is bad later changes the connection, but not the session.
    """

    NONE = 0  # no connection is attached
    ATTACHED = 1  # a connection is attached, and something is still asked of the user
    SUBMITTED = 2  # the provider has been checking one: the user's part is done
    CONNECTED = 3  # one has been working


# The user's part is done. Such a session never becomes `exited` or `expired`.
ACHIEVED = frozenset({SessionStatus.SUBMITTED, SessionStatus.CONNECTED})
# No page can continue such a session. `exited` is not among them, since a user who left may come back.
ENDED = frozenset({SessionStatus.EXPIRED, SessionStatus.REVOKED, SessionStatus.FAILED})

# The `failure` of a session whose link was revoked at the provider, but not by this service; and of one whose links
# expired there unused, again and again. Both sessions can be renewed.
LINK_REVOKED = "link_revoked"
LINK_EXPIRED = "link_expired"

_PROGRESS = {
    ConnectionState.WORKING: Progress.CONNECTED,
    ConnectionState.CHECKING: Progress.SUBMITTED,
    ConnectionState.DELAYED: Progress.SUBMITTED,
}


def progress_of(state: ConnectionState) -> Progress:
    """How far a session has come to which a connection in this state is attached."""
    return _PROGRESS.get(state, Progress.ATTACHED)


class StatusFields(Protocol):
    """What a status follows from: a session has these fields, and so has what the API shows of one."""

    @property
    def progress(self) -> Progress: ...
    @property
    def failure(self) -> str | None: ...
    @property
    def opened_at(self) -> float | None: ...
    @property
    def revoked_at(self) -> float | None: ...
    @property
    def left_at(self) -> float | None: ...
    @property
    def over_at(self) -> float | None: ...


def status_of_session(session: StatusFields) -> SessionStatus:
    """The status that follows from the session's other fields."""
    return status_of(
        session.progress,
        revoked=session.revoked_at is not None,
        failed=session.failure is not None,
        over=session.over_at is not None,
        left=session.left_at is not None,
        opened=session.opened_at is not None,
    )


def status_of(
    progress: Progress, *, revoked: bool, failed: bool, over: bool, left: bool, opened: bool
) -> SessionStatus:
    """The status that these facts give together.

    `failed`: no link could be made, or it is dead. `over`: the session's time is over. `left`: its user left, or its
    page disappeared, and has not come back. `opened`: a page was started at any time.
    """
    if revoked:
        return SessionStatus.REVOKED
    if progress >= Progress.SUBMITTED:
        return SessionStatus.CONNECTED if progress is Progress.CONNECTED else SessionStatus.SUBMITTED
    if failed:
        return SessionStatus.FAILED
    if over:
        return SessionStatus.EXITED if progress is Progress.ATTACHED else SessionStatus.EXPIRED
    if left:
        return SessionStatus.EXITED
    return SessionStatus.OPENED if opened else SessionStatus.CREATED

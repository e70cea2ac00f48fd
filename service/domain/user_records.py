"""What is stored about one user, as it is exported."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from service.domain.events import Event
from service.domain.model import Connection, Session, UserId, UserRef


@dataclass(frozen=True, slots=True)
class StoredAnswer:
    """The answer to a call with an Idempotency-Key, kept for a day; without the parts that its URLs are made from."""

    route: str
    key: str
    created_at: float
    answer: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class UserRecords:
    """All of a user's records: the sessions, each with the connections that are attached to it.

    `connections` are the user's, and those without an owner that a session of the user could have made.
    """

    user: UserRef
    user_id: UserId
    created_at: float
    sessions: Sequence[tuple[Session, Sequence[Connection]]]
    connections: Sequence[Connection]
    events: Sequence[Event]
    answers: Sequence[StoredAnswer]

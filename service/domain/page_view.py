"""What a page may know of its session, read in one transaction. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass

from service.domain.model import Connection, EventId, Session


@dataclass(frozen=True, slots=True)
class PageSnapshot:
    """What a page may know, read in one transaction; `undecided` are connections that the session may have made."""

    session: Session
    connections: Sequence[Connection]
    seq: int  # with `event_id`, of the newest event on its timeline
    at: float
    event_id: EventId | None = None
    undecided: Sequence[Connection] = ()

"""What a page may know of its session, read in one transaction. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from service.domain.model import Connection, EventId, Mode, Session
from service.domain.more_accounts import awaits_another
from service.domain.timing import SETTLE_SECONDS


class Waiting(StrEnum):
    """What the service knows of the account that a user connected at the provider, while the page waits for it."""

    ASKING = "asking"  # the provider has not answered a poll since the user finished
    NOTHING = "nothing"  # it has answered, and lists nothing that could be the account
    UNREACHABLE = "unreachable"  # polls fail, and nothing had arrived before
    USED = "used"  # the link was used, and the provider does not list the account yet
    SETTLING = "settling"  # an account has arrived, and its owner is not decided yet
    AMBIGUOUS = "ambiguous"  # its owner was still undecided after two minutes
    ARRIVED = "arrived"  # a connection is recorded, and no further one is waited for


@dataclass(frozen=True, slots=True)
class AccountToMend:
    """The recorded connection that a reconnect session is for; `sites` are the names of its sites that are known."""

    connection: Connection
    sites: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class PageSnapshot:
    """What a page may know, read in one transaction; `undecided` are connections that the session may have made.

    `mark` differs from that of a later snapshot if the page may see something else by then; None where not asked for.
    """

    session: Session
    connections: Sequence[Connection]
    seq: int  # with `event_id`, of the newest event on its timeline
    at: float
    event_id: EventId | None = None
    undecided: Sequence[Connection] = ()
    mends: AccountToMend | None = None
    follows: bool = False  # for a page that passed the session on: it gets no link
    mark: int | None = None

    @property
    def is_lost(self) -> bool:
        """Whether the account of a reconnect session is not its user's now. Its link would change another user's."""
        return self.session.mode is Mode.RECONNECT and self.mends is None


def waiting_for(snapshot: PageSnapshot) -> Waiting:
    """Return the value that tells the most. Undecided connections show only in a session whose user has finished."""
    session, company = snapshot.session, snapshot.session.company
    finished_at = session.finished_at
    if snapshot.connections and not awaits_another(session, len(snapshot.connections)):
        return Waiting.ARRIVED
    if finished_at is not None and snapshot.undecided:
        return Waiting.AMBIGUOUS if _is_late(snapshot) else Waiting.SETTLING
    if session.link_used_at is not None:
        return Waiting.USED
    if company.failed_at is not None:
        return Waiting.UNREACHABLE
    # A poll that began before the user finished proves nothing.
    answered = company.polled_at is not None and company.polled_at >= (finished_at or 0.0)
    return Waiting.NOTHING if answered else Waiting.ASKING


def has_arrived(snapshot: PageSnapshot) -> bool:
    """Whether anything of what the user did at the provider has been seen here."""
    return waiting_for(snapshot) not in {Waiting.ASKING, Waiting.NOTHING, Waiting.UNREACHABLE}


def is_late(at: float, recorded_at: float, *, is_waiting: bool) -> bool:
    """Whether a connection without an owner is called ambiguous: its verdict waits no more, or for two minutes."""
    return not is_waiting or at - recorded_at >= SETTLE_SECONDS


def _is_late(snapshot: PageSnapshot) -> bool:
    return any(is_late(snapshot.at, one.recorded_at, is_waiting=one.verdict.waiting) for one in snapshot.undecided)

"""Whether the provider still has what its list lacks, or has it not yet: what its answers to single calls show. Pure.

Absence from a list proves nothing. Two answers of 404 prove a removal, REMOVED_SECONDS or more apart and without
another answer in between.
"""

from collections.abc import Iterable
from dataclasses import replace
from hashlib import sha256

from service.domain import events
from service.domain.changes import Changes, CompanyRecords
from service.domain.model import Company, Connection, ConnectionId
from service.domain.timing import LOST_SECONDS, REMOVED_SECONDS


def is_new(company: Company, provider_now: float | None) -> bool:
    """Whether the provider created or found the company moments ago: its lists may still be catching up."""
    since_at = company.provider_since_at
    return provider_now is not None and since_at is not None and provider_now - since_at < LOST_SECONDS


def in_turn(unlisted: Iterable[Connection], now: float) -> list[Connection]:
    """Order the connections to ask the provider for: those that have answered 404 come first, to be confirmed.

    The order of the others differs from poll to poll. So where more are unlisted than one poll asks for, each of them
    is asked for at some poll, whatever the others answer.
    """

    def place(connection: Connection) -> tuple[bool, bytes]:
        return connection.missing_at is None, sha256(f"{now} {connection.id}".encode()).digest()

    return sorted(unlisted, key=place)


def is_missing_too_early(connection: Connection, now: float) -> bool:
    """Whether a 404 comes too soon after the first one to be the second."""
    return connection.missing_at is not None and now - connection.missing_at < REMOVED_SECONDS


def note_missing(records: CompanyRecords, connection_id: ConnectionId, now: float) -> Changes:
    """Note the first 404; after the second, mark the connection as removed. Its owner and its facts stay."""
    known = records.connections[connection_id]
    if known.removed_at is not None or is_missing_too_early(known, now):
        return Changes()  # another process noted it meanwhile
    if known.missing_at is None:
        return Changes(connections=(replace(known, missing_at=now),))
    verdict = replace(known.verdict, waiting=False)
    removed = replace(known, removed_at=now, updated_at=now, verdict=verdict)
    written = [events.connection_removed(removed)]
    if known.verdict.waiting:  # no later snapshot will report anything about it
        written.insert(0, events.connection_ambiguous(known, known.verdict))
    return Changes(connections=(removed,), events=tuple(written))


def note_found(records: CompanyRecords, connection_id: ConnectionId) -> Changes:
    """Forget a 404: the provider has answered for the connection since."""
    known = records.connections[connection_id]
    if known.missing_at is None or known.removed_at is not None:
        return Changes()
    return Changes(connections=(replace(known, missing_at=None),))

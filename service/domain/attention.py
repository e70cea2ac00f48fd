"""When the host is asked to have a connection mended: such an episode begins, is confirmed, and ends. Pure.

Where a page is present, an episode begins with the first status that asks something of the user. Otherwise a second
poll, ATTENTION_SECONDS later, must confirm it: a status can be wrong for a moment, and there is no user to see it. The
episode lasts until the connection works.
"""

from dataclasses import replace

from service.domain.attribution import is_of_same_user
from service.domain.changes import Job, JobKind
from service.domain.draft import RecordingDraft
from service.domain.model import Connection, SessionId
from service.domain.session_time import is_present
from service.domain.statuses import ConnectionState, needs_attention
from service.domain.timing import ATTENTION_SECONDS


def with_attention(draft: RecordingDraft, connection: Connection, known: Connection | None) -> Connection:
    """Return the connection with `asks_at` and `attention_at`; enqueue the poll that confirms what it asks."""
    if not needs_attention(connection.state):
        return replace(connection, asks_at=None, attention_at=_begun_at(connection, known))
    asks_at = draft.now
    if known is not None and known.asks_at is not None:
        asks_at = min(known.asks_at, draft.now)  # this clock may have been set back since
    attention_at, owner = _begun_at(connection, known), connection.verdict.owner
    if attention_at is None and owner is not None:
        confirmed = draft.now - asks_at >= ATTENTION_SECONDS or _has_page(draft, connection, owner.session_id)
        attention_at = draft.now if confirmed else None
        if not confirmed:
            draft.jobs.append(Job(JobKind.RECONCILE, connection.company, asks_at + ATTENTION_SECONDS - draft.now))
    return replace(connection, asks_at=asks_at, attention_at=attention_at)


def is_unconfirmed(connection: Connection) -> bool:
    """Whether its status asks something that a second poll has yet to confirm."""
    asked = connection.attention_at is not None or connection.verdict.owner is None
    return needs_attention(connection.state) and not asked


def _begun_at(connection: Connection, known: Connection | None) -> float | None:
    if connection.verdict.owner is None or connection.state is ConnectionState.WORKING:
        return None
    # Among sessions of one user it is the same episode: that user was asked already.
    return known.attention_at if known and is_of_same_user(known.verdict.owner, connection.verdict.owner) else None


def _has_page(draft: RecordingDraft, connection: Connection, owned_by: SessionId) -> bool:
    """Whether a page of its owner's session, or of one that reconnects it, is present."""
    named = {*draft.attached.get(connection.id, ()), owned_by}
    concerned = [one for session_id in named if (one := draft.records.session(session_id)) is not None]
    concerned += [one for one in draft.records.sessions.values() if one.connection_id == connection.id]
    return any(is_present(one, draft.now) for one in concerned)

"""Records results that a host presents for another user: a sign that somebody else may have finished the flow. Pure."""

from collections.abc import Collection

from service.domain import events
from service.domain.changes import Changes, RefusedResult
from service.domain.model import Session, UserRef

# An attacker can make the host present one result for any number of accounts, which must not fill the log.
USERS_MOST = 5


def refuse_result(session: Session, presented_for: UserRef, earlier: Collection[UserRef]) -> Changes | None:
    """Record that a result was presented for this user, once; `earlier` are the users for whom that is recorded.

    The session stays as it is, since the host may have mixed up its own users.
    """
    if presented_for in {session.user, *earlier} or len(earlier) >= USERS_MOST:
        return None
    return Changes(
        events=(events.session_verify_failed(session, presented_for),),
        refused_results=(RefusedResult(session.id, presented_for),),
    )

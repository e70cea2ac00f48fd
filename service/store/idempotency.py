"""Idempotency keys: the first call with a key stores its answer, and an equal call gets that answer again.

A call holds its key by a lease, by the database's clock. Where the lease ended without an answer, its process died: an
equal call takes the key over, and goes on with the session that the key has made, if any.
Answers are stored without tokens, which are derived again for each response.
Reference: the IETF draft "The Idempotency-Key HTTP Header Field".
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from service.domain.model import Clock, SessionId, UserRef
from service.domain.requests import KeptAnswer, KeyLease
from service.domain.timing import KEY_KEPT_SECONDS, LEASE_SECONDS, UNLEASED_KEY_SECONDS
from service.errors import IdempotencyInProgress, IdempotencyKeyReused, LeaseLost
from service.store.engine import PURGED_AT_ONCE, Engine, Row, Transaction, purge
from service.store.rows import ACCOUNT
from service.store.users import hold_user

_WHERE = "WHERE tenant = :tenant AND route = :route AND key = :key"
# The row of a key that is a day old is as good as deleted: the purge, once a day, may be hours away.
_BEGIN = (
    "INSERT INTO idempotency (tenant, route, key, body_digest, created_at, lease, lease_until) VALUES "
    "(:tenant, :route, :key, :digest, :now, :lease, :database_now + :seconds) "
    "ON CONFLICT (tenant, route, key) DO UPDATE SET body_digest = excluded.body_digest, answer = NULL, "
    "created_at = excluded.created_at, lease = excluded.lease, lease_until = excluded.lease_until, session_id = NULL, "
    "user_ref = NULL WHERE idempotency.created_at < :before "
    "AND (idempotency.lease IS NULL OR idempotency.lease_until <= :database_now)"
)
_PURGE = (
    "DELETE FROM idempotency WHERE (tenant, route, key) IN "
    "(SELECT tenant, route, key FROM idempotency WHERE created_at < :before LIMIT :limit)"
)

Answer = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class EarlierCall:
    """What an equal call before this one left: its answer, or the session that it made before its process died."""

    answer: Answer | None = None
    session_id: SessionId | None = None


class IdempotencyStore:
    """Keys of repeated calls. A call that creates a session begins its key in `SessionStore.create`."""

    def __init__(self, engine: Engine, clock: Clock) -> None:
        self._engine = engine
        self._clock = clock

    async def begin(self, key: KeyLease) -> Answer | None:
        """Lease the key and return None, or return the answer of an equal earlier call.

        Raises IdempotencyKeyReused (another body) and IdempotencyInProgress (the first call's lease holds).
        """
        return await self._engine.write(lambda tx: begin(tx, key, self._clock()).answer)

    async def keep(self, key: KeyLease, answer: Answer | None) -> None:
        """Store the call's answer; None deletes the key, so that the call may be tried again.

        Nothing changes where an equal call took the key over.
        """
        await self._engine.write(lambda tx: keep(tx, key, answer))

    async def renew(self, tokens: Iterable[str]) -> None:
        """Renew the leases with these tokens; one that has ended stays so."""
        await self._engine.write(lambda tx: _renew(tx, tokens))

    async def purge(self, at_once: int = PURGED_AT_ONCE) -> int:
        """Delete keys that are a day old, `at_once` in a transaction; return how many."""
        before = self._clock() - KEY_KEPT_SECONDS
        return await purge(self._engine, lambda tx: tx.run(_PURGE, before=before, limit=at_once))


def begin(tx: Transaction, key: KeyLease, now: float) -> EarlierCall:
    """Do what `IdempotencyStore.begin` does, inside the transaction that also writes what the call creates.

    `now` is this service's clock, by which keys are purged.
    """
    # The primary key decides which of two equal calls is first; the other finds the row of the first.
    inserted = tx.run(
        _BEGIN,
        digest=key.request.body_digest,
        now=now,
        before=now - KEY_KEPT_SECONDS,
        lease=key.token,
        seconds=LEASE_SECONDS,
        **_names(key),
    )
    if inserted:
        return EarlierCall()
    earlier = earlier_call(tx, key)
    if earlier is None:
        raise IdempotencyInProgress  # the key was deleted at this moment: a repeat can lease it
    if earlier.answer is None:
        take_over(tx, key)
    return earlier


def is_known(tx: Transaction, key: KeyLease, now: float) -> bool:
    """Return whether a call with this key has begun within the last day, answered or not."""
    sql = f"SELECT key FROM idempotency {_WHERE} AND created_at >= :since"
    return tx.one(sql, since=now - KEY_KEPT_SECONDS, **_names(key)) is not None


def earlier_call(tx: Transaction, key: KeyLease) -> EarlierCall | None:
    """Lock the key and return what an equal call left that has answered or died; None where the key is new.

    Raises IdempotencyKeyReused and IdempotencyInProgress as `begin` does.
    """
    # The lock lets exactly one of several equal calls take a dead one's place.
    row = tx.one(f"SELECT * FROM idempotency {_WHERE}{tx.dialect.lock}", **_names(key))
    return _earlier_call(tx, row, key) if row is not None else None


def take_over(tx: Transaction, key: KeyLease) -> None:
    """Lease the key of a call that died, in the transaction that has locked it (`earlier_call`)."""
    tx.run(
        f"UPDATE idempotency SET lease = :lease, lease_until = :database_now + :seconds {_WHERE}",
        lease=key.token,
        seconds=LEASE_SECONDS,
        **_names(key),
    )


def name_session(tx: Transaction, key: KeyLease, session_id: SessionId, user: UserRef) -> None:
    """Write which session the key has made, and for whom, in the transaction that creates it."""
    sql = f"UPDATE idempotency SET session_id = :session, user_ref = :user {_WHERE}"
    tx.run(sql, session=session_id, user=user, **_names(key))


def keep_with(tx: Transaction, kept: KeptAnswer | None) -> None:
    """Store a call's answer in the transaction that does what it asks for; None for a call without a key.

    Raises LeaseLost where an equal call took the key over: then nothing is done a second time.
    """
    if kept is None:
        return
    require_key(tx, kept.key)
    if kept.is_partial:
        # Its call still holds the key, and stores the whole answer.
        tx.run(f"UPDATE idempotency SET answer = :answer {_WHERE}", answer=_json(kept.answer), **_names(kept.key))
        return
    keep(tx, kept.key, kept.answer)


def keep(tx: Transaction, key: KeyLease, answer: Answer | None, user: UserRef | None = None) -> None:
    """Do what `IdempotencyStore.keep` does, inside an open transaction.

    An answer about a user is erased with the user. Where the user is erased already, the key is deleted. `user`, where
    given, is the user of the answer, whose row `adopt_user` has locked.
    """
    if answer is not None and user is None and "userId" in answer:
        user = _user_of(tx, answer)
        answer = answer if user is not None and hold_user(tx, user) else None
    # `lease`: a call that was slower than its lease must not overwrite or delete the key of the one that replaced it.
    held = f"{_WHERE} AND lease = :lease"
    if answer is None:
        tx.run(f"DELETE FROM idempotency {held}", lease=key.token, **_names(key))
        return
    tx.run(
        f"UPDATE idempotency SET answer = :answer, user_ref = :user, lease = NULL, lease_until = NULL {held}",
        answer=_json(answer),
        user=user,
        lease=key.token,
        **_names(key),
    )


def require_key(tx: Transaction, key: KeyLease | None) -> None:
    """Raise LeaseLost where an equal call took the key over. A call without a key (None) passes."""
    if key is None:
        return
    sql = f"SELECT key FROM idempotency {_WHERE} AND lease = :lease{tx.dialect.lock}"
    if tx.one(sql, lease=key.token, **_names(key)) is None:
        raise LeaseLost("Another request with this Idempotency-Key has taken over; retry")


def _user_of(tx: Transaction, answer: Answer) -> UserRef | None:
    """Return the user of an answer, by the id of the session or connection that it shows."""
    # Not by the answer's `userId`, which may have been given to another user since.
    queries = (
        "SELECT user_ref FROM sessions WHERE id = :id",
        f"SELECT user_ref FROM connections WHERE account = '{ACCOUNT}' AND id = :id",
    )
    rows = (tx.one(sql, id=str(answer.get("id"))) for sql in queries)
    return next((UserRef(row["user_ref"]) for row in rows if row is not None and row["user_ref"]), None)


def _json(answer: Answer) -> str:
    return json.dumps(dict(answer))


def _names(key: KeyLease) -> dict[str, str]:
    return {"tenant": key.tenant, "route": key.request.route, "key": key.request.key}


def _earlier_call(tx: Transaction, row: Row, key: KeyLease) -> EarlierCall:
    if row["body_digest"] != key.request.body_digest:
        raise IdempotencyKeyReused
    if row["answer"] is not None:
        return EarlierCall(answer=json.loads(row["answer"]))
    ends_at = row["lease_until"] if row["lease"] is not None else row["created_at"] + UNLEASED_KEY_SECONDS
    if tx.now() < ends_at:
        raise IdempotencyInProgress
    return EarlierCall(session_id=SessionId(row["session_id"]) if row["session_id"] is not None else None)


def _renew(tx: Transaction, tokens: Iterable[str]) -> None:
    # A lease that has ended is not revived: an equal call may take the key over at any moment.
    sql = (
        "UPDATE idempotency SET lease_until = :database_now + :seconds WHERE lease IN (:among) "
        "AND lease_until > :database_now RETURNING key"
    )
    tx.among(sql, tokens, seconds=LEASE_SECONDS)

"""Users: one row each, which alone has the host's id of the user, and which erasing the user empties.

Everything else refers to the row's random `ref`. A user id that is used again after it was erased gets another row.
`user_records` exports and erases.
"""

from collections.abc import Iterable

from service.domain.model import Tenant, UserId, UserRef
from service.store.engine import Transaction


def adopt_user(tx: Transaction, tenant: Tenant, user_id: UserId, new: UserRef, now: float) -> UserRef:
    """Return the user's row, after inserting it as `new` where there is none; it cannot be erased before the commit."""
    # Again where it was erased between the two statements.
    while (found := find_user(tx, tenant, user_id)) is None:
        # DO NOTHING: another process may insert it at this moment.
        tx.run(
            "INSERT INTO users (ref, tenant, user_id, created_at) VALUES (:ref, :tenant, :user, :now) "
            "ON CONFLICT (tenant, user_id) DO NOTHING",
            ref=new,
            tenant=tenant,
            user=user_id,
            now=now,
        )
    return found


def find_user(tx: Transaction, tenant: Tenant, user_id: UserId | str) -> UserRef | None:
    """Return the row with this user id, and keep it from being erased before the commit; None where there is none."""
    lock = " FOR KEY SHARE" if tx.dialect.lock else ""
    sql = f"SELECT ref FROM users WHERE tenant = :tenant AND user_id = :user{lock}"
    row = tx.one(sql, tenant=tenant, user=user_id)
    return UserRef(row["ref"]) if row is not None else None


def hold_user(tx: Transaction, user: UserRef) -> bool:
    """Return False where the user is erased; otherwise keep the row from being erased before the commit."""
    lock = " FOR KEY SHARE" if tx.dialect.lock else ""
    return tx.one(f"SELECT ref FROM users WHERE ref = :ref AND user_id IS NOT NULL{lock}", ref=user) is not None


def ref_of_user(tx: Transaction, tenant: Tenant, user_id: str) -> str:
    """Return the ref of the user with this id, for a filter; "" where there is none, which no row has."""
    row = tx.one("SELECT ref FROM users WHERE tenant = :tenant AND user_id = :user", tenant=tenant, user=user_id)
    return str(row["ref"]) if row is not None else ""


def user_ids(tx: Transaction, refs: Iterable[str]) -> dict[UserRef, UserId | None]:
    """Return the user ids of these rows; None for an erased user's."""
    rows = tx.among("SELECT ref, user_id FROM users WHERE ref IN (:among)", refs)
    return {UserRef(row["ref"]): row["user_id"] for row in rows}

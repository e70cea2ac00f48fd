"""The recorded connection that a reconnect session is for, with the names of its sites, as its page shows them."""

from service.domain.model import Session
from service.domain.page_view import AccountToMend
from service.store.engine import Transaction
from service.store.rows import ACCOUNT, connection_of


def account_to_mend(tx: Transaction, session: Session) -> AccountToMend | None:
    """Return the account of a reconnect session; None for another session, or where it is not its user's any more."""
    if session.connection_id is None:
        return None
    row = tx.one(
        "SELECT * FROM connections WHERE account = :account AND id = :id", account=ACCOUNT, id=session.connection_id
    )
    connection = connection_of(row) if row is not None else None
    owner = connection.verdict.owner if connection is not None else None
    # Since this session was created, the connection may have become another user's, whose data this page must not show.
    if connection is None or owner is None or owner.user != session.user:
        return None
    sql = "SELECT provider_id, name, external_id FROM sites WHERE company_ref = :company AND provider_id IN (:among)"
    rows = tx.among(sql, connection.reported.sites, company=connection.company)
    names = {row["provider_id"]: row["name"] or row["external_id"] for row in rows}
    return AccountToMend(connection, tuple(names[site] for site in connection.reported.sites if names.get(site)))

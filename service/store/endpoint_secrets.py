"""The secrets of webhook endpoints: how they are stored, which of them sign, and their encryption with a newer key."""

import json

from service.domain.endpoints import EndpointSecret
from service.store.changes import WriteContext
from service.store.engine import Row, Transaction

_BATCH = 500


def sealed_secret(secret: EndpointSecret, context: WriteContext) -> str:
    """Return the text in which a secret is stored."""
    return context.cipher.encrypt(json.dumps([secret.key, secret.private_key]), secret.id)


def secret_of(row: Row, context: WriteContext) -> EndpointSecret:
    """Return the secret in a row of `endpoint_secrets`; its keys are "" where the row cannot be decrypted."""
    key, private_key = json.loads(context.cipher.decrypt(row["sealed"], row["id"]) or '["", ""]')
    return EndpointSecret(row["id"], key, private_key, row["created_at"], row["ends_at"])


def signing_secrets(tx: Transaction, context: WriteContext, endpoint_id: str) -> list[EndpointSecret]:
    """Return the secrets that sign now, newest first: one, and for a day after a rotation the one before."""
    rows = tx.all(
        "SELECT * FROM endpoint_secrets WHERE endpoint_id = :id AND (ends_at IS NULL OR ends_at > :now) "
        "ORDER BY ends_at IS NULL DESC, created_at DESC, id",
        id=endpoint_id,
        now=context.clock(),
    )
    # A secret that was encrypted with a key that is no longer in the settings is lost: the host must rotate it.
    return [secret for row in rows if (secret := secret_of(row, context)).key]


def count_signing(tx: Transaction, context: WriteContext, endpoint_id: str) -> int:
    """Return how many secrets of the endpoint sign now."""
    row = tx.one(
        "SELECT COUNT(*) AS number FROM endpoint_secrets WHERE endpoint_id = :id "
        "AND (ends_at IS NULL OR ends_at > :now)",
        id=endpoint_id,
        now=context.clock(),
    )
    return int(row["number"]) if row is not None else 0


def unreadable_endpoints(tx: Transaction, context: WriteContext) -> tuple[list[str], int]:
    """Return the endpoints whose present secret no key can decrypt, ordered by id, and how many endpoints there are."""
    rows = tx.all("SELECT id, endpoint_id, sealed FROM endpoint_secrets WHERE ends_at IS NULL ORDER BY endpoint_id")
    return [row["endpoint_id"] for row in rows if not context.cipher.decrypt(row["sealed"], row["id"])], len(rows)


def encrypt_again(tx: Transaction, context: WriteContext, after: str) -> str | None:
    """Encrypt up to 500 secrets after this id with the newest key; return the id of the last, None at the end."""
    rows = tx.all(
        "SELECT * FROM endpoint_secrets WHERE id > :after ORDER BY id LIMIT :limit", after=after, limit=_BATCH
    )
    for row in rows:
        if context.cipher.is_newest(row["sealed"]) or not (secret := secret_of(row, context)).key:
            continue
        # `sealed = :before`: another process may have written it since.
        tx.run(
            "UPDATE endpoint_secrets SET sealed = :sealed WHERE id = :id AND sealed = :before",
            sealed=sealed_secret(secret, context),
            id=row["id"],
            before=row["sealed"],
        )
    return rows[-1]["id"] if rows else None

"""API keys of host backends. Only a key's digest is stored, so a copied database gives no access."""

from collections.abc import Sequence
from dataclasses import dataclass

from service.domain.model import Clock, Tenant
from service.store.engine import Engine, Row, Transaction


@dataclass(frozen=True, slots=True)
class ApiKey:
    """What is known about a key; the key itself is shown once, when it is created."""

    id: str
    tenant: Tenant
    name: str
    created_at: float
    revoked_at: float | None


class ApiKeyStore:
    """Adds, finds, lists and revokes keys."""

    def __init__(self, engine: Engine, clock: Clock) -> None:
        self._engine = engine
        self._clock = clock

    async def add(self, key_id: str, tenant: Tenant, name: str, digest: str) -> None:
        """Store a key by its digest; a digest that is stored already stays as it is."""
        await self._engine.write(lambda tx: _add(tx, (key_id, tenant, name, digest), self._clock()))

    async def find(self, digest: str) -> ApiKey | None:
        """Return the key with this digest, revoked or not; None where there is none."""
        return await self._engine.read(lambda tx: _find(tx, digest), snapshot=False)

    async def all(self) -> Sequence[ApiKey]:
        """Return every key, oldest first."""
        return await self._engine.read(
            lambda tx: [_key(row) for row in tx.all("SELECT * FROM api_keys ORDER BY created_at, id")], snapshot=False
        )

    async def revoke(self, key_id: str) -> bool:
        """Revoke a key; return False where there is none by that id."""
        # COALESCE: a key that was revoked before keeps that time.
        return await self._engine.write(
            lambda tx: (
                tx.run(
                    "UPDATE api_keys SET revoked_at = COALESCE(revoked_at, :now) WHERE id = :id",
                    now=self._clock(),
                    id=key_id,
                )
                > 0
            )
        )


def _add(tx: Transaction, key: tuple[str, str, str, str], now: float) -> None:
    tx.run(
        "INSERT INTO api_keys (id, tenant, name, digest, created_at) VALUES (:id, :tenant, :name, :digest, :now) "
        "ON CONFLICT (digest) DO NOTHING",
        id=key[0],
        tenant=key[1],
        name=key[2],
        digest=key[3],
        now=now,
    )


def _find(tx: Transaction, digest: str) -> ApiKey | None:
    row = tx.one("SELECT * FROM api_keys WHERE digest = :digest", digest=digest)
    return _key(row) if row is not None else None


def _key(row: Row) -> ApiKey:
    return ApiKey(row["id"], Tenant(row["tenant"]), row["name"], row["created_at"], row["revoked_at"])

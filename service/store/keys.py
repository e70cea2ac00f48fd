"""API keys: stored as digests, found by digest."""

from collections.abc import Sequence
from dataclasses import dataclass

from service.domain.model import Clock, Tenant
from service.store.engine import Engine, Row, Transaction


@dataclass(frozen=True, slots=True)
class ApiKey:
    """A key as it may be shown: never the key itself."""

    id: str
    tenant: Tenant
    name: str
    created_at: float
    revoked_at: float | None


class ApiKeyStore:
    """See the module."""

    def __init__(self, engine: Engine, clock: Clock) -> None:
        self._engine = engine
        self._clock = clock

    async def add(self, key_id: str, tenant: Tenant, name: str, digest: str) -> None:
        """Keep a key's digest; the same digest twice stays one key."""
        await self._engine.write(lambda tx: _add(tx, (key_id, tenant, name, digest), self._clock()))

    async def find(self, digest: str) -> ApiKey | None:
        """The key of this digest, revoked or not."""
        return await self._engine.read(lambda tx: _find(tx, digest))

    async def all(self) -> Sequence[ApiKey]:
        """Every key, oldest first."""
        return await self._engine.read(
            lambda tx: [_key(row) for row in tx.all("SELECT * FROM api_keys ORDER BY created_at, id")]
        )

    async def revoke(self, key_id: str) -> bool:
        """End a key; False if there is none by that id."""
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

"""What the service has learned about the provider: its generation of paths, and when its last webhook came."""

from typing import get_args

from service.domain.model import Clock
from service.settings import PathGeneration
from service.store.engine import Engine, Transaction

_WEBHOOK = "webhook"


class ProviderStateStore:
    """Reads and writes these values; each has a name, and a later value replaces the earlier one."""

    def __init__(self, engine: Engine, clock: Clock) -> None:
        self._engine = engine
        self._clock = clock

    async def paths(self, url: str) -> PathGeneration | None:
        """Return the generation of paths that the API at this address has served; None where it is not known."""
        row = await self._engine.read(lambda tx: tx.one(_SELECT, name=_paths(url)), snapshot=False)
        known: dict[str, PathGeneration] = {one: one for one in get_args(PathGeneration)}
        return known.get(row["value"]) if row is not None else None

    async def set_paths(self, url: str, generation: PathGeneration) -> None:
        """Write the generation of paths that the API at this address serves."""
        now = self._clock()
        await self._engine.write(lambda tx: _put(tx, _paths(url), generation, now))

    async def last_webhook_at(self) -> float | None:
        """Return when the newest webhook was received, also one that was purged; None before any."""
        return await self._engine.read(_last_webhook_at)


_SELECT = "SELECT value, at FROM provider_state WHERE name = :name"


def _paths(url: str) -> str:
    return f"paths {url}"


def _put(tx: Transaction, name: str, value: str, at: float) -> None:
    tx.run(
        "INSERT INTO provider_state (name, value, at) VALUES (:name, :value, :at) "
        "ON CONFLICT (name) DO UPDATE SET value = excluded.value, at = excluded.at",
        name=name,
        value=value,
        at=at,
    )


def _last_webhook_at(tx: Transaction) -> float | None:
    stored = tx.one("SELECT received_at FROM inbox ORDER BY received_at DESC LIMIT 1")
    purged = tx.one(_SELECT, name=_WEBHOOK)
    times = [row[name] for row, name in ((stored, "received_at"), (purged, "at")) if row is not None]
    return max(times, default=None)


def note_purged_webhooks(tx: Transaction, before: float) -> None:
    """Keep the time of the newest webhook that was received before then, whose row is about to be deleted."""
    row = tx.one(
        "SELECT received_at FROM inbox WHERE received_at < :limit ORDER BY received_at DESC LIMIT 1", limit=before
    )
    if row is not None:
        _put(tx, _WEBHOOK, "received", row["received_at"])

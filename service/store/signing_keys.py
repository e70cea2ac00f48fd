"""With which secret keys the newest open sessions were signed: a process without them knows none of their links."""

from service.domain.model import DEFAULT_TENANT, Clock
from service.store.engine import Engine, Transaction

_NEWEST = 1000
_SELECT = f"""SELECT key_id, COUNT(*) AS number FROM (
    SELECT key_id, expires_at FROM sessions WHERE tenant = :tenant ORDER BY created_at DESC, id DESC LIMIT {_NEWEST}
  ) AS newest WHERE expires_at > :now GROUP BY key_id"""


async def signing_keys_in_use(engine: Engine, clock: Clock) -> dict[str, int]:
    """Return how many of the newest thousand sessions are open, by the id of the key that signed their links."""

    def read(tx: Transaction) -> dict[str, int]:
        rows = tx.all(_SELECT, tenant=DEFAULT_TENANT, now=clock())
        return {row["key_id"]: row["number"] for row in rows}

    return await engine.read(read, snapshot=False)

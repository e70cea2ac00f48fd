"""The database: schema, migrations, and one public method per transaction, grouped by noun. The only home of SQL.

`store.sessions`, `.companies`, `.connections`, `.intents`, `.log`, `.work`, `.keys`, `.inbox`, `.idempotency`. What is
to be decided is handed in as pure functions (`change`, `settle`), run while their rows are locked, and written in the
same transaction.
"""

from collections.abc import Callable, Sequence

from service.errors import BadSettings
from service.model import Clock
from service.store.changes import Pen
from service.store.companies import Companies
from service.store.connections import Connections
from service.store.idempotency import Idempotency
from service.store.inbox import Inbox
from service.store.intents import Intents
from service.store.keys import Keys
from service.store.logbook import Logbook
from service.store.migrate import NewerDatabase, migrate, pending
from service.store.seal import Seal
from service.store.sessions import Sessions
from service.store.sqlite import SqliteEngine
from service.store.tx import Engine, Tx
from service.store.worklist import Worklist

__all__ = ["NewerDatabase", "Store", "engine_for", "migrate", "pending"]


class Store:
    """All of it, over one engine."""

    def __init__(self, engine: Engine, *, clock: Clock, new_id: Callable[[str], str], keys: Sequence[str]) -> None:
        pen = Pen(clock, new_id, Seal(keys))
        self.engine = engine
        self.sessions = Sessions(engine, pen)
        self.companies = Companies(engine, clock)
        self.connections = Connections(engine, pen, self.sessions)
        self.log = Logbook(engine)
        self.work = Worklist(engine, new_id)
        self.keys = Keys(engine, clock)
        self.idempotency = Idempotency(engine, clock)
        self.inbox = Inbox(engine, pen)
        self.intents = Intents(engine, new_id)

    async def open(self) -> None:
        """Connect and bring the schema up to date. Raises Unavailable, NewerDatabase."""
        await self.engine.open()
        await migrate(self.engine)

    async def check(self) -> None:
        """Raise Unavailable unless the database takes a write: one that is full or read-only answers reads."""
        await self.engine.write(_touch)

    async def close(self) -> None:
        """Finish what was accepted."""
        await self.engine.close()


def _touch(tx: Tx) -> None:
    """Turn a value round and back: SQLite does not write what a statement leaves as it was."""
    for _ in range(2):
        tx.run("UPDATE schema_version SET applied_at = -applied_at WHERE version = 1")


def engine_for(url: str, clock: Clock) -> Engine:
    """The engine for a `sqlite:///path` or `postgresql://…` address. Raises BadSettings for anything else."""
    if url.startswith("sqlite:///"):
        return SqliteEngine(url.removeprefix("sqlite:///"), clock)
    if url.startswith(("postgresql://", "postgres://")):
        from service.store.postgres import PostgresEngine  # noqa: PLC0415 - the driver is an extra

        return PostgresEngine(url)
    raise BadSettings("MAGICLINK_DATABASE_URL must start with sqlite:/// or postgresql://")

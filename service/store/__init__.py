"""All SQL of the service: schema, migrations, and one public method per transaction. No decision is made here.

A decision is a pure function (of `service.domain`) that a caller passes to `create` or `change`: it runs while its rows
are locked, and what it returns is written in the same transaction. Each table has one class: `store.sessions`,
`.companies`, `.connections`, `.users`, `.intents`, `.events`, `.queue`, `.keys`, `.inbox`, `.idempotency`,
`.endpoints`, `.deliveries`, `.replays`, `.reminders`, `.documents`, `.provider_state`. `.retention` deletes rows that
were over long ago.
"""

from collections.abc import Callable, Sequence

from service.domain.model import Clock
from service.errors import BadSettings
from service.store.changes import WriteContext
from service.store.companies import CompanyStore
from service.store.connections import ConnectionStore
from service.store.deliveries import DeliveryStore
from service.store.documents import DocumentStore
from service.store.encryption import Cipher
from service.store.endpoints import EndpointStore
from service.store.engine import Engine, Transaction
from service.store.events import EventLog
from service.store.files import is_absent
from service.store.idempotency import IdempotencyStore
from service.store.inbox import InboxStore
from service.store.intents import IntentStore
from service.store.keys import ApiKeyStore
from service.store.migrate import NewerDatabase, is_new, migrate, pending, rights_needed
from service.store.provider_state import ProviderStateStore
from service.store.queue import JobQueue
from service.store.reminders import ReminderStore
from service.store.replays import ReplayStore
from service.store.retention import RetentionStore
from service.store.sessions import SessionStore
from service.store.sqlite import SqliteEngine
from service.store.user_records import UserStore

__all__ = ["NewerDatabase", "Store", "check_writes", "engine_for", "is_absent", "is_new", "migrate", "pending"]


class Store:
    """The database of the service. `keys` are the secret keys, newest first; `new_id` makes "prefix_…" ids."""

    def __init__(self, engine: Engine, *, clock: Clock, new_id: Callable[[str], str], keys: Sequence[str]) -> None:
        context = WriteContext(clock, new_id, Cipher(keys))
        self.engine = engine
        self.sessions = SessionStore(engine, context)
        self.companies = CompanyStore(engine, clock)
        self.connections = ConnectionStore(engine, context, self.sessions)
        self.events = EventLog(engine)
        self.queue = JobQueue(engine, new_id)
        self.keys = ApiKeyStore(engine, clock)
        self.idempotency = IdempotencyStore(engine, clock)
        self.inbox = InboxStore(engine, context)
        self.intents = IntentStore(engine, new_id)
        self.documents = DocumentStore(engine, context)
        self.provider_state = ProviderStateStore(engine, clock)
        self.endpoints = EndpointStore(engine, context)
        self.deliveries = DeliveryStore(engine, context)
        self.replays = ReplayStore(engine, context)
        self.reminders = ReminderStore(engine, context)
        self.users = UserStore(engine, context, self.sessions)
        self.retention = RetentionStore(engine, context, self.sessions)

    async def open(self) -> None:
        """Connect and bring the schema up to date. Raises Unavailable, NewerDatabase, BadSettings."""
        await self.engine.open()
        await migrate(self.engine)
        if self.engine.is_alone:
            await self.queue.void_leases()

    async def check(self) -> None:
        """Raise Unavailable or BadSettings unless the database takes a write."""
        await check_writes(self.engine)

    async def close(self) -> None:
        """Finish the transactions that were accepted, then disconnect."""
        await self.engine.close()


async def check_writes(engine: Engine) -> None:
    """Raise Unavailable or BadSettings unless the database takes a write: a full or read-only one answers reads."""
    with rights_needed():
        await engine.write(_touch)


def _touch(tx: Transaction) -> None:
    """Write something without changing anything."""
    # Negate a value twice: SQLite writes no page for an UPDATE that leaves a row as it was.
    for _ in range(2):
        tx.run("UPDATE schema_version SET applied_at = -applied_at WHERE version = 1")


def engine_for(url: str, clock: Clock) -> Engine:
    """Return the engine for a `sqlite:///path` or `postgresql://…` URL. Raises BadSettings for others, or no driver."""
    if url.startswith("sqlite:///"):
        return SqliteEngine(url.removeprefix("sqlite:///"), clock)
    if url.startswith(("postgresql://", "postgres://")):
        try:
            from service.store.postgres import PostgresEngine  # noqa: PLC0415 - the driver is an extra
        except ImportError as exc:
            raise BadSettings(
                "MAGICLINK_DATABASE_URL is a PostgreSQL, whose driver is not installed: install magiclink[postgres]"
            ) from exc
        return PostgresEngine(url)
    raise BadSettings("MAGICLINK_DATABASE_URL must start with sqlite:/// or postgresql://")

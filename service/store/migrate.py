"""Migrations: the numbered SQL files that a database lacks are applied in one transaction, by one process at a time.

A released file never changes; a change of the schema is a new file.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from importlib.resources import files

from service.errors import BadSettings
from service.store.engine import Engine, Transaction


class NewerDatabase(BadSettings):
    """The database was migrated by a later version, whose columns this one cannot interpret."""

    def __init__(self, version: int, known: int) -> None:
        super().__init__(
            f"The database is at schema {version}, of a newer magiclink; this one knows {known} at most. Install the "
            "newer version again, or restore a backup from before it"
        )


# PostgreSQL checks the right to create before it looks whether the table exists, and a role that only uses the tables
# lacks that right.
_TABLE_EXISTS = {
    "postgresql": "SELECT 1 AS found WHERE to_regclass('schema_version') IS NOT NULL",
    "sqlite": "SELECT 1 AS found FROM sqlite_master WHERE type = 'table' AND name = 'schema_version'",
}
_TABLE = "CREATE TABLE schema_version (version INTEGER PRIMARY KEY, applied_at DOUBLE PRECISION NOT NULL)"
# Reference: PostgreSQL, appendix A: insufficient_privilege; invalid_schema_name, which is the answer to a CREATE TABLE
# of a role that may use no schema of its search path.
_RIGHT_IS_MISSING = ("42501", "3F000")


async def migrate(engine: Engine) -> list[str]:
    """Apply the missing migrations and return their file names. Raises Unavailable, NewerDatabase, BadSettings."""
    with rights_needed():
        return await engine.write(_apply_missing)


async def pending(engine: Engine) -> list[str]:
    """Return the file names of the missing migrations, and write nothing.

    Raises Unavailable, NewerDatabase, BadSettings.
    """
    with rights_needed():
        return [name for _, name, _ in await engine.read(_missing)]


async def is_new(engine: Engine) -> bool:
    """Return whether the database was never migrated. Raises Unavailable, BadSettings."""
    with rights_needed():
        return not await engine.read(_has_table)


@contextmanager
def rights_needed() -> Iterator[None]:
    """Raise BadSettings where the role of a PostgreSQL may not do what the block does."""
    try:
        yield
    except Exception as exc:
        # By its code: the driver of PostgreSQL, which has a class for it, may be absent.
        if getattr(exc, "sqlstate", None) not in _RIGHT_IS_MISSING:
            raise
        says, _, _ = str(exc).partition("\n")
        raise BadSettings(
            f"The role of MAGICLINK_DATABASE_URL lacks a right ({says}); run magiclink migrate as the owner of the "
            "schema, and grant the role what docs/operating.md lists"
        ) from exc


def _apply_missing(tx: Transaction) -> list[str]:
    _lock(tx)
    if not _has_table(tx):
        tx.run(_TABLE)
    applied = []
    for version, name, sql in _missing(tx):
        for statement in _statements(sql, tx.dialect.name):
            tx.run(statement, **({"now": tx.now()} if ":now" in statement else {}))
        tx.run("INSERT INTO schema_version (version, applied_at) VALUES (:version, :at)", version=version, at=tx.now())
        applied.append(name)
    return applied


def _lock(tx: Transaction) -> None:
    if tx.dialect.name == "postgresql":
        # Wait for another process's migration as long as it takes. The lock timeout applies again afterwards: an ALTER
        # TABLE that waits for a lock also blocks every later query of that table.
        tx.run("SET LOCAL lock_timeout = 0")
        tx.run("SET LOCAL statement_timeout = 0")
        tx.run("SELECT pg_advisory_xact_lock(7246001)")
        tx.run("SET LOCAL lock_timeout TO DEFAULT")


def _has_table(tx: Transaction) -> bool:
    return tx.one(_TABLE_EXISTS[tx.dialect.name]) is not None


def _missing(tx: Transaction) -> list[tuple[int, str, str]]:
    rows = tx.all("SELECT version FROM schema_version") if _has_table(tx) else ()
    applied = {row["version"] for row in rows}
    known = _migrations()
    newest = known[-1][0]
    if max(applied, default=0) > newest:
        raise NewerDatabase(max(applied), newest)
    return [(version, name, sql) for version, name, sql in known if version not in applied]


def _migrations() -> list[tuple[int, str, str]]:
    folder = files("service.store") / "migrations"
    names = sorted(item.name for item in folder.iterdir() if item.name.endswith(".sql"))
    return [(int(name.split("_")[0]), name, (folder / name).read_text("utf-8")) for name in names]


def _statements(sql: str, dialect: str) -> list[str]:
    # A line that starts with `--postgresql ` or `--sqlite ` is a statement for that database alone.
    marker = f"--{dialect} "
    lines = [line.removeprefix(marker) for line in sql.splitlines()]
    code = "\n".join(line for line in lines if not line.startswith("--"))
    return [statement.strip() for statement in code.split(";") if statement.strip()]

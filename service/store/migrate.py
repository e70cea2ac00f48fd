"""Migrations: the numbered SQL files that a database lacks are applied in one transaction, by one process at a time.

A released file never changes; a change of the schema is a new file.
"""

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


_TABLE = "CREATE TABLE IF NOT EXISTS schema_version (version INTEGER PRIMARY KEY, applied_at DOUBLE PRECISION NOT NULL)"


async def migrate(engine: Engine) -> list[str]:
    """Apply the missing migrations and return their file names. Raises Unavailable, NewerDatabase."""
    return await engine.write(_apply_missing)


async def pending(engine: Engine) -> list[str]:
    """Return the file names of the missing migrations without applying them. Raises Unavailable, NewerDatabase."""
    # A write: it creates the table of versions where there is none yet.
    return [name for _, name, _ in await engine.write(_missing)]


def _apply_missing(tx: Transaction) -> list[str]:
    applied = []
    for version, name, sql in _missing(tx):
        for statement in _statements(sql, tx.dialect.name):
            tx.run(statement, **({"now": tx.now()} if ":now" in statement else {}))
        tx.run("INSERT INTO schema_version (version, applied_at) VALUES (:version, :at)", version=version, at=tx.now())
        applied.append(name)
    return applied


def _missing(tx: Transaction) -> list[tuple[int, str, str]]:
    if tx.dialect.name == "postgresql":
        # Wait for another process's migration as long as it takes. The lock timeout applies again afterwards: an ALTER
        # TABLE that waits for a lock also blocks every later query of that table.
        tx.run("SET LOCAL lock_timeout = 0")
        tx.run("SET LOCAL statement_timeout = 0")
        tx.run("SELECT pg_advisory_xact_lock(7246001)")
        tx.run("SET LOCAL lock_timeout TO DEFAULT")
    tx.run(_TABLE)
    applied = {row["version"] for row in tx.all("SELECT version FROM schema_version")}
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

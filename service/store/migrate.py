"""Brings a database up to date: numbered SQL files, all in one transaction, under a lock that processes share."""

from importlib.resources import files

from service.errors import BadSettings
from service.store.engine import Engine, Transaction


class NewerDatabase(BadSettings):
    """The database was migrated by a later version: what its columns mean is not known here."""

    def __init__(self, version: int, known: int) -> None:
        super().__init__(
            f"The database is at schema {version}, of a newer magiclink; this one knows {known} at most. Install the "
            "newer version again, or restore a backup from before it"
        )


_TABLE = "CREATE TABLE IF NOT EXISTS schema_version (version INTEGER PRIMARY KEY, applied_at DOUBLE PRECISION NOT NULL)"


async def migrate(engine: Engine) -> list[str]:
    """Apply what is missing and name it; nothing to do gives an empty list. Raises Unavailable, NewerDatabase."""
    return await engine.write(_apply_missing)


async def pending(engine: Engine) -> list[str]:
    """The migrations that the database has not had yet. Raises Unavailable, NewerDatabase."""
    return [name for _, name, _ in await engine.write(_missing)]


def _apply_missing(tx: Transaction) -> list[str]:
    applied = []
    for version, name, sql in _missing(tx):
        for statement in _statements(sql, tx.dialect.name):
            tx.run(statement)
        tx.run("INSERT INTO schema_version (version, applied_at) VALUES (:version, :at)", version=version, at=tx.now())
        applied.append(name)
    return applied


def _missing(tx: Transaction) -> list[tuple[int, str, str]]:
    if tx.dialect.name == "postgresql":
        # However long the process before us takes; but no change of a table waits, and makes others wait, for long.
        tx.run("SET LOCAL lock_timeout = 0")
        tx.run("SET LOCAL statement_timeout = 0")
        tx.run("SELECT pg_advisory_xact_lock(7246001)")
        tx.run("SET LOCAL lock_timeout TO DEFAULT")
    tx.run(_TABLE)
    have = {row["version"] for row in tx.all("SELECT version FROM schema_version")}
    known = _migrations()
    newest = known[-1][0]
    if max(have, default=0) > newest:
        raise NewerDatabase(max(have), newest)
    return [(version, name, sql) for version, name, sql in known if version not in have]


def _migrations() -> list[tuple[int, str, str]]:
    folder = files("service.store") / "migrations"
    names = sorted(item.name for item in folder.iterdir() if item.name.endswith(".sql"))
    return [(int(name.split("_")[0]), name, (folder / name).read_text("utf-8")) for name in names]


def _statements(sql: str, dialect: str) -> list[str]:
    mark = f"--{dialect} "
    lines = [line.removeprefix(mark) for line in sql.splitlines()]
    code = "\n".join(line for line in lines if not line.startswith("--"))
    return [statement.strip() for statement in code.split(";") if statement.strip()]

"""Every row of a database as text, to find what must no longer be stored anywhere."""

from service.store.engine import Transaction
from tests.support.services import RunningServices


async def rows_with(services: RunningServices, *texts: str) -> list[str]:
    """The rows, of any table, in which one of the texts stands; each with the name of its table."""
    return await services.parts.store.engine.read(lambda tx: _rows_with(tx, texts))


def _rows_with(tx: Transaction, texts: tuple[str, ...]) -> list[str]:
    rows = [f"{table}: {dict(row)}" for table in _tables(tx) for row in tx.all(f"SELECT * FROM {table}")]  # noqa: S608
    assert rows, "there is something to search"
    return [row for row in rows if any(text in row for text in texts)]


def _tables(tx: Transaction) -> list[str]:
    sql = "SELECT name FROM sqlite_master WHERE type = 'table'"
    if tx.dialect.name == "postgresql":
        sql = "SELECT table_name AS name FROM information_schema.tables WHERE table_schema = 'public'"
    return [row["name"] for row in tx.all(sql)]

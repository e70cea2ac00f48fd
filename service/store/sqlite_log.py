"""SQLite's write-ahead log, the `-wal` file: what was deleted stays in it until later writes take its place."""

import sqlite3
from pathlib import Path

# Every other writer waits while the log is emptied, so a read or a write that is in the way is not waited for longer.
_BUSY_SECONDS = 0.2


def empty_log(path: str) -> bool:
    """Copy the log of an open database into its file, and empty it; return False where a read or a write is in the way.

    Raises sqlite3.Error.
    """
    # `mode=rw`: a file that was deleted is not created again, empty.
    uri = path if path.startswith("file:") else f"{Path(path).absolute().as_uri()}?mode=rw"
    connection = sqlite3.connect(uri, timeout=_BUSY_SECONDS, isolation_level=None, uri=True)
    try:
        # Reference: sqlite.org/pragma.html, wal_checkpoint: the first column is 1 where it was not completed.
        return not connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0]
    finally:
        connection.close()

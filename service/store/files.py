"""The permissions of an SQLite database and the files beside it: only the user who runs the service can read them."""

import os
from contextlib import suppress
from pathlib import Path

_OWNER_ONLY = 0o600


def for_this_user_only(path: str) -> None:
    """Make the database file, and let nobody but this user read it: it holds personal data. Raises OSError.

    SQLite gives its `-wal` and `-shm` files the permissions of the database file.
    """
    if not path or path == ":memory:" or path.startswith("file:"):
        return
    os.close(os.open(path, os.O_RDONLY | os.O_CREAT, _OWNER_ONLY))
    for name in (path, f"{path}-wal", f"{path}-shm"):
        # Files of earlier versions; not where they are absent, another user's, or cannot be changed.
        with suppress(OSError):
            Path(name).chmod(_OWNER_ONLY)

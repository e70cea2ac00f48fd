"""The permissions of an SQLite database and the files beside it: only the user who runs the service can read them."""

import os
from contextlib import suppress
from pathlib import Path

_OWNER_ONLY = 0o600


def is_absent(url: str) -> bool:
    """Return whether a `sqlite:///path` URL names a file that does not exist, which opening it would create."""
    path = url.removeprefix("sqlite:///")
    return path != url and _is_file_name(path) and not Path(path).exists()


def _is_file_name(path: str) -> bool:
    return bool(path) and path != ":memory:" and not path.startswith("file:")


def identity(path: str) -> tuple[int, int] | None:
    """Return which file has this name now; None for a database in memory, and where there is none."""
    if not _is_file_name(path):
        return None
    try:
        found = os.stat(path)  # noqa: PTH116 - before each group of writes: a Path would take three times as long
    except OSError:
        return None
    return found.st_dev, found.st_ino


def for_this_user_only(path: str) -> None:
    """Make the database file, which holds personal data, and let only this user read it. Raises OSError.

    SQLite gives its `-wal` and `-shm` files the permissions of the database file.
    """
    if not _is_file_name(path):
        return
    os.close(os.open(path, os.O_RDONLY | os.O_CREAT, _OWNER_ONLY))
    for name in (path, f"{path}-wal", f"{path}-shm"):
        # Files that earlier versions made. One that is absent or belongs to another user is left as it is.
        with suppress(OSError):
            Path(name).chmod(_OWNER_ONLY)

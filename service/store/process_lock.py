"""Tells a process on SQLite whether it is the only one: each holds a shared lock on a file beside the database.

The operating system drops the lock of a process that was killed, so the first one to start after a crash knows that no
running process holds the leases in the database. Reference: flock(2).
"""

import logging
from contextlib import suppress
from pathlib import Path
from typing import IO

try:
    import fcntl
except ImportError:  # no file locks on this platform: dead leases end by their time only
    fcntl = None  # type: ignore[assignment]

_log = logging.getLogger(__name__)


class ProcessLock:
    """A lock on `<database>.lock`, from `take` to `release`; a database in memory has none."""

    def __init__(self, path: str) -> None:
        self._path = None if path == ":memory:" or path.startswith("file:") else Path(f"{path}.lock")
        self._file: IO[str] | None = None
        self.is_alone = False

    def take(self) -> None:
        """Note whether another process holds the lock, and hold it too."""
        if self._path is None or fcntl is None:
            return
        try:
            self._file = self._path.open("a", encoding="utf-8")
            self._path.chmod(0o600)
        except OSError:
            _log.warning("no lock file can be made beside the database; leases of dead processes end by their time")
            return
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            self.is_alone = True
        except OSError:
            self.is_alone = False
        # The change to a shared lock is not atomic: a process that starts in between may take itself for alone and void
        # leases that were just taken. Their jobs then run twice, which has the effect of running once.
        with suppress(OSError):
            fcntl.flock(self._file, fcntl.LOCK_SH)

    def release(self) -> None:
        """Release the lock. The file stays: if it were removed, two processes could lock two different files."""
        if self._file is not None:
            self._file.close()
            self._file = None

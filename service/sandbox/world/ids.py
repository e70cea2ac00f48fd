"""Identifiers and secrets: random, or with a seed the same in every run."""

import hashlib
import secrets
from base64 import urlsafe_b64encode
from collections.abc import Callable
from uuid import UUID


class SandboxIds:
    """Creates identifiers; with a seed, `serial` must never return the same number twice, also after a restart."""

    def __init__(self, seed: str | None, serial: Callable[[], int]) -> None:
        self._seed = seed
        self._serial = serial

    def uuid(self) -> str:
        """Return a new UUID of version 4."""
        return str(UUID(bytes=self._bytes()[:16], version=4))

    def token(self) -> str:
        """Return a new secret of 192 bits, safe in a path."""
        return urlsafe_b64encode(self._bytes()[:24]).decode()

    def _bytes(self) -> bytes:
        if self._seed is None:
            return secrets.token_bytes(32)
        # A hash of seed and serial: the same sequence in every run, without state beyond the serial.
        return hashlib.sha256(f"{self._seed}/{self._serial()}".encode()).digest()

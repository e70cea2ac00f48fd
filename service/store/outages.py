"""What the database itself says when it fails: in the log once for each outage, and in the message at the start."""

import logging
import re
import threading
from urllib.parse import unquote

from service.errors import Unavailable
from service.telemetry.logs import remover

_log = logging.getLogger(__name__)

_QUOTED = re.compile(r"([\"'])(.*?)\1")
_ADDRESS = re.compile(r"\S*@\S*")
# Up to the last "@": a password may hold one that should have been percent-encoded, as any other character.
_IN_ADDRESS = re.compile(r"://[^:]*:(.+)@", re.DOTALL)
_IN_QUERY = re.compile(r"[?&]\w*password=([^&]+)")


class Outages:
    """Notes when the database of this `url` begins to fail and when it works again."""

    def __init__(self, url: str = "") -> None:
        found = [*_IN_ADDRESS.findall(url), *_IN_QUERY.findall(url)]
        self._secrets = [form for one in found for form in (one, unquote(one))]
        self._remove = remover(self._secrets)
        self._has_worked = False
        self._is_failing = False
        self._changing = threading.Lock()

    @property
    def has_worked(self) -> bool:
        """Whether the database has committed something since the start."""
        return self._has_worked

    def unavailable(self, exc: BaseException) -> Unavailable:
        """Return the error to raise, and log the cause if the outage is new.

        Until the database has worked once, which is before any client is answered, the cause is in the error's text.
        """
        cause = self.cause(exc)
        if not self._has_worked:
            return Unavailable(f"The database cannot be used: {cause}")
        with self._changing:
            is_new, self._is_failing = not self._is_failing, True
        if is_new:
            _log.warning("the database fails: %s", cause)
        return Unavailable()

    def works(self) -> None:
        """Note that the database has committed something."""
        self._has_worked = True
        if self._is_failing:
            with self._changing:
                was_failing, self._is_failing = self._is_failing, False
            if was_failing:
                _log.warning("the database works again")

    def cause(self, exc: BaseException) -> str:
        """Return the first line of what the driver says, without any part of the password."""
        lines = str(exc).strip().splitlines()
        # Of an address that is misspelt the driver quotes pieces, and takes a part of the password for a host or port.
        whole = self._remove(lines[0] if lines else type(exc).__name__)
        return _ADDRESS.sub("…", _QUOTED.sub(self._shown, whole))

    def _shown(self, found: re.Match[str]) -> str:
        text = found[2]
        is_part = any(text in secret or secret in text for secret in self._secrets)
        return f"{found[1]}…{found[1]}" if is_part or "password=" in text else found[0]

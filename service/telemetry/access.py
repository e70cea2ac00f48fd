"""The log line of each request. It is made thousands of times a second, so it does less than other lines.

`logging` finds out for each record which function, thread and process made it, and a formatter cleans every field: that
took a third of the time of a short request. Here only the fields of an access line are set, and most of their texts
were cleaned before: methods, routes and addresses of clients come again and again.
"""

import json
import logging
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from time import time  # noqa: TID251 - a record's time, as `logging` takes it itself

_log = logging.getLogger("service.access")
_LONGEST_ADDRESS = 100  # characters
# Whatever another formatter may ask for, such as pytest's.
_FIELDS = logging.makeLogRecord(
    {"name": _log.name, "levelno": logging.INFO, "levelname": "INFO", "msg": "request"}
).__dict__


@dataclass(frozen=True, slots=True)
class Answered:
    """A request that was answered. `route` is the template of its path, without tokens or ids."""

    method: str
    route: str
    status: int
    seconds: float
    client: str
    request_id: str


class AccessRecord(logging.LogRecord):
    """The record of one answered request."""

    answered: Answered

    def __init__(self, answered: Answered) -> None:
        # Not the constructor of `logging`: see the module's docstring.
        self.__dict__.update(_FIELDS, created=time(), answered=answered)


class AccessLines:
    """Formats access records as JSON; `clean` removes secrets from a text."""

    def __init__(self, clean: Callable[[str], str]) -> None:
        # A client's address can be any text where a proxy passes on what it was sent.
        self._quoted = lru_cache(maxsize=4096)(lambda text: json.dumps(clean(text)))

    def format(self, record: AccessRecord) -> str:
        """Return the line: a JSON object with the same names as the lines of other loggers."""
        answered, quoted = record.answered, self._quoted
        at = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")
        return (
            f'{{"method": {quoted(answered.method)}, "route": {quoted(answered.route)}, "status": {answered.status}, '
            f'"seconds": {answered.seconds:.6f}, "client": {quoted(_address(answered.client))}, "at": "{at}", '
            f'"level": "info", "logger": "service.access", "message": "request", "requestId": "{answered.request_id}"}}'
        )


def _address(client: str) -> str:
    return client if len(client) <= _LONGEST_ADDRESS else "(too long for an address)"


def log_request(answered: Answered) -> None:
    """Write the line of one request."""
    if _log.isEnabledFor(logging.INFO):
        _log.handle(AccessRecord(answered))

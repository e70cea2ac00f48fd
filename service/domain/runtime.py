"""Time and randomness as arguments: what a use case takes, so that a test can pass its own."""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

from service.domain.model import Clock


@dataclass(frozen=True, slots=True)
class Runtime:
    """The clock and the source of ids, for use cases that need both."""

    clock: Clock
    new_id: Callable[[str], str]


class IdSource:
    """Makes ids: a prefix, and 24 hexadecimal digits of the operating system's random numbers. Any thread may call it.

    Reading random numbers releases the interpreter's lock, and a busy process gets it back only after its switch
    interval. So the bytes of many ids are read at once.
    """

    _BYTES, _AT_ONCE = 12, 256

    def __init__(self, random_bytes: Callable[[int], bytes]) -> None:
        self._random_bytes = random_bytes
        self._ready: deque[str] = deque()

    def __call__(self, prefix: str) -> str:
        """Return a new id."""
        try:
            digits = self._ready.pop()  # atomic, so no two threads get the same digits
        except IndexError:
            digits, *more = self._read()
            self._ready.extend(more)
        return f"{prefix}_{digits}"

    def _read(self) -> list[str]:
        fresh = self._random_bytes(self._BYTES * self._AT_ONCE).hex()
        length = 2 * self._BYTES
        return [fresh[at : at + length] for at in range(0, len(fresh), length)]

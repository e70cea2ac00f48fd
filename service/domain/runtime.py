"""Time and randomness as arguments: what a use case takes, so that a test can pass its own."""

from collections.abc import Callable
from dataclasses import dataclass

from service.domain.model import Clock


@dataclass(frozen=True, slots=True)
class Runtime:
    """Time and randomness, which every use case takes as arguments."""

    clock: Clock
    new_id: Callable[[str], str]

"""The provider account: its addresses and keys, the limits of calls, and what calls have shown of it."""

import asyncio
import logging
import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from service.domain.timing import ATTEMPT_SECONDS, CALL_SECONDS, LIST_SECONDS
from service.errors import ProviderNotFound
from service.settings import PathGeneration, PathSetting, Settings

_log = logging.getLogger(__name__)

# Reference: docs/provider.md, 4: which generation is served is open, and this one is the more likely.
_LIKELIER: PathGeneration = "reference"


@dataclass(frozen=True, slots=True)
class ProviderAccount:
    """The provider's addresses and this service's API key, which is sent to the origin of `base_url` and nowhere else.

    `pages_url` is the origin of every link that may be shown. `paths`: which of two generations of paths to try first.
    `other_keys` are tried where the provider does not accept `api_key`: during a rotation two keys are live.
    """

    base_url: str
    pages_url: str
    api_key: str = field(repr=False)
    paths: PathSetting = "auto"
    other_keys: tuple[str, ...] = field(default=(), repr=False)

    @property
    def keys(self) -> tuple[str, ...]:
        """All keys, in the order in which they are tried first."""
        return (self.api_key, *self.other_keys)


def account_of(settings: Settings) -> ProviderAccount:
    """Return the account that the settings name; the keys of a rotation come first."""
    keys = (*settings.provider_api_keys, settings.provider_api_key)
    first, *others = dict.fromkeys(key for key in keys if key)
    return ProviderAccount(
        settings.provider_url, settings.provider_pages_url, first, settings.provider_paths, tuple(others)
    )


class ProviderMethodRefused(ProviderNotFound):
    """The provider does not allow this method on the path (405). Other code handles it as a ProviderNotFound."""


@dataclass(frozen=True, slots=True)
class UnreadableItem:
    """An item of a list that could not be read completely: its id, if that was readable, and the unreadable fields."""

    kind: str
    id: str | None
    fields: tuple[str, ...]

    def __str__(self) -> str:
        return f"{self.kind} {self.id or 'without a readable id'} ({', '.join(self.fields) or 'no object'})"


async def _ignore(_generation: PathGeneration) -> None:
    """Remember nothing."""


@dataclass(frozen=True, slots=True)
class CallLimits:
    """Time limits of one attempt, of one call with its retries, and of one list; and how many calls run at once.

    `observe` is called after every call, with its name in `outcomes`, and its seconds with retries.
    `unreadable` is called for every item of a list that could not be read whole, each time the list is read. `served`
    is called, and raises nothing, once another generation of paths than before has answered 2xx. `report` is called
    with a line for the log, when calls begin to fail and when they succeed again.
    """

    monotonic: Callable[[], float]
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
    rng: random.Random = field(default_factory=random.Random)
    attempt_seconds: float = ATTEMPT_SECONDS
    call_seconds: float = CALL_SECONDS
    list_seconds: float = LIST_SECONDS
    concurrency: int = 10
    observe: Callable[[str, float], None] = lambda _outcome, _seconds: None
    unreadable: Callable[[UnreadableItem], None] = lambda _item: None
    served: Callable[[PathGeneration], Awaitable[None]] = _ignore
    report: Callable[[str], None] = _log.warning


class AccountState:
    """Which generation of paths to try first, and which key: each is the one that a call last succeeded with."""

    def __init__(self, account: ProviderAccount) -> None:
        self._keys = account.keys
        self._key = account.api_key
        self.is_auto = account.paths == "auto"
        self.generation: PathGeneration = _LIKELIER if account.paths == "auto" else account.paths

    def keys_in_order(self) -> tuple[str, ...]:
        """All keys, in the order in which to try them."""
        return (self._key, *(key for key in self._keys if key != self._key))

    def accepted(self, key: str) -> None:
        """A call with this key succeeded, so it is tried first from now on."""
        self._key = key

    def paths(self, path: str, reference_path: str | None) -> tuple[str, str | None]:
        """The path to try first, and the other one where the documentation has two."""
        if reference_path is None or self.generation == "company":
            return path, reference_path
        return reference_path, path

"""Says in the log why calls to the provider fail: when an outage begins, and when it ends."""

from collections.abc import Callable

from service.errors import ProviderFailure, ProviderRefused, ProviderUnauthorized
from service.provider.outcomes import outcome_of
from service.telemetry.repeats import Repeats

_MOST_CHARACTERS = 300
_KEY_ADVICE = "check MAGICLINK_PROVIDER_API_KEY and the key's permissions with magiclink doctor"


class ProviderOutages:
    """Notes when calls begin to fail, once for each kind of failure, and when they succeed again."""

    def __init__(self, monotonic: Callable[[], float], report: Callable[[str], None]) -> None:
        self._repeats = Repeats(monotonic)
        self._report = report
        self._failing: set[str] = set()  # kinds, of which the log has a line since the last success

    def fails(self, failure: ProviderFailure, call: str) -> None:
        """Note that a call failed; `call` is its method and path. A refusal of what was asked is no outage."""
        kind = outcome_of(failure)
        # A failure that comes and goes, or that only some calls meet, must not fill the log.
        if isinstance(failure, ProviderRefused) or not self._repeats.is_due(kind):
            return
        self._failing.add(kind)
        what_to_do = _KEY_ADVICE if isinstance(failure, ProviderUnauthorized) else "magiclink doctor tells more"
        self._report(f"calls to the provider fail: {cause_of(failure)} ({call}); {what_to_do}")

    def works(self) -> None:
        """Note that a call succeeded."""
        if self._failing:
            self._failing.clear()
            self._report("calls to the provider succeed again")


def cause_of(failure: ProviderFailure) -> str:
    """Return what failed, without advice for callers, and what the system or the status said, in one line."""
    said = [str(failure.__cause__ or ""), *getattr(failure, "__notes__", ())]
    words = [" ".join(one.split()) for one in (failure.detail.partition(";")[0], *said)]
    return ": ".join(one for one in words if one)[:_MOST_CHARACTERS]

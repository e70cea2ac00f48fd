"""The names that the metric of calls to the provider has for how a call ended; operators' alerts use them."""

from service.errors import (
    ProviderBusy,
    ProviderFailure,
    ProviderNotFound,
    ProviderRefused,
    ProviderTimeout,
    ProviderUnauthorized,
    ProviderUnreachable,
)

OK = "ok"
OTHER_FAILURE = "failed"
# The first that matches: a class comes before those that it derives from.
FAILURES: tuple[tuple[type[ProviderFailure], str], ...] = (
    (ProviderNotFound, "not_found"),
    (ProviderRefused, "refused"),
    (ProviderUnreachable, "unreachable"),
    (ProviderUnauthorized, "unauthorized"),
    (ProviderBusy, "busy"),
    (ProviderTimeout, "timed_out"),
)


def outcome_of(failure: ProviderFailure) -> str:
    """Return the name of a failure. Its code has too few: a refused key and a busy provider are `provider_error`."""
    return next((name for kind, name in FAILURES if isinstance(failure, kind)), OTHER_FAILURE)

"""Webhook endpoints of hosts: which events they receive, their health, and when the service disables one.

Health is counted from the answers to events alone: tests, replays and sessions' own addresses do not change it.
"""

from dataclasses import dataclass, field, replace
from enum import StrEnum

from service.domain.events import NewEvent
from service.domain.model import Tenant
from service.domain.timing import (
    ENDPOINT_DISABLED_SECONDS,
    PROBE_FIRST_SECONDS,
    PROBE_LONGEST_SECONDS,
    SECRET_OVERLAP_SECONDS,
)
from service.errors import InvalidRequest

# Of one tenant, disabled ones included: each event is matched with all of them, and each may have a turn of its own.
MOST_ENDPOINTS = 100
# Of one endpoint, that sign at the same time. Each delivery is signed twice with each of them, in the process that also
# answers everybody else, and a receiver may refuse a longer header.
MOST_SECRETS = 10
# At these shares of the time after which a failing endpoint is disabled, its host is warned.
WARNED_PERCENTS = (50, 90)
# The first one may be the fault of one event; the second comes within seconds.
_FAILURES_OF_THE_LOG = 2


def require_room(endpoints: int) -> None:
    """Raise InvalidRequest where a tenant that has so many endpoints may not create another."""
    if endpoints >= MOST_ENDPOINTS:
        raise InvalidRequest(detail=f"There are at most {MOST_ENDPOINTS} webhook endpoints; delete one first")


def require_room_for_secret(signing: int) -> None:
    """Raise InvalidRequest where so many secrets of an endpoint sign already that it may not get another."""
    if signing >= MOST_SECRETS:
        raise InvalidRequest(
            detail=f"The secret was rotated {MOST_SECRETS - 1} times within a day, and each old one signs for a day; "
            "rotate it again later, or create another endpoint"
        )


class EndpointStatus(StrEnum):
    """Whether events are delivered to the endpoint."""

    ENABLED = "enabled"
    DISABLED = "disabled"


class DisabledReason(StrEnum):
    """Why an endpoint is disabled."""

    HOST = "host"  # the host disabled it
    GONE = "gone"  # it answered 410
    FAILING = "failing"  # five days of nothing but failures


@dataclass(frozen=True, slots=True)
class EndpointHealth:
    """What the answers say. `failing_since` is the first failure after the last success, `failures` how many followed.

    While it fails, one delivery is under way at a time, not before `probe_at`. At `review_at` the endpoint reaches the
    next warning, or is disabled.
    """

    failing_since: float | None = None
    failures: int = 0
    probe_at: float = 0.0
    review_at: float | None = None
    last_success_at: float | None = None
    last_failure_at: float | None = None


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One address of a host. `types` is empty for all events; `company_id` is the provider's id of the only company.

    `created_by` and `changed_by` are ids of API keys.
    """

    id: str
    tenant: Tenant
    url: str
    description: str
    types: tuple[str, ...]
    company_id: str | None
    created_at: float
    created_by: str
    changed_at: float
    changed_by: str
    status: EndpointStatus = EndpointStatus.ENABLED
    disabled_reason: DisabledReason | None = None
    health: EndpointHealth = field(default_factory=EndpointHealth)


@dataclass(frozen=True, slots=True)
class EndpointSecret:
    """A secret of an endpoint: `key` signs v1 and `private_key` v1a. A replaced one signs until `ends_at`.

    Anyone who has it can forge deliveries, so it is encrypted at rest and returned once.
    """

    id: str
    key: str = field(repr=False)
    private_key: str = field(repr=False)
    created_at: float
    ends_at: float | None = None


@dataclass(frozen=True, slots=True)
class EndpointView:
    """An endpoint with its newest secret, from which its public key is made; None where the secret cannot be read."""

    endpoint: Endpoint
    secret: EndpointSecret | None
    oldest_pending_at: float | None


@dataclass(frozen=True, slots=True)
class EndpointChange:
    """What a decision writes of an endpoint; `what` and `actor` are for the audit.

    `secret` replaces the ones before, which sign until `old_secrets_end_at`.
    """

    endpoint: Endpoint
    what: str
    actor: str
    secret: EndpointSecret | None = None
    old_secrets_end_at: float | None = None
    events: tuple[NewEvent, ...] = ()


def after_success(health: EndpointHealth, now: float) -> EndpointHealth:
    """The endpoint took a delivery: it is healthy, and what is due may be sent side by side."""
    return EndpointHealth(last_success_at=now, last_failure_at=health.last_failure_at)


def after_failure(health: EndpointHealth, now: float, roll: float) -> EndpointHealth:
    """The endpoint did not take a delivery; `roll` from 0 to 1 spreads the next probe.

    The first failure delays nothing, since it may be the fault of one event.
    """
    failures = health.failures + 1
    pause = 0.0
    if failures > 1:
        # 2 ** 20: any exponent beyond the longest pause is the same, and a float must not overflow.
        pause = min(PROBE_FIRST_SECONDS * 2 ** min(failures - 2, 20), PROBE_LONGEST_SECONDS) * (1 + roll / 10)
    since = health.failing_since if health.failing_since is not None else now
    review = health.review_at if health.failing_since is not None else next_review_at(since, since)
    return replace(
        health,
        failing_since=since,
        failures=failures,
        probe_at=now + pause,
        review_at=review,
        last_failure_at=now,
    )


def news_for_the_log(before: EndpointHealth, after: EndpointHealth) -> str | None:
    """Return the words for the log where the endpoint begins to fail or works again; None where neither is new."""
    if before.failures < _FAILURES_OF_THE_LOG <= after.failures:
        return "fails; magiclink endpoints shows its health"
    return "works again" if before.failures >= _FAILURES_OF_THE_LOG > after.failures else None


def next_review_at(failing_since: float, now: float) -> float:
    """When the endpoint reaches the next warning after `now`, or is disabled."""
    steps = (failing_since + ENDPOINT_DISABLED_SECONDS * percent / 100 for percent in (*WARNED_PERCENTS, 100))
    return next((at for at in steps if at > now), failing_since + ENDPOINT_DISABLED_SECONDS)


def reached_percent(health: EndpointHealth, now: float) -> int:
    """The step that the failing endpoint has reached since its last review: 50, 90, or 100 where it is to be disabled.

    0 where no review is due, as when another process has just made it.
    """
    if health.failing_since is None or health.review_at is None or now < health.review_at:
        return 0
    share = 100 * (now - health.failing_since) / ENDPOINT_DISABLED_SECONDS
    return max((percent for percent in (*WARNED_PERCENTS, 100) if percent <= share), default=0)


def enabled(endpoint: Endpoint) -> Endpoint:
    """The endpoint as enabled by its host: its failures are forgotten."""
    fresh = EndpointHealth(last_success_at=endpoint.health.last_success_at)
    return replace(endpoint, status=EndpointStatus.ENABLED, disabled_reason=None, health=fresh)


def disabled(endpoint: Endpoint, reason: DisabledReason) -> Endpoint:
    """The endpoint as disabled: its pending deliveries stay, and go on when it is enabled again."""
    health = replace(endpoint.health, review_at=None)
    return replace(endpoint, status=EndpointStatus.DISABLED, disabled_reason=reason, health=health)


def secret_ends_at(now: float) -> float:
    """Until when a secret that is replaced now still signs."""
    return now + SECRET_OVERLAP_SECONDS


def with_health(endpoint: Endpoint, health: EndpointHealth) -> Endpoint:
    """The endpoint with what the latest answers say."""
    return replace(endpoint, health=health)


def reviewed(endpoint: Endpoint, now: float) -> Endpoint:
    """The failing endpoint after a warning: its next step is due later."""
    since = endpoint.health.failing_since
    review_at = next_review_at(since, now) if since is not None else None
    return replace(endpoint, health=replace(endpoint.health, review_at=review_at))

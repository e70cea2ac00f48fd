"""The health of an endpoint: probes, warnings, and when it is disabled."""

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from service.domain import endpoints
from service.domain.endpoints import DisabledReason, Endpoint, EndpointHealth, EndpointStatus
from service.domain.timing import ENDPOINT_DISABLED_SECONDS, PROBE_LONGEST_SECONDS
from tests.support.domain_values import NOW, TENANT

ENDPOINT = Endpoint("whe_1", TENANT, "https://x.example.com", "", (), None, NOW, "k", NOW, "k")


def failed(times: int, roll: float = 0.0) -> EndpointHealth:
    health = EndpointHealth()
    for _ in range(times):
        health = endpoints.after_failure(health, NOW, roll)
    return health


def test_the_first_failure_delays_nothing_and_further_ones_ever_more() -> None:
    pauses = [failed(times).probe_at - NOW for times in range(1, 15)]
    assert pauses[:4] == [0.0, 1.0, 2.0, 4.0]
    assert pauses == sorted(pauses)
    assert pauses[-1] == PROBE_LONGEST_SECONDS
    assert failed(3000, 1.0).probe_at - NOW <= PROBE_LONGEST_SECONDS * 1.1


def test_failures_are_counted_from_the_first_and_a_success_forgets_them() -> None:
    health = endpoints.after_failure(failed(1), NOW + 50, 0.0)
    assert (health.failing_since, health.failures, health.last_failure_at) == (NOW, 2, NOW + 50)
    well = endpoints.after_success(health, NOW + 60)
    assert (well.failing_since, well.failures, well.review_at, well.last_success_at) == (None, 0, None, NOW + 60)


def test_a_failing_endpoint_is_reviewed_at_50_and_90_percent_and_at_the_end() -> None:
    endpoint = endpoints.with_health(ENDPOINT, failed(1))
    seen: list[tuple[float, int]] = []
    while (at := endpoint.health.review_at) is not None and len(seen) < 4:
        seen.append((at - NOW, endpoints.reached_percent(endpoint.health, at)))
        endpoint = endpoints.reviewed(endpoint, at)
    assert seen[:3] == [(ENDPOINT_DISABLED_SECONDS * share / 100, share) for share in (50, 90, 100)]


def test_what_one_process_has_reviewed_is_not_due_for_another_that_found_it_too() -> None:
    endpoint = endpoints.with_health(ENDPOINT, failed(1))
    for percent in (50, 90):
        at = NOW + ENDPOINT_DISABLED_SECONDS * percent / 100
        assert endpoints.reached_percent(endpoint.health, at) == percent
        endpoint = endpoints.reviewed(endpoint, at)
        assert endpoints.reached_percent(endpoint.health, at + 1) == 0
    off = endpoints.disabled(endpoint, DisabledReason.FAILING)
    assert endpoints.reached_percent(off.health, NOW + ENDPOINT_DISABLED_SECONDS) == 0


@given(st.floats(0, 2 * ENDPOINT_DISABLED_SECONDS))
def test_no_endpoint_is_disabled_before_five_days(seconds: float) -> None:
    percent = endpoints.reached_percent(failed(1), NOW + seconds)
    assert (percent == 100) == (seconds >= ENDPOINT_DISABLED_SECONDS)
    assert endpoints.reached_percent(EndpointHealth(), NOW + seconds) == 0


def test_an_endpoint_that_is_enabled_again_starts_healthy() -> None:
    endpoint = endpoints.with_health(ENDPOINT, replace(failed(5), last_success_at=NOW - 9))
    off = endpoints.disabled(endpoint, DisabledReason.FAILING)
    assert (off.status, off.disabled_reason, off.health.review_at) == (EndpointStatus.DISABLED, "failing", None)
    on = endpoints.enabled(off)
    assert (on.status, on.disabled_reason, on.health) == (
        EndpointStatus.ENABLED,
        None,
        EndpointHealth(last_success_at=NOW - 9),
    )

"""The inequalities between durations: where one is broken, two parts of the service work against each other."""

from service.domain import timing
from service.provider.transport import CallLimits


def test_an_attempt_fits_into_its_call_more_than_once() -> None:
    assert 2 * timing.ATTEMPT_SECONDS < timing.CALL_SECONDS


def test_the_transport_ends_a_call_when_the_table_says() -> None:
    assert CallLimits(lambda: 0.0).call_seconds == timing.CALL_SECONDS
    assert CallLimits(lambda: 0.0).attempt_seconds == timing.ATTEMPT_SECONDS


def test_a_call_ends_before_its_answer_counts_as_late() -> None:
    assert timing.CALL_SECONDS < timing.ANSWER_SECONDS


def test_an_answer_is_late_before_it_counts_as_lost() -> None:
    assert timing.ANSWER_SECONDS < timing.LOST_SECONDS


def test_a_poll_of_two_lists_fits_into_one_lease() -> None:
    assert 2 * timing.LIST_SECONDS < timing.LEASE_SECONDS


def test_a_creating_call_fits_into_one_lease() -> None:
    assert timing.ANSWER_SECONDS < timing.LEASE_SECONDS


def test_a_lease_ends_before_an_answer_counts_as_lost() -> None:
    assert timing.LEASE_SECONDS < timing.LOST_SECONDS


def test_a_create_that_waits_outlasts_the_call_to_the_provider() -> None:
    assert timing.CALL_SECONDS < timing.PREPARE_NOW_SECONDS


def test_no_worker_prepares_a_session_for_which_a_create_still_waits() -> None:
    assert timing.PREPARE_NOW_SECONDS < timing.PREPARE_TAKEOVER_SECONDS


def test_an_equal_call_is_given_up_only_after_the_first_has_answered() -> None:
    assert timing.PREPARE_NOW_SECONDS < timing.IDEMPOTENCY_IN_FLIGHT_SECONDS


def test_a_callback_waits_for_less_than_one_attempt() -> None:
    assert timing.CALLBACK_POLL_SECONDS < timing.ATTEMPT_SECONDS


def test_two_reads_that_prove_a_removal_are_further_apart_than_the_clocks_may_be() -> None:
    assert timing.UNCERTAINTY_SECONDS < timing.REMOVED_SECONDS


def test_an_unexplained_use_is_settled_long_before_it_is_given_up() -> None:
    assert timing.UNCERTAINTY_SECONDS < timing.SETTLE_SECONDS < timing.UNDECIDED_SECONDS


def test_polls_happen_while_an_undecided_connection_may_still_be_settled() -> None:
    assert 2 * timing.POLL_UNDECIDED_SECONDS < timing.SETTLE_SECONDS


def test_the_more_is_expected_of_a_company_the_sooner_it_is_polled() -> None:
    intervals = [
        timing.POLL_FINISHED_SECONDS,
        timing.POLL_PRESENT_SECONDS,
        timing.POLL_UNDECIDED_SECONDS,
        timing.POLL_OPEN_SECONDS,
        timing.POLL_DAILY_SECONDS,
    ]
    assert intervals == sorted(set(intervals))


def test_each_interval_is_shorter_than_the_time_for_which_it_applies() -> None:
    assert timing.POLL_FINISHED_SECONDS < timing.FINISHED_SECONDS
    assert timing.POLL_PRESENT_SECONDS < timing.PRESENCE_SECONDS < timing.RECENT_SECONDS
    assert timing.POLL_OPEN_SECONDS < timing.OUTLIVED_SECONDS


def test_a_company_is_polled_for_as_long_as_an_invitation_outlives_its_session() -> None:
    assert timing.GRACE_SECONDS + timing.INVITATION_EXTRA_SECONDS < timing.OUTLIVED_SECONDS

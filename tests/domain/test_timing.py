"""Durations that depend on each other: the inequalities that the comments in `timing` state."""

import re
from pathlib import Path

import service
from service.domain import timing
from service.provider import CallLimits
from service.pubsub import PubSub

FOLLOWING_SCRIPT = Path(service.__file__).parent / "static" / "live.js"


def test_a_call_ends_before_its_answer_counts_as_lost() -> None:
    assert timing.ATTEMPT_SECONDS < timing.CALL_SECONDS < timing.ANSWER_SECONDS


def test_an_answer_counts_as_lost_before_the_lists_are_trusted_to_lack_what_it_created() -> None:
    assert timing.ANSWER_SECONDS < timing.LOST_SECONDS


def test_a_lease_outlives_two_renewals_that_fail_and_a_dead_worker_delays_its_work_by_ten_seconds() -> None:
    assert 3 * timing.LEASE_RENEWAL_SECONDS < timing.LEASE_SECONDS <= 8.0


def test_the_database_ends_a_transaction_that_stands_still_before_its_lease_ends() -> None:
    assert timing.LEASE_RENEWAL_SECONDS < timing.IDLE_TRANSACTION_SECONDS < timing.LEASE_SECONDS


def test_a_process_that_ends_gives_its_leases_back_before_they_end() -> None:
    assert timing.SHUTDOWN_SECONDS < timing.LEASE_SECONDS
    # docs/operating.md promises the end within 10 s. At last PostgreSQL's threads may be connecting, for three seconds.
    assert timing.SHUTDOWN_SECONDS + 3 * timing.RELEASE_SECONDS + 3 < 10


def test_a_secret_can_be_returned_for_as_long_as_the_call_that_made_it_can_be_repeated() -> None:
    assert timing.KEY_KEPT_SECONDS < timing.SECRETS_KEPT_SECONDS


def test_a_host_that_waits_for_its_link_is_answered_before_a_worker_takes_over() -> None:
    assert timing.CALL_SECONDS < timing.PREPARE_NOW_SECONDS < timing.PREPARE_TAKEOVER_SECONDS
    assert timing.PREPARE_NOW_SECONDS < timing.UNLEASED_KEY_SECONDS


def test_a_callback_answers_before_the_browser_of_an_impatient_user_gives_up() -> None:
    assert timing.CALLBACK_POLL_SECONDS < timing.ATTEMPT_SECONDS


def test_a_present_page_has_its_connection_within_the_promised_minute() -> None:
    assert timing.POLL_FINISHED_SECONDS < timing.POLL_PRESENT_SECONDS < timing.POLL_UNDECIDED_SECONDS < 60


def test_without_a_page_a_connection_is_found_within_ten_minutes_and_then_daily() -> None:
    assert timing.POLL_UNDECIDED_SECONDS < timing.POLL_OPEN_SECONDS == 600 < timing.POLL_DAILY_SECONDS == 86400


def test_a_company_is_present_at_least_as_long_as_a_page_may_be_silent() -> None:
    assert timing.PRESENCE_SECONDS < timing.FINISHED_SECONDS < timing.RECENT_SECONDS


def test_an_invitation_that_outlives_its_session_is_polled_for_until_it_ends() -> None:
    assert timing.GRACE_SECONDS + timing.INVITATION_EXTRA_SECONDS < timing.OUTLIVED_SECONDS


def test_the_uncertainty_is_small_against_what_is_waited_for() -> None:
    assert timing.UNCERTAINTY_SECONDS < timing.REMOVED_SECONDS < timing.SETTLE_SECONDS < timing.UNDECIDED_SECONDS


def test_a_page_polls_soon_after_comments_stay_away_and_not_between_two_of_them() -> None:
    of_script = dict(re.findall(r"^const (\w+_MS) = ([\d_]+);", FOLLOWING_SCRIPT.read_text(), re.MULTILINE))
    quiet_seconds = int(of_script["QUIET_MS"]) / 1000
    assert timing.STREAM_COMMENT_SECONDS + 1 <= quiet_seconds <= 4  # then one poll: five seconds are promised
    assert int(of_script["POLL_MS"]) / 1000 <= 4


def test_an_open_stream_shows_its_page_to_be_there_several_times_before_that_counts_as_gone() -> None:
    assert timing.STREAM_COMMENT_SECONDS < PubSub().keep_alive_seconds < timing.PRESENCE_SECONDS / 3


def test_what_is_asked_of_an_absent_user_is_confirmed_within_a_minute_beyond_the_uncertainty() -> None:
    assert 2 * timing.UNCERTAINTY_SECONDS < timing.ATTENTION_SECONDS < timing.PRESENCE_SECONDS


def test_a_result_outlives_the_way_back_and_ends_before_the_grace() -> None:
    assert timing.PRESENCE_SECONDS < timing.RESULT_SECONDS < timing.GRACE_SECONDS


def test_the_provider_is_called_within_these_limits() -> None:
    limits = CallLimits(monotonic=lambda: 0.0)
    assert (limits.attempt_seconds, limits.call_seconds) == (timing.ATTEMPT_SECONDS, timing.CALL_SECONDS)


def test_a_reminder_waits_for_any_list_and_then_still_counts_as_confirmed() -> None:
    assert timing.LIST_SECONDS < timing.REMINDER_POLL_SECONDS < timing.CONFIRMED_SECONDS
    assert timing.CONFIRMED_SECONDS <= timing.REMINDER_RETRY_SECONDS[0] < timing.REMINDER_RETRY_SECONDS[1]

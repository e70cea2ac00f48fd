import pytest

from service.domain.statuses import (
    ConnectionState,
    canonical_status,
    has_stopped,
    needs_attention,
    state_of,
)

STATES = {
    "PENDING": "checking",
    "CONNECTED": "working",
    "NO_ACCOUNTS_FOUND": "empty",
    "PASSWORD_INCORRECT": "action_needed",
    "MFA_TOKEN_EXPIRED": "action_needed",
    "NEW_PASSWORD_NEEDED": "action_needed",
    "ADDITIONAL_CREDENTIALS_NEEDED": "action_needed",
    "COMPANY_INACTIVE": "inactive",
    "UNDER_INVESTIGATION": "delayed",
    "WEBSITE_DOWN": "delayed",
    "URL_INACCESSIBLE": "delayed",
    "OTHER_ERROR": "delayed",
}


def test_both_spellings_of_a_wrong_password_are_one_status() -> None:
    assert canonical_status("INCORRECT_PASSWORD") == canonical_status("PASSWORD_INCORRECT") == "PASSWORD_INCORRECT"


@pytest.mark.parametrize("status", [*STATES, "SOMETHING_NEW", ""])
def test_every_other_status_stays_as_the_provider_says_it(status: str) -> None:
    assert canonical_status(status) == status


@pytest.mark.parametrize(("status", "state"), STATES.items())
def test_each_status_has_one_meaning(status: str, state: str) -> None:
    assert state_of(status) == state


@pytest.mark.parametrize("status", ["SOMETHING_NEW", "", "connected"])
def test_an_unknown_status_is_a_delay_and_asks_nothing_of_the_user(status: str) -> None:
    assert state_of(status) is ConnectionState.DELAYED


def test_a_wrong_password_means_the_same_in_both_spellings() -> None:
    assert state_of("INCORRECT_PASSWORD") is ConnectionState.ACTION_NEEDED


def test_the_user_is_asked_only_for_what_the_user_can_mend() -> None:
    assert {state for state in ConnectionState if needs_attention(state)} == {"action_needed", "empty"}


def test_bills_follow_only_while_the_account_works_or_the_provider_works_on_it() -> None:
    assert {state for state in ConnectionState if not has_stopped(state)} == {"checking", "delayed", "working"}

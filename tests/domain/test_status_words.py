"""The words for each status: every status has them, and they are true to its state and to the provider's advice."""

import re

import pytest

from service.domain.status_words import MFA_STEPS, StatusWords, StepPlace, Turn, all_words, words_for
from service.domain.statuses import UNKNOWN_STATUS, ConnectionState, needs_attention, state_of

# Reference: developer-guide/connection-statuses, the column of the API's values.
PROVIDERS = [
    "PENDING",
    "UNDER_INVESTIGATION",
    "CONNECTED",
    "NO_ACCOUNTS_FOUND",
    "WEBSITE_DOWN",
    "URL_INACCESSIBLE",
    "OTHER_ERROR",
    "PASSWORD_INCORRECT",
    "NEW_PASSWORD_NEEDED",
    "ADDITIONAL_CREDENTIALS_NEEDED",
    "MFA_TOKEN_EXPIRED",
    "COMPANY_INACTIVE",
]


@pytest.mark.parametrize("status", PROVIDERS)
def test_each_status_of_the_provider_has_words_of_its_own_and_its_state(status: str) -> None:
    words = words_for(status)
    assert (words.status, words.state) == (status, state_of(status))


@pytest.mark.parametrize("status", ["", "SOMETHING_NEW", "pending", UNKNOWN_STATUS])
def test_an_unknown_status_is_the_providers_to_mend(status: str) -> None:
    words = words_for(status)
    assert (words.status, words.state, words.turn) == (UNKNOWN_STATUS, ConnectionState.DELAYED, Turn.PROVIDER)


def test_both_spellings_of_a_wrong_password_have_the_same_words() -> None:
    assert words_for("INCORRECT_PASSWORD") is words_for("PASSWORD_INCORRECT")


def test_a_status_from_before_the_user_mended_it_is_told_as_being_checked() -> None:
    assert words_for("MFA_TOKEN_EXPIRED", ConnectionState.CHECKING) is words_for("PENDING")


def test_a_removed_connection_is_told_as_removed_whatever_its_last_status_was() -> None:
    assert words_for("CONNECTED", ConnectionState.INACTIVE).status == "REMOVED"
    assert words_for("REMOVED", ConnectionState.INACTIVE).status == "REMOVED"
    assert words_for("COMPANY_INACTIVE", ConnectionState.INACTIVE).status == "COMPANY_INACTIVE"


def test_it_is_the_users_turn_wherever_only_the_user_can_mend_it() -> None:
    asked = {words.status for words in all_words() if needs_attention(words.state)}
    assert asked == {words.status for words in all_words() if words.turn is Turn.USER} - {"REMOVED"}


def test_every_status_has_a_step_and_all_that_do_not_work_lead_to_a_person() -> None:
    for words in all_words():
        places = [step.place for step in words.steps]
        assert places, words.status
        assert words.status == "CONNECTED" or StepPlace.SUPPORT in places, words.status


def test_what_needs_the_user_leads_to_the_secure_page() -> None:
    for words in all_words():
        assert not needs_attention(words.state) or StepPlace.SECURE_PAGE in {step.place for step in words.steps}


def test_trouble_that_passes_says_that_the_app_is_told_when_it_is_over() -> None:
    for words in all_words():
        if words.state is ConnectionState.DELAYED:
            assert any("is told when the account works again" in step.text for step in words.steps), words.status


def test_the_second_step_has_the_providers_ladder_in_its_order() -> None:
    ladder = words_for("MFA_TOKEN_EXPIRED").steps
    assert ladder == MFA_STEPS
    key_words = [
        "Upload your bills",
        "Switch the second step off",
        "managed forwarding",
        "often fails",
        "text messages",
    ]
    assert [word for word, step in zip(key_words, ladder, strict=True) if word in step.text] == key_words
    assert ladder[0].place is StepPlace.UPLOAD
    assert ladder[-1].place is StepPlace.SUPPORT


def test_no_words_ask_for_a_code_and_all_are_short_plain_sentences() -> None:
    for words in all_words():
        texts = [words.title, words.sentence, *(step.text for step in words.steps)]
        assert not re.search(r"\bcodes?\b|\btoken\b|MFA", " ".join(texts)), words.status
        assert all(text[0].isupper() and text.endswith(".") for text in texts), words.status
        assert len(words.label) <= 20
        assert max(len(text) for text in texts) <= 200, words.status


def test_whose_turn_it_is_and_where_a_step_is_taken_have_the_values_of_the_api() -> None:
    assert [*Turn] == ["user", "provider", "host", "support"]
    assert [*StepPlace] == ["secure_page", "utility", "upload", "support"]


@pytest.mark.parametrize("words", all_words(), ids=lambda words: words.status)
def test_the_steps_lead_from_the_utility_to_the_secure_page_and_to_help_at_last(words: StatusWords) -> None:
    places = [step.place for step in words.steps if step.place is not StepPlace.UPLOAD]
    order = [None, StepPlace.UTILITY, StepPlace.SECURE_PAGE, StepPlace.SUPPORT]
    assert places == sorted(places, key=order.index)


def test_a_state_that_has_no_words_of_its_own_leaves_those_of_the_status() -> None:
    assert words_for("PASSWORD_INCORRECT", ConnectionState.WORKING) == words_for("PASSWORD_INCORRECT")

import pytest

from service.domain.statuses import canonical_status, credentials_work, needs_attention

ALL = (
    *("PENDING", "CONNECTED", "UNDER_INVESTIGATION", "PASSWORD_INCORRECT", "MFA_TOKEN_EXPIRED", "NEW_PASSWORD_NEEDED"),
    *("ADDITIONAL_CREDENTIALS_NEEDED", "WEBSITE_DOWN", "URL_INACCESSIBLE", "NO_ACCOUNTS_FOUND", "OTHER_ERROR"),
    "COMPANY_INACTIVE",
)


def test_both_spellings_of_a_wrong_password_are_one_status() -> None:
    assert canonical_status("INCORRECT_PASSWORD") == canonical_status("PASSWORD_INCORRECT") == "PASSWORD_INCORRECT"


@pytest.mark.parametrize("status", [*ALL, "SOMETHING_NEW", ""])
def test_every_other_status_stays_as_the_provider_says_it(status: str) -> None:
    assert canonical_status(status) == status


def test_credentials_work_only_where_the_provider_has_signed_in() -> None:
    assert {status for status in ALL if credentials_work(status)} == {"CONNECTED", "NO_ACCOUNTS_FOUND"}


def test_the_user_is_asked_only_for_what_the_user_can_mend() -> None:
    mendable = {"PASSWORD_INCORRECT", "MFA_TOKEN_EXPIRED", "NEW_PASSWORD_NEEDED", "ADDITIONAL_CREDENTIALS_NEEDED"}
    assert {status for status in ALL if needs_attention(status)} == mendable
    assert needs_attention("INCORRECT_PASSWORD")


def test_an_unknown_status_neither_works_nor_asks_the_user() -> None:
    assert not credentials_work("SOMETHING_NEW")
    assert not needs_attention("SOMETHING_NEW")

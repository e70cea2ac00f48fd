import base64

from hypothesis import given
from hypothesis import strategies as st

from service.store.encryption import Cipher

OLD, NEW = "o" * 32, "n" * 32
SEAL = Cipher([NEW, OLD])
SECRET = "https://pages.example.com/p/connect/company/secret"
CLOSED = SEAL.encrypt(SECRET, "ses_1")


def test_what_was_closed_for_a_row_opens_for_that_row() -> None:
    assert SEAL.decrypt(CLOSED, "ses_1") == SECRET


def test_what_is_closed_cannot_be_read() -> None:
    raw = base64.urlsafe_b64decode(CLOSED.partition(".")[2])
    assert b"example" not in raw
    assert "example" not in CLOSED


def test_closing_twice_gives_two_different_texts() -> None:
    assert SEAL.encrypt(SECRET, "ses_1") != CLOSED


def test_a_value_moved_to_another_row_does_not_open() -> None:
    assert SEAL.decrypt(CLOSED, "ses_2") == ""


def test_after_a_rotation_what_the_old_key_closed_still_opens() -> None:
    assert SEAL.decrypt(Cipher([OLD]).encrypt(SECRET, "ses_1"), "ses_1") == SECRET


def test_the_newest_key_closes() -> None:
    assert Cipher([NEW]).decrypt(CLOSED, "ses_1") == SECRET
    assert Cipher([OLD]).decrypt(CLOSED, "ses_1") == ""


def test_the_key_is_not_shown() -> None:
    assert NEW not in CLOSED


def test_the_randomness_is_given() -> None:
    fixed = Cipher([NEW], lambda size: b"\x01" * size)
    assert fixed.encrypt(SECRET, "ses_1") == fixed.encrypt(SECRET, "ses_1")


@given(st.text(), st.text())
def test_any_text_of_any_row_comes_back(text: str, row_id: str) -> None:
    assert SEAL.decrypt(SEAL.encrypt(text, row_id), row_id) == text


@given(st.integers(0, len(CLOSED) - 1), st.characters(codec="ascii"))
def test_any_changed_character_opens_to_nothing(at: int, character: str) -> None:
    changed = CLOSED[:at] + character + CLOSED[at + 1 :]
    assert changed == CLOSED or SEAL.decrypt(changed, "ses_1") in {"", SECRET}


@given(st.integers(0, len(CLOSED) - 1))
def test_any_truncated_value_opens_to_nothing(cut: int) -> None:
    assert SEAL.decrypt(CLOSED[:cut], "ses_1") == ""


@given(st.text(st.characters(codec="ascii")))
def test_any_other_value_opens_to_nothing(text: str) -> None:
    assert SEAL.decrypt(f"{CLOSED.partition('.')[0]}.{text}", "ses_1") == ""

"""Sessions and their columns: no field is lost between them, and what is secret is encrypted."""

from dataclasses import fields

from service.domain.model import Session
from service.store.encryption import Cipher
from service.store.session_rows import session_values
from tests.support.domain_values import MAGIC, link, session, with_link

SEAL = Cipher(["k" * 32])
# A reference, a list of references, several columns, a reference, a column of the row that it leads to.
ELSEWHERE = {"company", "sites", "link", "user", "user_id"}


def test_every_field_of_a_session_has_a_column() -> None:
    assert {each.name for each in fields(Session)} - ELSEWHERE - set(session_values(session(), SEAL)) == set()


def test_a_session_without_a_link_has_no_columns_of_one() -> None:
    values = session_values(session(), SEAL)
    assert values["link_url"] is values["link_given_at"] is values["invitation_id"] is None


def test_a_magic_link_has_no_invitation_and_an_invitation_has() -> None:
    assert session_values(with_link(session(), MAGIC), SEAL)["invitation_id"] is None
    assert session_values(with_link(session(), link()), SEAL)["invitation_id"] == "inv_1"


def test_an_email_address_is_stored_encrypted_and_does_not_decrypt_in_the_column_of_the_link() -> None:
    stored = session_values(with_link(session(user_email="ada@example.com"), link()), SEAL)
    assert "ada" not in stored["user_email"]
    assert SEAL.decrypt(stored["user_email"], f"{session().id}/email") == "ada@example.com"
    assert SEAL.decrypt(stored["user_email"], session().id) == ""
    assert SEAL.decrypt(stored["link_url"], f"{session().id}/email") == ""

"""Connections and their columns: no field is lost between them."""

from dataclasses import fields

from service.domain.model import Connection
from service.store.rows import assignments, connection_values
from tests.support.domain_values import CONNECTION, connection


def test_every_field_of_a_connection_has_a_column() -> None:
    columns = connection_values(connection())
    named = {"company": "company_ref", "reported": "provider_status", "verdict": "evidence_kind"}
    assert {named.get(each.name, each.name) for each in fields(Connection)} - set(columns) == set()


def test_a_status_is_kept_in_one_word_and_as_the_provider_says_it() -> None:
    values = connection_values(connection(reported=connection().reported))
    assert (values["status"], values["provider_status"], values["id"]) == ("CONNECTED", "CONNECTED", CONNECTION)


def test_an_update_names_each_column_once() -> None:
    assert assignments(["a", "b"]) == "a = :a, b = :b"

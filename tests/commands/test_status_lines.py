"""The lines and columns that commands print for a connection's status."""

import pytest

from service.commands import api_client
from service.commands.status_lines import lines_of, turn_of
from service.domain.status_words import all_words


@pytest.mark.parametrize(
    ("row", "turn"),
    [
        ({}, None),
        ({"status": None}, None),
        ({"status": "CONNECTED", "state": "working"}, None),
        ({"status": "PASSWORD_INCORRECT", "state": "action_needed"}, "user"),
        ({"status": "PASSWORD_INCORRECT", "state": "checking"}, "provider"),
        ({"status": "COMPANY_INACTIVE", "state": "inactive"}, "host"),
        ({"status": "REMOVED", "state": "inactive"}, "user"),
        ({"status": "SOMETHING_NEW", "state": "something_new"}, "provider"),
    ],
)
def test_the_table_says_whose_turn_it_is(row: api_client.Json, turn: str | None) -> None:
    assert turn_of(row) == turn


def test_a_connection_that_works_is_one_line() -> None:
    assert lines_of({"id": "c1", "status": "CONNECTED", "state": "working"}) == ["connection c1 CONNECTED"]


def test_every_other_status_has_its_words_its_turn_and_its_steps_in_order() -> None:
    for words in all_words():
        if words.status == "CONNECTED":
            continue
        head, says, turn, *steps = lines_of({"id": "c1", "status": words.status, "state": words.state.value})
        assert head == f"connection c1 {words.status}"
        assert says == f"  {words.title} {words.sentence}"
        assert turn.endswith(f": {words.turn.value}")
        assert steps == [f"  {number}. {step.text}" for number, step in enumerate(words.steps, 1)]


def test_a_session_that_is_followed_tells_what_helps() -> None:
    before = {"status": "opened", "connections": []}
    row = {"id": "c1", "status": "MFA_TOKEN_EXPIRED", "state": "action_needed"}
    lines = api_client.changes_between(before, before | {"connections": [row]})
    assert lines[0] == "connection c1 MFA_TOKEN_EXPIRED"
    assert lines[3].startswith("  1. Upload your bills instead.")

"""What a connection's status means, as columns and lines for a terminal, from the table that the pages use."""

from collections.abc import Mapping
from typing import Any

from service.domain.status_words import StatusWords, words_for
from service.domain.statuses import ConnectionState

_STATES = {state.value: state for state in ConnectionState}


def words_of(row: Mapping[str, Any]) -> StatusWords | None:
    """The words for a connection as the API answers it; None for a row without a status."""
    if not row.get("status"):
        return None
    return words_for(str(row["status"]), _STATES.get(str(row.get("state"))))


def turn_of(row: Mapping[str, Any]) -> str | None:
    """Who can bring the connection forward; None where it works and nothing is left to do."""
    words = words_of(row)
    return words.turn.value if words is not None and words.state is not ConnectionState.WORKING else None


def lines_of(row: Mapping[str, Any]) -> list[str]:
    """The connection with its status and, indented, what that means, whose turn it is and what helps."""
    lines, words = [f"connection {row.get('id')} {row.get('status')}"], words_of(row)
    if words is None or words.state is ConnectionState.WORKING:
        return lines
    lines += [f"  {words.title} {words.sentence}", f"  Whose turn it is: {words.turn.value}"]
    return lines + [f"  {number}. {step.text}" for number, step in enumerate(words.steps, 1)]

"""What the log tells of outcomes: no session expires after its connection was recorded, each change is told once."""

import json
from collections import defaultdict
from typing import Any

from service.domain.statuses import ConnectionState, needs_attention
from tests.simulation.checks import Row, StoredRows
from tests.simulation.simulation import Simulation

_ASKED = "connection.needs_attention"


def check_outcomes(simulation: Simulation, stored: StoredRows) -> None:
    """Replay the log of one history."""
    _check_expiries(simulation, stored)
    told: dict[str, list[tuple[Row, dict[str, Any]]]] = defaultdict(list)
    for row in stored.events:
        if row["connection_id"] is not None:
            told[row["connection_id"]].append((row, json.loads(row["data"])))
    for connection_id, events in told.items():
        if connection_id in stored.connections:  # a session may name one that is not recorded
            _check_episodes(simulation, stored, stored.connections[connection_id], events)
    _check_connected(simulation, stored)


def _check_expiries(simulation: Simulation, stored: StoredRows) -> None:
    holds: dict[str, set[str]] = defaultdict(set)
    for row in stored.events:
        session, connection = row["session_id"], row["connection_id"]
        if row["type"] in {"connection.recorded", "connection.reassigned", "connection.ambiguous"}:
            for held in holds.values():
                held.discard(connection)
        if row["type"] in {"connection.recorded", "connection.reassigned"}:
            holds[session].add(connection)
        if row["type"] == "session.reopened" or "claim" in json.loads(row["data"]):
            holds[session].clear()
        if row["type"] == "session.expired" and holds[session]:
            simulation.fault(f"{session} expired after {sorted(holds[session])} was recorded for it")


def _check_episodes(
    simulation: Simulation, stored: StoredRows, row: Row, events: list[tuple[Row, dict[str, Any]]]
) -> None:
    """One `needs_attention` from the first bad status to `working`, for each owner; and one where it is bad now.

    An owner is a user: among sessions of one user it is the same episode.
    """
    asked = None  # the user who was asked
    for event, data in events:
        user = stored.sessions[event["session_id"]]["user_ref"] if event["session_id"] else None
        owner_changes = event["type"] in {"connection.recorded", "connection.reassigned", "connection.ambiguous"}
        # What a claim changes comes before the claim itself, so its owner may have been asked already.
        if data.get("state") == ConnectionState.WORKING or ((owner_changes or "claim" in data) and user != asked):
            asked = None
        if event["type"] == _ASKED and asked:
            simulation.fault(f"{row['id']} asked for attention twice in one episode: {_told(events)}")
        asked = user if event["type"] == _ASKED else asked
    asks = row["session_id"] is not None and needs_attention(ConnectionState(row["state"]))
    if asks and row["attention_at"] is None:
        simulation.fault(f"{row['id']} is {row['state']} and its owner was not asked: {_told(events)}")
    if row["attention_at"] is not None and not asked:
        simulation.fault(f"{row['id']} counts as asked, and the log does not say so: {_told(events)}")


def _told(events: list[tuple[Row, dict[str, Any]]]) -> list[str]:
    return [f"{event['type']} {data.get('state', '')}".strip() for event, data in events]


def _check_connected(simulation: Simulation, stored: StoredRows) -> None:
    """`session.connected` and `session.submitted` are told once, unless the connection was taken in between."""
    told: dict[str, set[str]] = defaultdict(set)
    for row in stored.events:
        if row["type"] == "session.reopened":
            told[row["session_id"]].clear()
        if row["type"] in {"session.connected", "session.submitted"}:
            if row["type"] in told[row["session_id"]]:
                simulation.fault(f"{row['session_id']} was told of twice: {row['type']}")
            told[row["session_id"]].add(row["type"])

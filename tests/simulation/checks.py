"""Reads everything when a history is over: the database as it lies, and the provider as it is."""

import asyncio
import json
from dataclasses import dataclass, field
from typing import Any

from service.domain.statuses import ConnectionState, state_of
from service.store.engine import Engine
from tests.simulation.simulation import Simulation

Row = dict[str, Any]
_UNNUMBERED = "SELECT 1 AS found FROM events WHERE seq IS NULL"
_TABLES = (
    *(
        "companies",
        "connections",
        "deliveries",
        "endpoints",
        "events",
        "event_sessions",
        "inbox",
        "invitations",
        "sessions",
    ),
    *("session_connections", "users", "work"),
)


@dataclass
class Counts:
    """What one history had in it, for the sums at the end of a run."""

    connections: int = 0
    exact: int = 0
    presumed: int = 0
    presumed_wrong: int = 0
    claimed: int = 0
    unattributed: int = 0
    unrecorded: int = 0
    reconnected: int = 0
    events: int = 0


@dataclass
class StoredRows:
    """The database's rows, by their keys."""

    tables: dict[str, list[Row]]
    connections: dict[str, Row] = field(init=False)
    sessions: dict[str, Row] = field(init=False)
    events: list[Row] = field(init=False)
    attachments: dict[tuple[str, str], str] = field(init=False)

    def __post_init__(self) -> None:
        users = {row["ref"]: row["user_id"] for row in self.tables["users"]}
        for row in (*self.tables["connections"], *self.tables["sessions"]):
            row["user_id"] = users.get(row["user_ref"])
        self.connections = {row["id"]: row for row in self.tables["connections"]}
        self.sessions = {row["id"]: row for row in self.tables["sessions"]}
        self.events = sorted(self.tables["events"], key=lambda row: row["seq"] or 0)
        self.attachments = {
            (row["session_id"], row["connection_id"]): row["kind"] for row in self.tables["session_connections"]
        }

    def ownership_events(self, connection_id: str) -> list[Row]:
        """What the log says of one connection's owner, oldest first."""
        names = {"connection.recorded", "connection.reassigned", "connection.ambiguous"}
        return [row for row in self.events if row["connection_id"] == connection_id and row["type"] in names]


async def read_rows(engine: Engine) -> StoredRows:
    """All of it, once the log is numbered."""

    async def rows(table: str) -> list[Row]:
        return await engine.read(lambda tx: [dict(row) for row in tx.all(f"SELECT * FROM {table}")])  # noqa: S608 - our own names

    # On PostgreSQL a thread gives events their positions soon after the commit.
    while await engine.read(lambda tx: tx.one(_UNNUMBERED)):  # noqa: ASYNC110 - nothing signals it
        await asyncio.sleep(0.01)
    return StoredRows({table: await rows(table) for table in _TABLES})


def check_provider(simulation: Simulation, stored: StoredRows) -> None:
    """While links still live: what the service made there is there once, known to us, and revoked if it must be."""
    known = {row["id"]: row["session_id"] for row in stored.tables["invitations"]}
    for company in simulation.world.companies:
        _check_duplicates(simulation, company)
        for invitation in simulation.world.invitations.of(company.id):
            _check_invitation(simulation, stored, invitation, known.get(invitation.id))


def _check_duplicates(simulation: Simulation, company: Any) -> None:
    """But for a process that stood still for longer than anybody waits while its call was just leaving it."""
    if simulation.ground_truth.stalled:
        return
    if sum(one.external_id == company.external_id for one in simulation.world.companies) > 1:
        simulation.fault(f"DOUBLED at the provider: company {company.external_id}")
    names = [site.values["externalId"] for site in simulation.world.companies.sites_of(company.id)]
    if len(set(names)) < len(names):
        simulation.fault(f"DOUBLED at the provider: sites {names} of {company.external_id}")


def _check_invitation(simulation: Simulation, stored: StoredRows, invitation: Any, session_id: str | None) -> None:
    own = stored.sessions[session_id] if session_id is not None else None
    if own is not None and _is_dead(own, invitation):
        simulation.fault(f"DEAD: {own['id']} is {own['status']} and its link {invitation.id} was revoked")
    if invitation.expires_at is None or simulation.world.invitations.status(invitation) != "ACTIVE":
        return
    if own is None and not simulation.ground_truth.links_lied:
        simulation.fault(f"ORPHAN: an invitation of ours is active and unknown to us: {invitation}")
    elif own is not None and own["status"] == "revoked":
        simulation.fault(f"ALIVE: {session_id} is revoked and its invitation {invitation.id} is not")


def _is_dead(session: Row, invitation: Any) -> bool:
    """A person who may still use this session would find its link revoked.

    A session whose time is over is `exited` while its account still needs something.
    """
    live = session["status"] in {"created", "opened", "exited"} and session["over_at"] is None
    return live and session["invitation_id"] == invitation.id and invitation.revoked_at is not None


def check_log(simulation: Simulation, stored: StoredRows) -> None:
    """No gap, no duplicate, and a host that follows the log has read everything."""
    seqs = [row["seq"] for row in stored.events]
    if seqs != list(range(1, len(seqs) + 1)):
        simulation.fault(f"the log has gaps: {seqs}")
    if simulation.received != [row["id"] for row in stored.events]:
        missed = [row["id"] for row in stored.events if row["id"] not in simulation.received]
        simulation.fault(
            f"a reader of the log has not read it: {missed} missed of {len(seqs)}, {len(simulation.received)} heard"
        )
    for row in stored.tables["inbox"]:
        if row["done_at"] is None:
            simulation.fault(f"a webhook was acknowledged and never worked off: {row['message_id']}")


_ONCE = ("session.created", "session.revoked", "session.failed")
_ENDS = {
    "connected": "session.connected",
    "submitted": "session.submitted",
    "expired": "session.expired",
    "revoked": "session.revoked",
    "exited": "session.exited",
}


def check_sessions(simulation: Simulation, stored: StoredRows) -> None:
    """The log agrees with the row of each session."""
    reported: dict[str, list[str]] = {session_id: [] for session_id in stored.sessions}
    for row in stored.events:
        if row["session_id"] is not None and row["type"].startswith("session."):
            reported[row["session_id"]].append(row["type"])
    for session_id, types in reported.items():
        _check_events_of(simulation, stored.sessions[session_id], types)
    for session_id, connection_id in stored.attachments:
        _check_attachment(simulation, stored, session_id, connection_id)
    holders = {session_id for session_id, _ in stored.attachments}
    for session_id, row in stored.sessions.items():
        if row["status"] in {"connected", "submitted"} and session_id not in holders:
            simulation.fault(f"{session_id} is {row['status']} and has no connection: {reported[session_id]}")
        _check_status(simulation, stored, row)


def _check_status(simulation: Simulation, stored: StoredRows, row: Row) -> None:
    """The status follows from the rest of the row, and `progress` from what is attached."""
    attached = [one["progress"] for one in stored.tables["session_connections"] if one["session_id"] == row["id"]]
    reached = max(attached, default=0)
    if row["progress"] != reached:
        simulation.fault(f"{row['id']} has progress {row['progress']}, and what is attached reached {reached}")
    order = [
        ("revoked", row["revoked_at"] is not None),
        ("connected", reached == 3),
        ("submitted", reached == 2),
        ("failed", row["failure"] is not None),
        ("exited", row["over_at"] is not None and reached == 1),
        ("expired", row["over_at"] is not None),
        ("exited", row["left_at"] is not None),
        ("opened", row["opened_at"] is not None),
        ("created", True),
    ]
    expected = next(status for status, holds in order if holds)
    if row["status"] != expected:
        simulation.fault(f"{row['id']} is {row['status']} and should be {expected}")


def _check_events_of(simulation: Simulation, row: Row, types: list[str]) -> None:
    if types[:1] != ["session.created"] or any(types.count(name) > 1 for name in _ONCE):
        simulation.fault(f"{row['id']} is told of wrongly: {types}")
    # One whose connection was taken after its time was over is reopened as expired, by that one event.
    if _ENDS.get(row["status"], "session.created") not in types and "session.reopened" not in types:
        simulation.fault(f"{row['id']} is {row['status']} and the log does not say so: {types}")
    if "session.revoked" in types and row["status"] != "revoked":
        simulation.fault(f"{row['id']} was revoked and is {row['status']}")


def _check_attachment(simulation: Simulation, stored: StoredRows, session_id: str, connection_id: str) -> None:
    session, connection = stored.sessions[session_id], stored.connections[connection_id]
    kind = stored.attachments[session_id, connection_id]
    if connection["user_id"] != session["user_id"]:
        simulation.fault(
            f"{session_id} of {session['user_id']} lists {connection_id}, {kind}, of {connection['user_id']}"
        )
    if kind != "reconnect" and connection["session_id"] != session_id:
        simulation.fault(f"{session_id} lists {connection_id}, which belongs to {connection['session_id']}")
    state = state_of(connection["provider_status"])
    if state is ConnectionState.WORKING and session["status"] not in {"connected", "revoked"}:
        simulation.fault(f"{session_id} is {session['status']} and its connection {connection_id} works")
    is_checked = state in {ConnectionState.CHECKING, ConnectionState.DELAYED}
    if is_checked and session["status"] not in {"submitted", "connected", "revoked"}:
        simulation.fault(f"{session_id} is {session['status']} and its connection {connection_id} is {state}")


def candidates_of(row: Row) -> list[str]:
    return sorted(session for session, _, _ in json.loads(row["candidates"]))

"""After the killing: what the provider has, what the service says, and what the users did must agree."""

from collections import Counter, defaultdict
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import httpx

from service.domain.statuses import canonical_status
from service.usecases.withdrawals import invitation_lifetime
from tests.load.load_users import PlannedSession
from tests.simulation.checks import StoredRows

_SANDBOX = {"X-API-Key": "sandbox-key"}
# What a session may be beside no connection, and beside those that ask something of their user.
_ANY = {"created", "opened", "submitted", "connected", "exited", "expired", "failed", "revoked"}
_OPEN = _ANY - {"expired"}
JsonObject = dict[str, Any]


@dataclass
class Findings:
    """`faults` is empty where every promise was kept."""

    faults: list[str] = field(default_factory=list)
    connections: int = 0
    exact: int = 0
    presumed: int = 0
    presumed_wrong: int = 0
    unattributed: int = 0
    submitted: int = 0
    checked: int = 0
    delivered: int = 0
    repeated: int = 0

    def __str__(self) -> str:
        return (
            f"{self.connections} connections: {self.exact} by invitation, {self.presumed} presumed "
            f"({self.presumed_wrong} of them wrongly), {self.unattributed} unattributed; {self.submitted} sessions "
            f"submitted, {self.checked} connected after that; {self.delivered} events delivered, {self.repeated} again"
        )


@dataclass
class Provided:
    """What the provider has."""

    companies: list[JsonObject]
    connections: dict[str, JsonObject]
    invitations: list[JsonObject]

    @classmethod
    def read(cls, url: str) -> "Provided":
        with httpx.Client(base_url=f"{url}/v2.2", headers=_SANDBOX, trust_env=False, timeout=30) as http:
            companies: list[JsonObject] = http.get("/company").json()
            connections: dict[str, JsonObject] = {}
            invitations: list[JsonObject] = []
            for company in companies:
                for one in _pages(http, f"/company/{company['id']}/connection", "connections"):
                    connections[one["id"]] = one
                invitations += _pages(http, f"/invitation/company/{company['id']}", "invitations")
        return cls(companies, connections, invitations)


def undecided(provided: Provided, rows: StoredRows) -> int:
    """How much is still to come: connections not recorded, judged or checked, webhooks not worked off, deliveries."""
    missing = provided.connections.keys() - rows.connections.keys()
    waiting = [row for row in rows.connections.values() if row["waiting"] or row["state"] == "checking"]
    webhooks = [row for row in rows.tables["inbox"] if row["done_at"] is None]
    bills = {"documents", "uploads"}  # they come and come, and decide nothing
    work = [row for row in rows.tables["work"] if row["kind"] not in bills]
    under_way = [row for row in work if row["lease"] is not None or row["kind"] in {"prepare", "withdraw", "sweep"}]
    deliveries = [row for row in rows.tables["deliveries"] if row["status"] == "pending"]
    return len(missing) + len(waiting) + len(webhooks) + len(under_way) + len(deliveries) + len(_stale(provided, rows))


def _stale(provided: Provided, rows: StoredRows) -> list[str]:
    """Connections whose status at the provider is not known here."""
    return [
        one["id"]
        for one in provided.connections.values()
        if (row := rows.connections.get(one["id"])) is not None and row["status"] != canonical_status(one["status"])
    ]


def audit(provided: Provided, rows: StoredRows, planned_sessions: list[PlannedSession]) -> Findings:
    findings = Findings()
    _check_provider(findings, provided, rows)
    _check_sessions(findings, rows, planned_sessions)
    _check_outcomes(findings, rows)
    findings.faults += [f"STALE: {one} has another status at the provider" for one in _stale(provided, rows)]
    seqs = [row["seq"] for row in rows.events]
    if seqs != list(range(1, len(seqs) + 1)):
        findings.faults.append(f"the log has gaps between {seqs[:1]} and {seqs[-1:]}")
    by_label = {f"{planned.label}@example.com": planned for planned in planned_sessions}
    makers = {
        one["id"]: invitation["id"] for invitation in provided.invitations for one in invitation["createdConnections"]
    }
    sessions = {row["id"]: row["session_id"] for row in rows.tables["invitations"]}
    for connection_id, seen in provided.connections.items():
        planned = by_label[seen["workflowOwnerEmail"]]
        invited = sessions.get(makers[connection_id]) if connection_id in makers else None
        _check_connection(findings, rows, connection_id, planned, invited)
    return findings


def _check_connection(
    findings: Findings, rows: StoredRows, connection_id: str, planned: PlannedSession, invited: str | None
) -> None:
    findings.connections += 1
    row = rows.connections.get(connection_id)
    if row is None:
        findings.faults.append(f"LOST: {connection_id}, made by {planned}")
        return
    _check_events(findings, row, Counter(event["type"] for event in rows.ownership_events(connection_id)))
    if row["session_id"] is None:
        findings.unattributed += 1
    elif row["presumed"]:
        findings.presumed += 1
        findings.presumed_wrong += row["user_id"] != planned.user
    else:
        findings.exact += 1
        if row["session_id"] != planned.session:
            findings.faults.append(f"WRONG: {connection_id} of {planned} is given to {row['session_id']}")
    if invited not in {None, row["session_id"]}:
        findings.faults.append(
            f"WRONG: {connection_id} was made by the invitation of {invited}, not {row['session_id']}"
        )


def _check_events(findings: Findings, row: JsonObject, reported: Counter[str]) -> None:
    if reported["connection.recorded"] != (row["session_id"] is not None):
        findings.faults.append(f"DOUBLED or unsaid: {row['id']} of {row['session_id']} is told as {dict(reported)}")
    if row["session_id"] is None and not reported["connection.ambiguous"]:
        findings.faults.append(f"UNSAID: {row['id']} is nobody's and was not announced")


def _check_provider(findings: Findings, provided: Provided, rows: StoredRows) -> None:
    names = Counter(company["externalId"] for company in provided.companies)
    findings.faults += [f"DOUBLED at the provider: company {name}" for name, count in names.items() if count > 1]
    for company in provided.companies:
        sites = [site["externalId"] for site in company["sites"]]
        if len(set(sites)) < len(sites):
            findings.faults.append(f"DOUBLED at the provider: sites {sites}")
    known = {row["id"] for row in rows.tables["invitations"]}
    orphans = [one for one in provided.invitations if one["status"] == "ACTIVE" and one["id"] not in known]
    findings.faults += [
        f"ORPHAN: {one['id']}, active at the provider since {one['createdAt']} and unknown to us, for {_of(one, rows)}"
        for one in orphans
    ]


def _of(invitation: JsonObject, rows: StoredRows) -> list[str]:
    """The sessions for which it was created, by its lifetime, and what the log says of them."""
    if invitation["expiresAt"] is None:
        return [f"nobody: {invitation}"]
    begins, ends = (datetime.fromisoformat(invitation[name]).timestamp() for name in ("createdAt", "expiresAt"))
    found = []
    for row in rows.sessions.values():
        told = [f"{event['type']} at {event['at']:.0f}" for event in rows.events if event["session_id"] == row["id"]]
        lifetime = row["expires_at"] - row["issued_at"]
        found += [
            f"{row['id']} ({row['status']}, serial {serial} of {row['serial']}): {told}"
            for serial in range(1, row["serial"] + 1)
            if abs(invitation_lifetime(row["id"], serial, lifetime) - (ends - begins)) < 2
        ]
    return found


def _check_sessions(findings: Findings, rows: StoredRows, planned_sessions: list[PlannedSession]) -> None:
    created = Counter(row["session_id"] for row in rows.events if row["type"] == "session.created")
    if any(created[session_id] != 1 for session_id in rows.sessions):
        findings.faults.append("a session was announced more or less than once")
    labels = Counter(row["metadata"] for row in rows.sessions.values())
    findings.faults += [f"DOUBLED: {count} sessions of {label}" for label, count in labels.items() if count > 1]
    for planned in planned_sessions:
        if planned.session and planned.session not in rows.sessions:
            findings.faults.append(f"LOST: the session of {planned}")


def _check_outcomes(findings: Findings, rows: StoredRows) -> None:
    """A session is what its connections make it, never expired beside one, and told so once."""
    states: dict[str, set[str]] = defaultdict(set)
    for session_id, connection_id in rows.attachments:
        states[session_id].add(rows.connections[connection_id]["state"])
    told = Counter((row["session_id"], row["type"]) for row in rows.events)
    for session_id, session in rows.sessions.items():
        status, found = session["status"], states[session_id]
        wanted = {"submitted", "connected"} if found & {"checking", "delayed"} else _OPEN if found else _ANY
        if status not in ({"connected"} if "working" in found else wanted):
            findings.faults.append(f"UNTRUE: {session_id} is {status} with connections that are {sorted(found)}")
        for name in ("session.submitted", "session.connected"):
            if told[session_id, name] > 1 + told[session_id, "session.reopened"]:
                findings.faults.append(f"DOUBLED: {session_id} was told {name} {told[session_id, name]} times")
        findings.submitted += status == "submitted"
        findings.checked += status == "connected" and told[session_id, "session.submitted"] > 0


def _pages(http: httpx.Client, path: str, name: str) -> list[JsonObject]:
    found: list[JsonObject] = []
    page, more = 1, True
    while more:
        body = http.get(path, params={"page": page, "limit": 500}).json()
        found += body[name]
        page, more = page + 1, bool(body.get("hasNext"))
    return found

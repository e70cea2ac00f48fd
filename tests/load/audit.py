"""After the killing: what the provider has, what the service says, and what the people did must be one story."""

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

import httpx

from tests.load.crowd import Wish
from tests.simulation.checks import Books

_SANDBOX = {"X-API-Key": "sandbox-key"}
Wire = dict[str, Any]


@dataclass
class Findings:
    """`faults` is empty where every promise was kept."""

    faults: list[str] = field(default_factory=list)
    connections: int = 0
    exact: int = 0
    presumed: int = 0
    presumed_wrong: int = 0
    unattributed: int = 0

    def __str__(self) -> str:
        return (
            f"{self.connections} connections: {self.exact} by invitation, {self.presumed} presumed "
            f"({self.presumed_wrong} of them wrongly), {self.unattributed} unattributed"
        )


@dataclass
class Provided:
    """What the provider has."""

    companies: list[Wire]
    connections: dict[str, Wire]
    invitations: list[Wire]

    @classmethod
    def read(cls, url: str) -> "Provided":
        with httpx.Client(base_url=f"{url}/v2.2", headers=_SANDBOX, trust_env=False, timeout=30) as http:
            companies: list[Wire] = http.get("/company").json()
            connections: dict[str, Wire] = {}
            invitations: list[Wire] = []
            for company in companies:
                for one in _pages(http, f"/company/{company['id']}/connection", "connections"):
                    connections[one["id"]] = one
                invitations += _pages(http, f"/invitation/company/{company['id']}", "invitations")
        return cls(companies, connections, invitations)


def undecided(provided: Provided, books: Books) -> int:
    """How much is still to come: connections not recorded or not judged, webhooks not worked off."""
    missing = provided.connections.keys() - books.connections.keys()
    waiting = [row for row in books.connections.values() if row["waiting"]]
    letters = [row for row in books.tables["inbox"] if row["done_at"] is None]
    work = [
        row for row in books.tables["work"] if row["kind"] != "documents"
    ]  # bills come and come, and decide nothing
    under_way = [row for row in work if row["lease"] is not None or row["kind"] in {"prepare", "withdraw"}]
    return len(missing) + len(waiting) + len(letters) + len(under_way)


def audit(provided: Provided, books: Books, wishes: list[Wish]) -> Findings:
    findings = Findings()
    _check_provider(findings, provided, books)
    _check_sessions(findings, books, wishes)
    seqs = [row["seq"] for row in books.events]
    if seqs != list(range(1, len(seqs) + 1)):
        findings.faults.append(f"the log has gaps between {seqs[:1]} and {seqs[-1:]}")
    by_label = {f"{wish.label}@example.com": wish for wish in wishes}
    makers = {
        one["id"]: invitation["id"] for invitation in provided.invitations for one in invitation["createdConnections"]
    }
    sessions = {row["id"]: row["session_id"] for row in books.tables["invitations"]}
    for connection_id, seen in provided.connections.items():
        wish = by_label[seen["workflowOwnerEmail"]]
        invited = sessions.get(makers[connection_id]) if connection_id in makers else None
        _check_connection(findings, books, connection_id, wish, invited)
    return findings


def _check_connection(findings: Findings, books: Books, connection_id: str, wish: Wish, invited: str | None) -> None:
    findings.connections += 1
    row = books.connections.get(connection_id)
    if row is None:
        findings.faults.append(f"LOST: {connection_id}, made by {wish}")
        return
    _check_told(findings, row, Counter(event["type"] for event in books.told_of(connection_id)))
    if row["session_id"] is None:
        findings.unattributed += 1
    elif row["presumed"]:
        findings.presumed += 1
        findings.presumed_wrong += row["user_id"] != wish.user
    else:
        findings.exact += 1
        if row["session_id"] != wish.session:
            findings.faults.append(f"WRONG: {connection_id} of {wish} is given to {row['session_id']}")
    if invited not in {None, row["session_id"]}:
        findings.faults.append(
            f"WRONG: {connection_id} was made by the invitation of {invited}, not {row['session_id']}"
        )


def _check_told(findings: Findings, row: Wire, told: Counter[str]) -> None:
    if told["connection.recorded"] != (row["session_id"] is not None):
        findings.faults.append(f"DOUBLED or unsaid: {row['id']} of {row['session_id']} is told as {dict(told)}")
    if row["session_id"] is None and not told["connection.ambiguous"]:
        findings.faults.append(f"UNSAID: {row['id']} is nobody's and was not announced")


def _check_provider(findings: Findings, provided: Provided, books: Books) -> None:
    names = Counter(company["externalId"] for company in provided.companies)
    findings.faults += [f"DOUBLED at the provider: company {name}" for name, count in names.items() if count > 1]
    for company in provided.companies:
        sites = [site["externalId"] for site in company["sites"]]
        if len(set(sites)) < len(sites):
            findings.faults.append(f"DOUBLED at the provider: sites {sites}")
    known = {row["id"] for row in books.tables["invitations"]}
    orphans = [one["id"] for one in provided.invitations if one["status"] == "ACTIVE" and one["id"] not in known]
    if orphans:
        findings.faults.append(f"ORPHANS: active at the provider and unknown to us: {orphans}")


def _check_sessions(findings: Findings, books: Books, wishes: list[Wish]) -> None:
    created = Counter(row["session_id"] for row in books.events if row["type"] == "session.created")
    if any(created[session_id] != 1 for session_id in books.sessions):
        findings.faults.append("a session was announced more or less than once")
    labels = Counter(row["metadata"] for row in books.sessions.values())
    findings.faults += [f"DOUBLED: {count} sessions of {label}" for label, count in labels.items() if count > 1]
    for wish in wishes:
        if wish.session and wish.session not in books.sessions:
            findings.faults.append(f"LOST: the session of {wish}")


def _pages(http: httpx.Client, path: str, name: str) -> list[Wire]:
    found: list[Wire] = []
    page, more = 1, True
    while more:
        body = http.get(path, params={"page": page, "limit": 500}).json()
        found += body[name]
        page, more = page + 1, bool(body.get("hasNext"))
    return found

"""Whose each connection is said to be, held against who made it."""

import json

from tests.simulation.checks import Counts, Row, StoredRows, candidates_of
from tests.simulation.ground_truth import Made
from tests.simulation.simulation import Simulation


class OwnershipChecks:
    """Faults go to the simulation, sums to the counts."""

    def __init__(self, simulation: Simulation, stored: StoredRows) -> None:
        self._simulation = simulation
        self._stored = stored
        self._ground_truth = simulation.ground_truth
        self.counts = Counts(events=len(stored.events))
        companies = {row["ref"]: row["provider_id"] for row in stored.tables["companies"]}
        self._linked = {companies[row["company_ref"]] for row in stored.sessions.values() if row["revealed_at"]}

    def check(self) -> Counts:
        for connection_id in self._stored.connections.keys() - self._ground_truth.made.keys():
            self._simulation.fault(f"INVENTED: {connection_id} is recorded and nobody made it")
        for made in self._ground_truth.made.values():
            self.counts.connections += 1
            row = self._stored.connections.get(made.id)
            if row is None:
                self._unrecorded(made)
            else:
                self._recorded(made, row)
        for session_id, connection_id in self._ground_truth.reconnected:
            self._reconnected(session_id, connection_id)
        return self.counts

    def _unrecorded(self, made: Made) -> None:
        self.counts.unrecorded += 1
        if made.id not in self._ground_truth.removed and self._is_ours(made):
            self._simulation.fault(f"LOST: {made}")

    def _is_ours(self, made: Made) -> bool:
        """Newer than the first link that the service made and had for its company, whatever the clocks say."""
        if made.channel in {"invitation", "link"}:
            return True
        first = self._simulation.provider.first_link_at.get(made.company_id)
        return made.company_id in self._linked and first is not None and made.at > first

    def _recorded(self, made: Made, row: Row) -> None:
        if made.channel == "before":
            self._simulation.fault(f"NOT OURS: {made} was there before the first session and is recorded")
        if row["waiting"]:
            self._simulation.fault(f"UNDECIDED for days: {made}")
        checks = {
            "sole_candidate": self._presumed,
            "claimed": self._claimed,
            "invitation": self._exact,
            None: self._unattributed,
        }
        checks[row["evidence_kind"]](made, row)
        if (
            made.channel == "invitation"
            and made.id not in self._ground_truth.removed
            and row["evidence_kind"] != "invitation"
        ):
            self._simulation.fault(
                f"WRONG: {made} was made by invitation and is {row['evidence_kind']} of {row['session_id']}"
            )
        self._check_events(made, row)

    def _exact(self, made: Made, row: Row) -> None:
        self.counts.exact += 1
        if made.channel != "invitation" or row["session_id"] != made.session:
            self._simulation.fault(f"WRONG: {made} is given to {row['session_id']} by invitation")

    def _claimed(self, made: Made, row: Row) -> None:
        self.counts.claimed += 1
        if row["session_id"] not in self._ground_truth.claims.get(made.id, []):
            self._simulation.fault(f"WRONG: {made} is claimed by nobody and given to {row['session_id']}")

    def _presumed(self, made: Made, row: Row) -> None:
        self.counts.presumed += 1
        self.counts.presumed_wrong += row["user_id"] != made.user
        if not row["presumed"]:
            self._simulation.fault(f"WRONG: {made} is presumed and does not say so")
        if made.channel == "foreign" and made.id not in self._ground_truth.removed:
            self._simulation.fault(f"WRONG: {made} was invited elsewhere and is presumed {row['session_id']}'s")
        if made.after_revocation and row["session_id"] == made.session and not self._ground_truth.clock_went_back:
            self._simulation.fault(f"WRONG: {made} came through a revoked link and is presumed its session's")

    def _unattributed(self, made: Made, _row: Row) -> None:
        """Where one user alone ever had links, nothing is ambiguous about what came through them."""
        self.counts.unattributed += 1
        users = {issued.user for issued in self._ground_truth.sessions.values()}
        revoked = made.session is not None and self._stored.sessions[made.session]["status"] == "revoked"
        plain = made.channel == "link" and not revoked and not self._ground_truth.removed
        if (
            plain
            and len(users) == 1
            and not self._ground_truth.clock_went_back
            and made.id not in self._ground_truth.claims
        ):
            self._simulation.fault(f"UNGIVEN: {made} can only be {made.user}'s and is nobody's")

    def _check_events(self, made: Made, row: Row) -> None:
        """The owner in the log: recorded first, taken away only from a presumed owner, and in the end the row's."""
        reported = self._stored.ownership_events(made.id)
        owner, evidence = None, None
        for event in reported:
            said = json.loads(event["data"]).get("evidence")
            if said is not None:
                self._given(made, event, said, (owner, evidence))
            owner, evidence = (event["session_id"] if said else None), said
        if owner != row["session_id"]:
            self._simulation.fault(f"UNSAID: {made} is {row['session_id']}'s and was last told as {owner}'s")
        elif owner is None and not row["waiting"]:
            self._announced(made, row, reported)

    def _given(self, made: Made, event: Row, said: str, before: tuple[str | None, str | None]) -> None:
        owner, evidence = before
        if evidence == "claimed":
            return  # the host may have undone it, which emits no event while more may become known of the connection
        if (event["type"] == "connection.recorded") != (owner is None) or event["session_id"] == owner:
            self._simulation.fault(
                f"DOUBLED: {made} is told as {event['type']} for {event['session_id']} after {owner}"
            )
        sides = [json.loads(event["data"]).get(side, {}).get("sessionId") for side in ("from", "to")]
        if event["type"] == "connection.reassigned" and sides != [owner, event["session_id"]]:
            self._simulation.fault(
                f"UNSAID: {made} went from {owner} to {event['session_id']}, and was told as {sides}"
            )
        if evidence == "invitation":
            self._simulation.fault(f"WRONG: {made} was taken from {owner} by {said}")
        if said == "invitation" and event["session_id"] != made.session:
            self._simulation.fault(f"WRONG: {made} was announced as {event['session_id']}'s by invitation")

    def _announced(self, made: Made, row: Row, reported: list[Row]) -> None:
        if not reported:
            self._simulation.fault(f"UNSAID: {made} is unattributed and was never announced")
            return
        last = reported[-1]
        if json.loads(last["data"])["candidates"] != candidates_of(row):
            self._simulation.fault(f"UNSAID: {made} has other candidates than were announced")
        else:
            told = {one["session_id"] for one in self._stored.tables["event_sessions"] if one["event_id"] == last["id"]}
            if told != set(candidates_of(row)):
                self._simulation.fault(f"UNSAID: {made} is on the timelines of {told}, not of all candidates")

    def _reconnected(self, session_id: str, connection_id: str) -> None:
        row, session = self._stored.connections.get(connection_id), self._stored.sessions[session_id]
        self.counts.reconnected += 1
        if row is None or connection_id in self._ground_truth.removed or row["user_id"] != session["user_id"]:
            return
        if session["invitation_id"] is not None and (session_id, connection_id) not in self._stored.attachments:
            self._simulation.fault(f"LOST: {session_id} mended {connection_id} by invitation and does not list it")

"""Whose each connection is said to be, held against who made it."""

import json

from tests.simulation.checks import Books, Row, Tally, candidates_of
from tests.simulation.town import Town
from tests.simulation.truth import Made


class Verdicts:
    """Faults go to the town, counts to the tally."""

    def __init__(self, town: Town, books: Books) -> None:
        self._town = town
        self._books = books
        self._truth = town.truth
        self.tally = Tally(events=len(books.events))
        companies = {row["ref"]: row["provider_id"] for row in books.tables["companies"]}
        self._linked = {companies[row["company_ref"]] for row in books.sessions.values() if row["revealed_at"]}

    def check(self) -> Tally:
        for connection_id in self._books.connections.keys() - self._truth.made.keys():
            self._town.fault(f"INVENTED: {connection_id} is recorded and nobody made it")
        for made in self._truth.made.values():
            self.tally.connections += 1
            row = self._books.connections.get(made.id)
            if row is None:
                self._unrecorded(made)
            else:
                self._recorded(made, row)
        for session_id, connection_id in self._truth.reconnected:
            self._reconnected(session_id, connection_id)
        return self.tally

    def _unrecorded(self, made: Made) -> None:
        self.tally.unrecorded += 1
        if made.id not in self._truth.removed and self._is_ours(made):
            self._town.fault(f"LOST: {made}")

    def _is_ours(self, made: Made) -> bool:
        """Newer than the first link that the service made and had for its company, whatever the clocks say."""
        if made.door in {"invitation", "link"}:
            return True
        first = self._town.house.first_link_at.get(made.company_id)
        return made.company_id in self._linked and first is not None and made.at > first

    def _recorded(self, made: Made, row: Row) -> None:
        if made.door == "before":
            self._town.fault(f"NOT OURS: {made} was there before the first session and is recorded")
        if row["waiting"]:
            self._town.fault(f"UNDECIDED for days: {made}")
        judge = {
            "sole_candidate": self._presumed,
            "claimed": self._claimed,
            "invitation": self._exact,
            None: self._unattributed,
        }
        judge[row["evidence_kind"]](made, row)
        if made.door == "invitation" and made.id not in self._truth.removed and row["evidence_kind"] != "invitation":
            self._town.fault(
                f"WRONG: {made} was made by invitation and is {row['evidence_kind']} of {row['session_id']}"
            )
        self._told(made, row)

    def _exact(self, made: Made, row: Row) -> None:
        self.tally.exact += 1
        if made.door != "invitation" or row["session_id"] != made.session:
            self._town.fault(f"WRONG: {made} is given to {row['session_id']} by invitation")

    def _claimed(self, made: Made, row: Row) -> None:
        self.tally.claimed += 1
        if row["session_id"] not in self._truth.claims.get(made.id, []):
            self._town.fault(f"WRONG: {made} is claimed by nobody and given to {row['session_id']}")

    def _presumed(self, made: Made, row: Row) -> None:
        self.tally.presumed += 1
        self.tally.presumed_wrong += row["user_id"] != made.user
        if not row["presumed"]:
            self._town.fault(f"WRONG: {made} is presumed and does not say so")
        if made.door == "foreign" and made.id not in self._truth.removed:
            self._town.fault(f"WRONG: {made} was invited elsewhere and is presumed {row['session_id']}'s")
        if made.after_revocation and row["session_id"] == made.session and not self._truth.clock_went_back:
            self._town.fault(f"WRONG: {made} came through a revoked link and is presumed its session's")

    def _unattributed(self, made: Made, _row: Row) -> None:
        """Where one user alone ever had links, nothing is ambiguous about what came through them."""
        self.tally.unattributed += 1
        users = {handed.user for handed in self._truth.sessions.values()}
        revoked = made.session is not None and self._books.sessions[made.session]["status"] == "revoked"
        plain = made.door == "link" and not revoked and not self._truth.removed
        if plain and len(users) == 1 and not self._truth.clock_went_back and made.id not in self._truth.claims:
            self._town.fault(f"UNGIVEN: {made} can only be {made.user}'s and is nobody's")

    def _told(self, made: Made, row: Row) -> None:
        """The log's story of its owner: recorded first, taken away only from a guess, and ending where the row is."""
        told = self._books.told_of(made.id)
        owner, evidence = None, None
        for event in told:
            said = json.loads(event["data"]).get("evidence")
            if said is not None:
                self._given(made, event, said, (owner, evidence))
            owner, evidence = (event["session_id"] if said else None), said
        if owner != row["session_id"]:
            self._town.fault(f"UNSAID: {made} is {row['session_id']}'s and was last told as {owner}'s")
        elif owner is None and not row["waiting"]:
            self._announced(made, row, told)

    def _given(self, made: Made, event: Row, said: str, before: tuple[str | None, str | None]) -> None:
        owner, evidence = before
        if evidence == "claimed":
            return  # the host may have undone it, which is no news while more may be told of the connection
        if (event["type"] == "connection.recorded") != (owner is None) or event["session_id"] == owner:
            self._town.fault(f"DOUBLED: {made} is told as {event['type']} for {event['session_id']} after {owner}")
        if evidence == "invitation":
            self._town.fault(f"WRONG: {made} was taken from {owner} by {said}")
        if said == "invitation" and event["session_id"] != made.session:
            self._town.fault(f"WRONG: {made} was announced as {event['session_id']}'s by invitation")

    def _announced(self, made: Made, row: Row, told: list[Row]) -> None:
        if not told:
            self._town.fault(f"UNSAID: {made} is unattributed and was never announced")
        elif json.loads(told[-1]["data"])["candidates"] != candidates_of(row):
            self._town.fault(f"UNSAID: {made} has other candidates than were announced")

    def _reconnected(self, session_id: str, connection_id: str) -> None:
        row, session = self._books.connections.get(connection_id), self._books.sessions[session_id]
        self.tally.reconnected += 1
        if row is None or connection_id in self._truth.removed or row["user_id"] != session["user_id"]:
            return
        if session["invitation_id"] is not None and (session_id, connection_id) not in self._books.attachments:
            self._town.fault(f"LOST: {session_id} mended {connection_id} by invitation and does not list it")

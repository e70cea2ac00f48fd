"""The sandbox's state as one object: builds the components and hands each what it needs."""

from collections.abc import Callable
from typing import Any

from service.sandbox.settings import SandboxSettings
from service.sandbox.world.accounts import SandboxAccounts
from service.sandbox.world.checks import SandboxChecks
from service.sandbox.world.clock import SandboxClock, StoredNumber, StoredNumbers, advanced
from service.sandbox.world.companies import SandboxCompanies
from service.sandbox.world.connections import SandboxConnections
from service.sandbox.world.context import SandboxContext
from service.sandbox.world.data import SandboxData
from service.sandbox.world.ids import SandboxIds
from service.sandbox.world.invitations import SandboxInvitations
from service.sandbox.world.links import SandboxLinks
from service.sandbox.world.outbox import SandboxMessage, SandboxOutbox
from service.sandbox.world.records import (
    SandboxCheck,
    SandboxCompany,
    SandboxConnection,
    SandboxInvitation,
    SandboxJob,
    SandboxMagicLink,
    SandboxSite,
    SandboxTracking,
    SandboxUpload,
)
from service.sandbox.world.rows import SandboxDatabase, SandboxTable
from service.sandbox.world.submissions import SandboxSubmissions
from service.sandbox.world.team import SandboxTeam, TeamMembers
from service.sandbox.world.tracking import SandboxTrackings
from service.sandbox.world.troubles import SandboxTrouble, SandboxTroubles
from service.sandbox.world.uploads import SandboxUploads

MIN_ID_LENGTH = 20


class SandboxWorld:
    """Everything that the sandbox stores, and all that can be done to it, without HTTP.

    Every operation is synchronous, and durable when it returns. A hosted page opens a link with `links.find`,
    `links.find_edit` or `invitations.open`, and sends what was entered to `submissions`.
    """

    def __init__(self, settings: SandboxSettings, real_clock: Callable[[], float]) -> None:
        self.settings = settings
        database = self._database = SandboxDatabase(settings.data_dir)
        # The kinds are the names that the files of earlier releases have.
        companies = self._companies = SandboxTable(database, "Company", SandboxCompany)
        sites = SandboxTable(database, "Site", SandboxSite)
        connections = SandboxTable(database, "Connection", SandboxConnection, {"channel": "door"})
        links = SandboxTable(database, "MagicLink", SandboxMagicLink)
        invitations = SandboxTable(database, "Invitation", SandboxInvitation)
        numbers = SandboxTable(database, "Gauge", StoredNumber)
        troubles = SandboxTable(database, "Trouble", SandboxTrouble)
        messages = SandboxTable(database, "Message", SandboxMessage)
        checks = SandboxTable(database, "Check", SandboxCheck)
        jobs = SandboxTable(database, "Job", SandboxJob)
        uploads = SandboxTable(database, "Upload", SandboxUpload)
        trackings = SandboxTable(database, "Tracking", SandboxTracking)
        members = SandboxTable(database, "Team", TeamMembers)
        self._by_id: tuple[SandboxTable[Any], ...] = (sites, connections, invitations, jobs, uploads)
        owned = (connections, links, invitations, messages, checks, jobs, uploads, trackings)
        self._tables = (companies, sites, *owned, numbers, troubles, members)

        stored = StoredNumbers(numbers)
        ids = SandboxIds(settings.seed, lambda: int(stored.add("serial", 1)))
        self.troubles = SandboxTroubles(troubles, lambda: advanced(real_clock, stored))
        self.clock = SandboxClock(real_clock, stored, self.troubles)
        context = SandboxContext(settings, database, self.clock, ids, self.troubles)
        self.outbox = SandboxOutbox(context, messages)
        self.team = SandboxTeam(context, members)
        self.companies = SandboxCompanies(context, companies, sites, owned)
        self.checks = SandboxChecks(context, checks)
        self.connections = SandboxConnections(context, connections, self.companies, self.outbox, self.checks)
        self.links = SandboxLinks(context, links, self.companies, self.connections)
        self.invitations = SandboxInvitations(context, invitations, self.companies, self.connections)
        self.submissions = SandboxSubmissions(context, self.connections, self.invitations)
        self.uploads = SandboxUploads(context, jobs, uploads, self.companies, self.outbox)
        tracked = SandboxTrackings(trackings)
        self.data = SandboxData(context, self.companies, self.connections, self.outbox, self.uploads, tracked)
        self.accounts = SandboxAccounts(context, self.companies, self.connections, self.data, tracked)

    def end_due_work(self) -> None:
        """End the checks and the upload jobs whose time has come by the sandbox's clock."""
        self.connections.end_checks()
        self.uploads.end_jobs()

    def company_of(self, path: str) -> str | None:
        """Return the company that an address is about, by any id of the API in it."""
        # Every id is longer than the words of a path, such as `invitation`.
        segments = (segment.lower() for segment in path.split("/") if len(segment) > MIN_ID_LENGTH)
        return next((company for company in map(self._company_of_id, segments) if company), None)

    def reset(self) -> None:
        """Delete everything, the troubles and the advance of the clock included."""
        self._database.clear()
        for table in self._tables:
            table.forget()

    def close(self) -> None:
        """Close the file."""
        self._database.close()

    def _company_of_id(self, record_id: str) -> str | None:
        if self._companies.get(record_id):
            return record_id
        records = (table.get(record_id) for table in self._by_id)
        return next((str(record.company_id) for record in records if record), None)

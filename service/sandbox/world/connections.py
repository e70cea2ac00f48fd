"""Connections: creating, checking and changing them, and queueing the webhooks that each change owes."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from service.sandbox.wire.enums import CONNECTED, MFA_TOKEN_EXPIRED, PENDING
from service.sandbox.wire.errors import RecordMissing, found
from service.sandbox.wire.events import CREATED, UPDATED, VALIDATED, connection_event
from service.sandbox.world.account_form import Submission
from service.sandbox.world.checks import CheckPlan, SandboxChecks
from service.sandbox.world.companies import SandboxCompanies
from service.sandbox.world.context import SandboxContext
from service.sandbox.world.outbox import SandboxMessage, SandboxOutbox
from service.sandbox.world.records import Channel, SandboxConnection
from service.sandbox.world.rows import SandboxTable
from service.sandbox.world.sample_utility import MFA_CODE

CHECK_SECONDS = 0.001
"""How long the first check takes, so that a connection's `updated` is later than its `created`."""
PROTECTED = {
    "url": "url",
    "username": "username",
    "sites": "initialSites",
    "status": "status",
    "country": "country",
    "types": "initialDatasourceTypes",
    "owner_email": "workflowOwnerEmail",
    "start_date": "dataCollectionStartDate",
    "multiply_by_occupancy": "multiplyByOccupancy",
}
"""The fields whose changes `connection.updated` reports, with their JSON names."""


class SandboxConnections:
    """The utility accounts of companies."""

    def __init__(
        self,
        context: SandboxContext,
        table: SandboxTable[SandboxConnection],
        companies: SandboxCompanies,
        outbox: SandboxOutbox,
        checks: SandboxChecks,
    ) -> None:
        self._context = context
        self._checks = checks
        self._clock = context.clock
        self._troubles = context.troubles
        self._table = table
        self._companies = companies
        self._outbox = outbox

    def __iter__(self) -> Iterator[SandboxConnection]:
        return iter(self._table)

    def find(self, connection_id: str) -> SandboxConnection | None:
        """Return a connection by its exact id, if there is one."""
        return self._table.get(connection_id)

    def get(self, connection_id: str, company_id: str | None = None) -> SandboxConnection:
        """Return a connection; raises `RecordMissing`, also when it belongs to another company than the one given."""
        connection = found(self._table.get(connection_id.lower()))
        if company_id is not None and connection.company_id != self._companies.get(company_id).id:
            raise RecordMissing
        return connection

    def get_shown(self, connection_id: str, company_id: str | None = None) -> SandboxConnection:
        """Return a connection that the API shows; raises `RecordMissing` for one whose webhook has to be sent first."""
        connection = self.get(connection_id, company_id)
        if not self.is_shown(connection):
            raise RecordMissing
        return connection

    def is_shown(self, connection: SandboxConnection) -> bool:
        """Tell whether the API shows a connection already."""
        return connection.shown_at is not None and connection.shown_at <= self._clock.time()

    def of(self, company_id: str) -> list[SandboxConnection]:
        """Return a company's connections, oldest first, those that the API does not show yet included."""
        return self._table.of(company_id)

    def shown_of(self, company_id: str) -> list[SandboxConnection]:
        """Return those of a company's connections that the API shows, oldest first."""
        return [each for each in self.of(company_id) if self.is_shown(each)]

    def by_secret(self, secret: str) -> SandboxConnection:
        """Return the connection whose edit link has this secret; raises `RecordMissing`."""
        return found(next((each for each in self._table if each.secret == secret), None))

    def remove(self, connection_id: str) -> None:
        """Delete a connection, as the provider's staff could; no webhook is sent."""
        connection = self.get(connection_id)
        self._checks.stop(connection.id)
        self._table.remove(connection.id)

    def set_status(self, connection_id: str, status: str) -> SandboxConnection:
        """Set a status that the provider has found by itself; a check that has not ended is dropped."""
        connection = self.get(connection_id)
        self._checks.stop(connection.id)
        return self._set_status(connection, status, self._clock.now(connection.company_id))

    def end_checks(self) -> None:
        """End the checks whose time has come, each at its own time, with the webhooks that the result owes."""
        for check in self._checks.due():
            with self._context.database.transaction():
                self._checks.stop(check.id)
                shown_at = self._clock.as_shown(check.due_at, check.company_id)
                self._set_status(self.get(check.id), check.status, shown_at)

    def confirm_mfa(self, connection: SandboxConnection, address: str = "") -> SandboxConnection:
        """Record that an MFA set-up is ready, or that MFA is off: the status is `PENDING` until the check has ended."""
        plan = self._checks.plan_after_mfa(connection.company_id)
        self._checks.start(connection.id, connection.company_id, plan)
        changed = replace(connection, mfa_address=address or connection.mfa_address)
        return self._set_status(changed, PENDING, self._clock.now(connection.company_id))

    def apply_status_trouble(self, company_id: str | None) -> None:
        """Give the existing connections the status of the `status_change` trouble, as often as it may be used."""
        for connection in self._table:
            if company_id in {None, connection.company_id}:
                trouble = self._troubles.use("status_change", connection.company_id)
                if trouble:
                    self.set_status(connection.id, str(trouble.status))

    def reveal(self, connection_id: str) -> None:
        """Let the API show a connection, if it still exists: its webhook was sent first, or none will be."""
        connection = self._table.get(connection_id)
        if connection and connection.shown_at is None:
            shown_at = self._clock.time() + connection.shown_after_seconds
            self._table.put(replace(connection, shown_at=shown_at))

    def announce_accounts(
        self, connection: SandboxConnection, before: list[dict[str, Any]], after: list[dict[str, Any]]
    ) -> None:
        """Queue the webhook of a change of a connection's accounts; a change moves `updated`."""
        changed = self._table.put(replace(connection, updated_at=self._next_update_at(connection)))
        body = {"protectedChanges": ["accounts"], "old": {"accounts": before}, "accounts": after}
        self._announce(UPDATED, changed, body)

    def mark_announced(self, connection: SandboxConnection) -> SandboxConnection:
        """Record that the webhooks for a connection's accounts and documents are queued."""
        return self._table.put(replace(connection, announced=True))

    def create(
        self, company_id: str, submission: Submission, channel: Channel = "api", invitation_id: str | None = None
    ) -> SandboxConnection:
        """Create a connection, whose status says whether the credentials work; raises `InvalidFields` (sites)."""
        company = self._companies.get(company_id)
        self._companies.require_sites(company.id, submission.sites)
        # A trouble that sets the status leaves the credentials unchecked, so it uses no other trouble.
        change = self._troubles.use("status_change", company.id)
        plan = CheckPlan(str(change.status)) if change else self._checks.plan(company.id, submission)
        first = self._troubles.use("webhook_first", company.id) if self._context.settings.webhook_url else None
        now = self._clock.now(company.id)
        created = SandboxConnection(
            id=self._context.ids.uuid(),
            company_id=company.id,
            secret=self._context.ids.token(),
            status=PENDING,
            created_at=now,
            updated_at=now,
            status_at=now,
            first_seen_at=now,
            external_id=submission.external_id,
            channel=channel,
            invitation_id=invitation_id,
            shown_at=None if first else 0.0,
            shown_after_seconds=first.size if first else 0.0,
            **_account(submission),
        )
        self._announce(CREATED, created)
        checked_at = now + CHECK_SECONDS
        checked = self._save(created, self._checked(created, plan, checked_at))
        if self._outbox.first(checked.id):
            return checked
        self.reveal(checked.id)  # with `never_webhook` beside `webhook_first` there is no webhook to wait for
        return self.get(checked.id)

    def edit(self, connection: SandboxConnection, submission: Submission) -> SandboxConnection:
        """Change a connection, and check its credentials if a password was given; raises `InvalidFields` (sites)."""
        self._companies.require_sites(connection.company_id, submission.sites)
        now = self._next_update_at(connection)
        changed = replace(connection, updated_at=now, **_account(submission))
        if not submission.password:
            return self._save(connection, changed)
        plan = self._checks.plan(connection.company_id, submission)
        return self._save(connection, self._checked(changed, plan, now), also=("password",))

    def answer_mfa(self, connection: SandboxConnection, code: str) -> SandboxConnection:
        """Answer the provider's request for a code; a wrong code, or one that was not requested, changes nothing."""
        if connection.status != MFA_TOKEN_EXPIRED or code.replace(" ", "") != MFA_CODE:
            return connection
        return self.set_status(connection.id, CONNECTED)

    def _checked(self, connection: SandboxConnection, plan: CheckPlan, now: float) -> SandboxConnection:
        """Return the connection with the result of its check, or `PENDING` with the check stored for later."""
        if plan.seconds is None:
            self._checks.stop(connection.id)
            return replace(connection, status=plan.status, status_at=now, updated_at=now)
        self._checks.start(connection.id, connection.company_id, plan)
        return replace(connection, status=PENDING, status_at=now, updated_at=now)

    def _next_update_at(self, connection: SandboxConnection, at: float | None = None) -> float:
        """Return the time of a change, by default now, as `updated` shows it."""
        # `updated` grows with every change, also when a skew has set the clock back.
        now = self._clock.now(connection.company_id) if at is None else at
        return max(now, connection.updated_at + CHECK_SECONDS)

    def _set_status(self, connection: SandboxConnection, status: str, at: float) -> SandboxConnection:
        at = self._next_update_at(connection, at)
        before = self.get(connection.id)
        return self._save(before, replace(connection, status=status, status_at=at, updated_at=at))

    def _save(
        self, before: SandboxConnection, after: SandboxConnection, *, also: tuple[str, ...] = ()
    ) -> SandboxConnection:
        """Store a change with the webhooks that it owes, in one transaction; no change owes none."""
        # Sample data starts with the first credentials that work, and stays when they stop working.
        if after.status == CONNECTED and after.collecting_since_at is None:
            after = replace(after, collecting_since_at=after.updated_at)
        if after.status != before.status:
            after = replace(after, first_seen_at=after.status_at)
        old, names = self._changes(before, after)
        with self._context.database.transaction():
            self._table.put(after)
            if names or also:
                self._announce(UPDATED, after, {"protectedChanges": [*names, *also], "old": old})
            # The provider validates whenever a password was sent, also with the same result.
            if "status" in names or also:
                self._announce(VALIDATED, after)
        return after

    def _changes(self, before: SandboxConnection, after: SandboxConnection) -> tuple[dict[str, Any], list[str]]:
        """Return the old values of the fields that changed, and the JSON names of those fields."""
        changed = [name for name in PROTECTED if getattr(before, name) != getattr(after, name)]
        old = before.as_wire(self._companies.get(before.company_id))
        names = [PROTECTED[name] for name in changed]
        return {name: old[name] for name in names}, names

    def _announce(self, event: str, connection: SandboxConnection, extra: dict[str, Any] | None = None) -> None:
        shown = connection.as_wire(self._companies.get(connection.company_id))
        body = connection_event(event, shown) | (extra or {})
        # While the API does not show the connection, its webhooks are sent ahead of the answer.
        is_first = connection.shown_at is None
        due_at = self._clock.time()
        self._outbox.queue(
            SandboxMessage("", event, connection.company_id, connection.id, due_at, body, is_first=is_first)
        )


def _account(submission: Submission) -> dict[str, Any]:
    """Return the connection's fields that a submission sets on creation and on every edit."""
    return {
        "url": submission.url,
        "username": submission.username,
        "sites": submission.sites,
        "country": submission.country,
        "types": submission.types,
        "owner_email": submission.owner_email,
        "start_date": submission.start_date,
        "multiply_by_occupancy": submission.multiply_by_occupancy,
        "custom_name": submission.custom_name,
        "mfa_address": submission.mfa_address,
    }

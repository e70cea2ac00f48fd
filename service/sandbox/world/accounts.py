"""Verbs for connections: making, judging, changing, and the webhooks each of these owes."""

from dataclasses import replace
from typing import Any, Literal

from service.sandbox.wire.enums import CONNECTED, MFA_TOKEN_EXPIRED, PENDING, URL_INACCESSIBLE
from service.sandbox.wire.errors import Missing
from service.sandbox.world.connections import MFA_CODE, PASSWORD, USERNAME, Connection, Submission, is_sandbox_url
from service.sandbox.world.messages import CREATED, UPDATED, VALIDATED, Message, connection_body
from service.sandbox.world.registry import Registry, found

Door = Literal["api", "link", "invitation", "dashboard"]

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


class Accounts(Registry):
    """The utility accounts of companies."""

    def connection(self, connection_id: str, company_id: str | None = None) -> Connection:
        """Raises `Missing`, also where it belongs to another company than the one named."""
        connection = found(self._connections.get(connection_id.lower()))
        if company_id is not None and connection.company_id != self.company(company_id).id:
            raise Missing
        return connection

    def shown_connection(self, connection_id: str, company_id: str | None = None) -> Connection:
        """The same, for the API: a connection whose webhook goes first is not there yet."""
        connection = self.connection(connection_id, company_id)
        if not self.is_shown(connection):
            raise Missing
        return connection

    def is_shown(self, connection: Connection) -> bool:
        """Whether the API shows it already."""
        return connection.shown_at is not None and connection.shown_at <= self.time()

    def connections_of(self, company_id: str) -> list[Connection]:
        """A company's connections, oldest first, those not yet shown included."""
        return self._connections.of(company_id)

    def connection_by_secret(self, secret: str) -> Connection:
        """The connection whose edit secret this is: what lets a page that made it try again. Raises `Missing`."""
        return found(next((one for one in self._connections if one.secret == secret), None))

    def remove_connection(self, connection_id: str) -> None:
        """Forgets it, as the provider's staff could; nothing is sent."""
        self._connections.remove(self.connection(connection_id).id)

    def set_status(self, connection_id: str, status: str) -> Connection:
        """A status from the provider's own checking."""
        connection = self.connection(connection_id)
        now = self.now(connection.company_id)
        return self._keep(connection, replace(connection, status=status, status_at=now, updated_at=now))

    def trouble_statuses(self, company_id: str | None) -> None:
        """Gives the connections that exist the status of a `status_change` trouble, while its times last."""
        for connection in self._connections:
            if company_id in {None, connection.company_id}:
                trouble = self.troubles.strike("status_change", connection.company_id)
                if trouble:
                    self.set_status(connection.id, str(trouble.status))

    def first_messages(self, connection_id: str | None = None) -> list[Message]:
        """What is due before any answer may leave: of one connection, or of all."""
        firsts = (message for message in self.outbox if message.is_first)
        return [message for message in firsts if connection_id in {None, message.connection_id}]

    def reveal(self, connection: Connection) -> Connection:
        """Lets the API show a connection whose webhook has gone first, or for which none will go."""
        if connection.shown_at is not None:
            return connection
        return self._connections.put(replace(connection, shown_at=self.time() + connection.shown_after_seconds))

    def _make(self, company_id: str, submission: Submission, door: Door, invitation_id: str | None) -> Connection:
        company = self.company(company_id)
        self.require_sites(company.id, submission.sites)
        change = self.troubles.strike("status_change", company.id)
        status = str(change.status) if change else self._judge(company.id, submission)
        first = self.troubles.strike("webhook_first", company.id) if self.settings.webhook_url else None
        now = self.now(company.id)
        made = Connection(
            id=self.ids.uuid(),
            company_id=company.id,
            secret=self.ids.token(),
            url=submission.url,
            username=submission.username,
            sites=submission.sites,
            status=PENDING,
            created_at=now,
            updated_at=now,
            status_at=now,
            first_seen_at=now,
            country=submission.country,
            types=submission.types,
            owner_email=submission.owner_email,
            start_date=submission.start_date,
            multiply_by_occupancy=submission.multiply_by_occupancy,
            external_id=submission.external_id,
            door=door,
            invitation_id=invitation_id,
            shown_at=None if first else 0.0,
            shown_after_seconds=first.size if first else 0.0,
        )
        self._announce(CREATED, made)
        checked_at = now + CHECK_SECONDS
        checked = self._keep(made, replace(made, status=status, updated_at=checked_at, status_at=checked_at))
        return checked if self.first_messages(checked.id) else self.reveal(checked)

    def _edit(self, connection: Connection, submission: Submission) -> Connection:
        self.require_sites(connection.company_id, submission.sites)
        now = max(self.now(connection.company_id), connection.updated_at + CHECK_SECONDS)
        changed = replace(
            connection,
            url=submission.url,
            username=submission.username,
            sites=submission.sites,
            country=submission.country,
            types=submission.types,
            owner_email=submission.owner_email,
            start_date=submission.start_date,
            multiply_by_occupancy=submission.multiply_by_occupancy,
            updated_at=now,
        )
        if not submission.password:
            return self._keep(connection, changed)
        status = self._judge(connection.company_id, submission)
        return self._keep(connection, replace(changed, status=status, status_at=now), also=("password",))

    def _answer_mfa(self, connection: Connection, code: str) -> Connection:
        if connection.status != MFA_TOKEN_EXPIRED or code.replace(" ", "") != MFA_CODE:
            return connection
        return self.set_status(connection.id, CONNECTED)

    def _judge(self, company_id: str, submission: Submission) -> str:
        if not is_sandbox_url(submission.url):
            return URL_INACCESSIBLE
        wrong = (submission.username, submission.password) != (USERNAME, PASSWORD)
        if self.troubles.strike("wrong_password", company_id) or wrong:
            return self.settings.wrong_password_status
        return MFA_TOKEN_EXPIRED if self.troubles.strike("mfa", company_id) else CONNECTED

    def _keep(self, before: Connection, after: Connection, *, also: tuple[str, ...] = ()) -> Connection:
        """Writes the change with the events it owes, in one transaction; unchanged connections owe none."""
        if after.status == CONNECTED and after.collecting_since_at is None:
            after = replace(after, collecting_since_at=after.updated_at)
        if after.status != before.status:
            after = replace(after, first_seen_at=after.status_at)
        old, names = self._changes(before, after)
        with self._rows.together():
            self._connections.put(after)
            if names or also:
                changes = {"protectedChanges": [*names, *also], "old": old}
                self._announce(UPDATED, after, changes)
            if "status" in names or also:
                self._announce(VALIDATED, after)
        return after

    def _changes(self, before: Connection, after: Connection) -> tuple[dict[str, Any], list[str]]:
        changed = [name for name in PROTECTED if getattr(before, name) != getattr(after, name)]
        old = before.as_wire(self.company(before.company_id))
        names = [PROTECTED[name] for name in changed]
        return {name: old[name] for name in names}, names

    def _announce(self, event: str, connection: Connection, extra: dict[str, Any] | None = None) -> None:
        body = connection_body(connection, self.company(connection.company_id), event) | (extra or {})
        is_first = connection.shown_at is None
        self.queue(Message("", event, connection.company_id, connection.id, self.time(), body, is_first=is_first))

    def queue(self, message: Message) -> None:
        """Puts a webhook into the outbox, as the company's troubles would have it; without a receiver there is none."""
        if not self.settings.webhook_url or self.troubles.strike("never_webhook", message.company_id):
            return
        late = self.troubles.strike("webhook_late", message.company_id)
        thrice = self.troubles.strike("webhook_thrice", message.company_id)
        shuffled = self.troubles.strike("webhook_shuffled", message.company_id)
        self.outbox.put(
            replace(
                message,
                id=f"msg_{self.ids.uuid().replace('-', '')}",
                due_at=message.due_at + (late.size if late else 0.0),
                copies=3 if thrice else 1,
                is_shuffled=shuffled is not None,
            )
        )

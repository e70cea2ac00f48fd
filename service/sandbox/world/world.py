"""The sandbox's world: everything it holds and everything that can be done to it, without HTTP.

How a page uses it. Every verb is synchronous and durable when it returns.

- Open: `find_magic_link(public_company_id, secret)`, `find_edit_link(...)` (its `connection_id` is set) or
  `find_invitation(token)` (records a view; later steps use `peek_invitation(token)`). They raise `Missing` (404) or
  `ClosedLink` (410, `.reason`).
- E-mail first, where `invitation.allowed_emails`: `proof = verify_email(token, email)`, or `EmailNotVerified`.
- Send: `read_submission({...wire names...})`, then `connect(company_id, submission, Via("link"))`, or for an invitation
  `Via("invitation", invitation.id, proof)`. A wrong password gives a connection whose status says so
  (`is_wrong_password`); try again with `read_edit(connection, {...})` and
  `edit_connection(connection.id, submission, via)`. The page carries `connection.secret` between its steps and
  finds the connection again with `connection_by_secret(secret)`.
- A connection with status MFA_TOKEN_EXPIRED waits for `answer_mfa(connection.id, code, via)`; the code is `MFA_CODE`.
- Prefill: a magic link's `prefill` has `url`, `country`, `sites`, `dataCollectionStartDate`, `initialDatasourceTypes`,
  `workflowOwnerEmail`; an invitation's has `url`, `country`, `initialSites`, `utilityTypes`, `connectionOwnerEmail`,
  `dataCollectionStartDate`.
- Troubles: `troubles.strike("framing_refused", company_id)` uses one of its times, `troubles.look(...)` none.
- With `settings.redirects`, `redirect_uri` and `state` of the link or invitation say where its pages return to.
- Data: `documents_of(connection)`, `usage_of`, `meters_of`, `accounts_of` (wire shapes), `pdf(connection_id, id)`.
"""

from dataclasses import dataclass, replace
from typing import Any

from service.sandbox.bills import documents as bills
from service.sandbox.bills import metering, pdf
from service.sandbox.wire.enums import SAMPLE_TYPES
from service.sandbox.wire.errors import Missing
from service.sandbox.world.companies import Site
from service.sandbox.world.connections import Connection
from service.sandbox.world.handoffs import Handoffs, Via
from service.sandbox.world.messages import DOCUMENT_CREATED, Message, document_body
from service.sandbox.world.registry import found

__all__ = ["Via", "World"]

VERSION = "v2.2"
MIN_ID_LENGTH = 20


@dataclass(frozen=True)
class Source:
    """What the sample data of a connection depends on."""

    id: str
    company_id: str
    sites: tuple[Site, ...]
    types: tuple[str, ...]
    country: str
    created_at: float


class World(Handoffs):
    """Everything; see the module's text."""

    def collected_at(self, connection: Connection) -> float | None:
        """When its sample data is there; None for one whose credentials never worked."""
        since = connection.collecting_since_at
        return None if since is None else since + self.settings.data_delay_seconds

    def has_data(self, connection: Connection) -> bool:
        """Whether its sample data is there."""
        ready = self.collected_at(connection)
        return ready is not None and ready <= self.now(connection.company_id)

    def documents_of(self, connection: Connection, version: str = VERSION) -> list[dict[str, Any]]:
        """Newest first; none before the data is there."""
        source = self._source(connection)
        return bills.documents_for(source, version=version, files_url=self.settings.public_url) if source else []

    def find_document(self, document_id: str, version: str) -> dict[str, Any]:
        """Among those of every connection that the API shows; raises `Missing`."""
        shown = (one for one in self._connections if self.is_shown(one))
        documents = (self._document(one, document_id.lower(), version) for one in shown)
        return found(next((document for document in documents if document), None))

    def usage_of(self, connection: Connection, version: str = VERSION) -> list[dict[str, Any]]:
        """Newest first; none before the data is there."""
        source = self._source(connection)
        return bills.usage_for(source, version=version, files_url=self.settings.public_url) if source else []

    def meters_of(self, connection: Connection) -> list[dict[str, Any]]:
        """None before the data is there."""
        source = self._source(connection)
        return bills.meters_for(source) if source else []

    def accounts_of(self, connection: Connection) -> list[dict[str, Any]]:
        """None before the data is there."""
        source = self._source(connection)
        return bills.accounts_for(source) if source else []

    def pdf(self, connection_id: str, document_id: str) -> bytes:
        """A bill as people get it; raises `Missing`."""
        source = self._source(self.connection(connection_id))
        page = pdf.pdf_for(source, document_id) if source else None
        if page is None:
            raise Missing
        return page

    def connection_as_wire(self, connection: Connection) -> dict[str, Any]:
        """The provider's Connection, its accounts included once they were found."""
        return connection.as_wire(self.company(connection.company_id), self.accounts_of(connection))

    def queue_documents(self) -> None:
        """Queues the events of documents that have appeared since the last call."""
        for connection in self._connections:
            if connection.announced or not connection.sites or not self.has_data(connection):
                continue
            with self._rows.together():
                self._connections.put(replace(connection, announced=True))
                for document in self.documents_of(connection):
                    message = Message("", DOCUMENT_CREATED, connection.company_id, connection.id, self.time())
                    self.queue(replace(message, document_id=document["id"]))

    def message_body(self, message: Message) -> dict[str, Any] | None:
        """What to send; None where the document is no longer there."""
        if message.document_id is None:
            return message.body
        connection = self._connections.get(message.connection_id)
        document = self._document(connection, message.document_id, VERSION) if connection else None
        return document_body(document, message.event_type) if document else None

    def settle(self, message: Message, retried: Message | None) -> None:
        """Ends a message, or puts it back for later, unless it has been forgotten meanwhile."""
        if self.outbox.get(message.id) is None:
            return
        if retried is None:
            self.outbox.remove(message.id)
        else:
            self.outbox.put(retried)

    def reveal_by_id(self, connection_id: str) -> None:
        """Shows a connection whose webhook has gone first, if it is still there."""
        connection = self._connections.get(connection_id)
        if connection:
            self.reveal(connection)

    def owner_of(self, path: str) -> str | None:
        """The company that an address speaks of, by any id of the API in it."""
        owners = (self._owner(segment) for segment in path.split("/") if len(segment) > MIN_ID_LENGTH)
        return next((owner for owner in owners if owner), None)

    def _owner(self, segment: str) -> str | None:
        known = segment.lower()
        if self._companies.get(known):
            return known
        for shelf in (self._sites, self._connections, self._invitations):
            thing = shelf.get(known)
            if thing:
                return thing.company_id
        return None

    def _document(self, connection: Connection, document_id: str, version: str) -> dict[str, Any] | None:
        source = self._source(connection)
        bill = metering.find_bill(source, document_id) if source else None
        return bills.document(bill, version=version, files_url=self.settings.public_url) if bill else None

    def _source(self, connection: Connection) -> Source | None:
        ready = self.collected_at(connection)
        if ready is None or not self.has_data(connection):
            return None
        sites = tuple(self.site(site_id) for site_id in connection.sites if self._sites.get(site_id))
        kinds = connection.types or SAMPLE_TYPES
        return Source(connection.id, connection.company_id, sites, kinds, connection.country, ready)

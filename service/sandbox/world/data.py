"""The sample data of connections: when it is there, and its documents, usage, meters, accounts and PDFs."""

from dataclasses import replace
from typing import Any

from service.sandbox.bills import documents as shapes
from service.sandbox.bills import metering, pdf
from service.sandbox.bills.bill import BilledSite, BillSource
from service.sandbox.bills.intervals import intervals_for
from service.sandbox.bills.uploaded import uploaded_document, uploaded_usage
from service.sandbox.wire.errors import RecordMissing, found
from service.sandbox.wire.events import DOCUMENT_CREATED, document_event
from service.sandbox.world.companies import SandboxCompanies
from service.sandbox.world.connections import SandboxConnections
from service.sandbox.world.context import SandboxContext
from service.sandbox.world.outbox import SandboxMessage, SandboxOutbox
from service.sandbox.world.records import SandboxConnection
from service.sandbox.world.tracking import SandboxTrackings
from service.sandbox.world.uploads import SandboxUploads

VERSION = "v2.2"


class SandboxData:
    """What connections bring; lists are empty before the data is there, documents and usage are newest first."""

    def __init__(
        self,
        context: SandboxContext,
        companies: SandboxCompanies,
        connections: SandboxConnections,
        outbox: SandboxOutbox,
        uploads: SandboxUploads,
        trackings: SandboxTrackings,
    ) -> None:
        self._uploads = uploads
        self._trackings = trackings
        self._settings = context.settings
        self._database = context.database
        self._clock = context.clock
        self._companies = companies
        self._connections = connections
        self._outbox = outbox

    def collected_at(self, connection: SandboxConnection) -> float | None:
        """Return when the sample data is there; None for a connection whose credentials never worked."""
        since = connection.collecting_since_at
        return None if since is None else since + self._settings.data_delay_seconds

    def has_data(self, connection: SandboxConnection) -> bool:
        """Tell whether the sample data is there."""
        ready = self.collected_at(connection)
        return ready is not None and ready <= self._clock.now(connection.company_id)

    def documents_of(self, connection: SandboxConnection, version: str = VERSION) -> list[dict[str, Any]]:
        """Return the documents in the shape of an API version."""
        source, files_url = self._source(connection), self._settings.public_url
        found = shapes.documents_for(source, version=version, files_url=files_url) if source else []
        return [self._trackings.shown_document(each) for each in found]

    def find_document(self, document_id: str, version: str) -> dict[str, Any]:
        """Return a document of any connection that the API shows; raises `RecordMissing`."""
        wanted = document_id.lower()
        # A connection that the API does not show yet must not be found by its documents.
        shown = (each for each in self._connections if self._connections.is_shown(each))
        documents = (self._document(each, wanted, version) for each in shown)
        uploaded = self._uploaded_document(wanted, version)
        return found(uploaded or next((document for document in documents if document), None))

    def uploaded_documents(self, company_id: str, version: str = VERSION) -> list[dict[str, Any]]:
        """Return the documents that were read from a company's uploads."""
        return [found(self._uploaded_document(each.id, version)) for each in self._uploads.bills_of(company_id)]

    def uploaded_usage(self, company_id: str, version: str = VERSION) -> list[dict[str, Any]]:
        """Return the usage entries of a company's uploads."""
        files_url = self._settings.public_url
        return [
            self._trackings.shown_entry(entry)
            for bill in self._uploads.bills_of(company_id)
            for entry in uploaded_usage(bill, version=version, files_url=files_url)
        ]

    def uploaded_meters(self, company_id: str) -> list[dict[str, Any]]:
        """Return the meters that a company's uploads name, each once."""
        meters = [meter for each in self._uploads.bills_of(company_id) for meter in shapes.meters_for(each.source)]
        return [self._trackings.shown_meter(meter) for meter in {one["id"]: one for one in meters}.values()]

    def uploaded_accounts(self, company_id: str) -> list[dict[str, Any]]:
        """Return the accounts that a company's uploads name, each once."""
        found = [one for each in self._uploads.bills_of(company_id) for one in shapes.accounts_for(each.source)]
        return [self._trackings.shown_account(account) for account in {one["id"]: one for one in found}.values()]

    def usage_of(self, connection: SandboxConnection, version: str = VERSION) -> list[dict[str, Any]]:
        """Return the usage entries in the shape of an API version."""
        source, files_url = self._source(connection), self._settings.public_url
        found = shapes.usage_for(source, version=version, files_url=files_url) if source else []
        return [self._trackings.shown_entry(each) for each in found]

    def intervals_of(self, connection: SandboxConnection) -> list[dict[str, Any]]:
        """Return the intervals of its smart meters, newest first."""
        source = self._source(connection)
        return list(intervals_for(source)) if source else []

    def meters_of(self, connection: SandboxConnection) -> list[dict[str, Any]]:
        """Return the meters."""
        source = self._source(connection)
        return [self._trackings.shown_meter(each) for each in (shapes.meters_for(source) if source else ())]

    def accounts_of(self, connection: SandboxConnection) -> list[dict[str, Any]]:
        """Return the utility accounts."""
        source = self._source(connection)
        return [self._trackings.shown_account(each) for each in (shapes.accounts_for(source) if source else ())]

    def pdf(self, connection_id: str, document_id: str) -> bytes:
        """Return the PDF of a bill; raises `RecordMissing`."""
        source = self._source(self._connections.get(connection_id))
        content = pdf.pdf_for(source, document_id) if source else None
        if content is None:
            raise RecordMissing
        return content

    def connection_as_wire(self, connection: SandboxConnection) -> dict[str, Any]:
        """Return the provider's Connection, with its accounts as soon as they are there."""
        return connection.as_wire(self._companies.get(connection.company_id), self.accounts_of(connection))

    def queue_documents(self) -> None:
        """Queue the webhooks of accounts and documents that have appeared since the last call."""
        for connection in self._connections:
            # A page may send the sites after the sign-in; until then there is nothing to bill.
            if connection.announced or not connection.sites or not self.has_data(connection):
                continue
            # One transaction: after a crash between the two, the webhooks would be sent twice or never.
            with self._database.transaction():
                marked = self._connections.mark_announced(connection)
                # Types of which the sandbox has no samples bring no account: then nothing has changed.
                if accounts := self.accounts_of(marked):
                    self._connections.announce_accounts(marked, [], accounts)
                for document in self.documents_of(connection):
                    message = SandboxMessage(
                        "", DOCUMENT_CREATED, connection.company_id, connection.id, self._clock.time()
                    )
                    self._outbox.queue(replace(message, document_id=document["id"]))

    def webhook_body(self, message: SandboxMessage) -> dict[str, Any] | None:
        """Return what a webhook sends; None when its document is no longer there."""
        if message.document_id is None:
            return message.body
        # The body is made when it is sent, since the account may have been removed meanwhile.
        connection = self._connections.find(message.connection_id)
        if connection:
            document = self._document(connection, message.document_id, VERSION)
        else:
            document = self._uploaded_document(message.document_id, VERSION)
        return document_event(message.event_type, document) if document else None

    def _document(self, connection: SandboxConnection, document_id: str, version: str) -> dict[str, Any] | None:
        source = self._source(connection)
        bill = metering.find_bill(source, document_id) if source else None
        if bill is None:
            return None
        return self._trackings.shown_document(
            shapes.document(bill, version=version, files_url=self._settings.public_url)
        )

    def _uploaded_document(self, document_id: str, version: str) -> dict[str, Any] | None:
        bill = self._uploads.find_bill(document_id)
        if bill is None:
            return None
        return self._trackings.shown_document(
            uploaded_document(bill, version=version, files_url=self._settings.public_url)
        )

    def _source(self, connection: SandboxConnection) -> BillSource | None:
        ready = self.collected_at(connection)
        if ready is None or not self.has_data(connection):
            return None
        found = [site for site in map(self._companies.find_site, connection.sites) if site]
        sites = tuple(BilledSite(site.id, site.name, site.address) for site in found)
        types, country = connection.sample_types, connection.country
        return BillSource(connection.id, connection.company_id, sites, types, country, ready)

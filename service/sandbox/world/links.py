"""Magic links: one secret each, for a new connection or for editing one."""

from collections.abc import Mapping
from typing import Any

from service.sandbox.settings import SandboxSettings
from service.sandbox.wire import fields
from service.sandbox.wire.enums import UTILITY_TYPES
from service.sandbox.wire.errors import ClosedLink, RecordMissing, found
from service.sandbox.world.companies import SandboxCompanies
from service.sandbox.world.connections import SandboxConnections
from service.sandbox.world.context import SandboxContext
from service.sandbox.world.records import SandboxMagicLink
from service.sandbox.world.rows import SandboxTable

CHECKS: dict[str, fields.Check] = {
    "url": fields.nullable(fields.web_url),
    "country": fields.nullable(fields.country),
    "dataCollectionStartDate": fields.nullable(fields.iso_day),
    "sites": fields.listing(fields.uuid, 100),
    "initialSites": fields.listing(fields.uuid, 100),
    "initialDatasourceTypes": fields.listing(fields.choice(UTILITY_TYPES), len(UTILITY_TYPES)),
    "workflowOwnerEmail": fields.nullable(fields.email),
}
_REDIRECT_CHECKS: dict[str, fields.Check] = {
    "redirect_uri": fields.nullable(fields.web_url),
    "state": fields.nullable(fields.text(0, 4000)),
}


def redirect_checks(settings: SandboxSettings) -> dict[str, fields.Check]:
    """Return the checks of the redirect fields, which links and invitations share."""
    # The provider does not document them, so without the switch they are unknown fields, which are ignored.
    return _REDIRECT_CHECKS if settings.redirects else {}


class SandboxLinks:
    """The magic links of companies and connections."""

    def __init__(
        self,
        context: SandboxContext,
        table: SandboxTable[SandboxMagicLink],
        companies: SandboxCompanies,
        connections: SandboxConnections,
    ) -> None:
        self._settings = context.settings
        self._clock = context.clock
        self._ids = context.ids
        self._troubles = context.troubles
        self._table = table
        self._companies = companies
        self._connections = connections

    def create(self, company_id: str, body: Mapping[str, Any]) -> SandboxMagicLink:
        """Create a link for new connections of a company; raises `InvalidFields`."""
        return self._put(self._companies.get(company_id).id, None, body)

    def plain(self, company_id: str) -> SandboxMagicLink:
        """Return the company's link without prefill, which is always the same."""
        company = self._companies.get(company_id)
        # Asking for the plain link again and again must not create links.
        plain = (each for each in self._table.of(company.id) if each == _without_prefill(each))
        return next(plain, None) or self.create(company.id, {})

    def create_edit(
        self, connection_id: str, body: Mapping[str, Any], company_id: str | None = None
    ) -> SandboxMagicLink:
        """Create a link for editing a connection; without prefill it has the connection's own secret."""
        connection = self._connections.get_shown(connection_id, company_id)
        # It is not stored: `find_edit` finds the connection by its own secret.
        if not fields.read(body, self._checks()):
            return SandboxMagicLink(connection.secret, connection.company_id, connection.created_at, connection.id)
        return self._put(connection.company_id, connection.id, body)

    def url(self, link: SandboxMagicLink) -> str:
        """Return the address of a link's page."""
        company = self._companies.get(link.company_id)
        step = "workflow/" if link.connection_id else ""
        return f"{self._settings.public_url}/p/connect/{company.public_id}/{step}{link.secret}"

    def find(self, public_company_id: str, secret: str) -> SandboxMagicLink:
        """Return the link for new connections with this address; raises `RecordMissing` or `ClosedLink`."""
        return self._opened(public_company_id, self._table.get(secret), edits=False)

    def find_edit(self, public_company_id: str, secret: str) -> SandboxMagicLink:
        """Return the edit link with this address, its `connection_id` set; raises `RecordMissing` or `ClosedLink`."""
        link = self._table.get(secret)
        if link is None:
            own = self._connections.by_secret(secret)
            link = SandboxMagicLink(own.secret, own.company_id, own.created_at, own.id)
        return self._opened(public_company_id, link, edits=True)

    def _put(self, company_id: str, connection_id: str | None, body: Mapping[str, Any]) -> SandboxMagicLink:
        values = fields.read(body, self._checks())
        redirect_uri, state = values.pop("redirect_uri", None), values.pop("state", None)
        # The API accepts both names; pages know `sites` only.
        sites = values.pop("initialSites", [])
        prefill = {name: value for name, value in {"sites": sites, **values}.items() if value}
        self._companies.require_sites(company_id, prefill.get("sites", ()))
        now = self._clock.now(company_id)
        return self._table.put(
            SandboxMagicLink(self._ids.token(), company_id, now, connection_id, prefill, redirect_uri, state)
        )

    def _checks(self) -> dict[str, fields.Check]:
        return CHECKS | redirect_checks(self._settings)

    def _opened(self, public_company_id: str, link: SandboxMagicLink | None, *, edits: bool) -> SandboxMagicLink:
        known = found(link)
        company = self._companies.get(known.company_id)
        # A secret works only under its own company, and only for the kind of page that it was created for.
        if company.public_id != public_company_id or bool(known.connection_id) != edits:
            raise RecordMissing
        if self._troubles.use("link_expired", known.company_id):
            raise ClosedLink("expired")
        return known


def _without_prefill(link: SandboxMagicLink) -> SandboxMagicLink:
    return SandboxMagicLink(link.id, link.company_id, link.created_at)

"""The utility accounts that bills belong to: reading them, and changing whether they are tracked."""

from collections.abc import Collection, Mapping
from typing import Any

from service.sandbox.wire import fields
from service.sandbox.wire.errors import InvalidFields, RecordMissing
from service.sandbox.world.companies import SandboxCompanies
from service.sandbox.world.connections import SandboxConnections
from service.sandbox.world.context import SandboxContext
from service.sandbox.world.data import SandboxData
from service.sandbox.world.tracking import SandboxTrackings

Wire = dict[str, Any]
CHECKS: dict[str, fields.Check] = {"isTracked": fields.boolean, "updateMeters": fields.boolean}
MANY_CHECKS: dict[str, fields.Check] = {**CHECKS, "accounts": fields.listing(fields.uuid, 1000)}


class SandboxAccounts:
    """The accounts of companies: those of their connections, and those that uploaded bills name."""

    def __init__(
        self,
        context: SandboxContext,
        companies: SandboxCompanies,
        connections: SandboxConnections,
        data: SandboxData,
        trackings: SandboxTrackings,
    ) -> None:
        self._database = context.database
        self._companies = companies
        self._connections = connections
        self._data = data
        self._trackings = trackings

    def of(self, company_id: str) -> list[Wire]:
        """Return a company's accounts; raises `RecordMissing`."""
        company = self._companies.get(company_id)
        accounts = [
            account for each in self._connections.shown_of(company.id) for account in self._data.accounts_of(each)
        ]
        return [*accounts, *self._data.uploaded_accounts(company.id)]

    def get(self, account_id: str) -> Wire:
        """Return an account of any company; raises `RecordMissing`."""
        return self._located(account_id)[1]

    def update(self, account_id: str, body: Mapping[str, Any]) -> Wire:
        """Change the tracking of one account; raises `InvalidFields` or `RecordMissing`."""
        company_id, account = self._located(account_id)
        self._track(company_id, {account["id"]}, fields.read(body, CHECKS))
        return self.get(account_id)

    def update_many(self, company_id: str, body: Mapping[str, Any]) -> list[Wire]:
        """Change all the named accounts, or none; raises `InvalidFields` or `RecordMissing`."""
        known = {account["id"] for account in self.of(company_id)}
        values = fields.read(body, MANY_CHECKS, required=("accounts",))
        foreign = sorted(set(values["accounts"]) - known)
        if foreign:
            raise InvalidFields({"accounts": [f'Invalid pk "{each}" - object does not exist.' for each in foreign]})
        self._track(company_id.lower(), set(values["accounts"]), values)
        return [account for account in self.of(company_id) if account["id"] in values["accounts"]]

    def _track(self, company_id: str, ids: Collection[str], values: Mapping[str, Any]) -> None:
        if "isTracked" not in values:
            return
        with self._database.transaction():
            shown = {each.id: self._data.accounts_of(each) for each in self._connections.shown_of(company_id)}
            changed = [account for account in self.of(company_id) if account["id"] in ids]
            # Reference: `updateMeters` is true where it is absent.
            meters = [meter for account in changed for meter in account["meters"]]
            tracked = [*ids, *(meters if values.get("updateMeters", True) else ())]
            self._trackings.change(company_id, tracked, is_tracked=values["isTracked"])
            for connection_id, before in shown.items():
                connection = self._connections.get(connection_id)
                after = self._data.accounts_of(connection)
                if after != before:
                    self._connections.announce_accounts(connection, before, after)

    def _located(self, account_id: str) -> tuple[str, Wire]:
        wanted = account_id.lower()
        for company in self._companies:
            for account in self.of(company.id):
                if account["id"] == wanted:
                    return company.id, account
        raise RecordMissing

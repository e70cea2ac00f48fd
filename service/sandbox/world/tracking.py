"""Which accounts and meters are tracked, and how their records show it."""

from collections.abc import Iterable
from typing import Any

from service.sandbox.world.records import SandboxTracking
from service.sandbox.world.rows import SandboxTable

Wire = dict[str, Any]


class SandboxTrackings:
    """The changes of tracking; an account that was never changed is tracked, with the word `UNSET`."""

    def __init__(self, table: SandboxTable[SandboxTracking]) -> None:
        self._table = table

    def change(self, company_id: str, ids: Iterable[str], *, is_tracked: bool) -> None:
        """Track accounts or meters of a company, or stop tracking them."""
        for record_id in ids:
            self._table.put(SandboxTracking(record_id, company_id, is_tracked))

    def shown_account(self, account: Wire) -> Wire:
        """Return an account with its tracking."""
        stored = self._table.get(account["id"])
        if stored is None:
            return account
        return account | {
            "isTracked": stored.is_tracked,
            "trackingStatus": "ENABLED" if stored.is_tracked else "DISABLED",
        }

    def shown_meter(self, meter: Wire) -> Wire:
        """Return a meter with its tracking."""
        stored = self._table.get(meter["id"])
        return meter if stored is None else meter | {"isTracked": stored.is_tracked}

    def shown_entry(self, entry: Wire) -> Wire:
        """Return a usage entry with the tracking of its meter."""
        stored = self._table.get(entry["meter"])
        return entry if stored is None else entry | {"meterIsTracked": stored.is_tracked}

    def shown_document(self, document: Wire) -> Wire:
        """Return a document with the tracking of its meters."""
        if not len(self._table):
            return document
        return document | {"usageData": [self.shown_entry(entry) for entry in document["usageData"]]}

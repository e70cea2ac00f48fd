"""Magic links: one secret each, for a new connection or for the editing of one."""

from dataclasses import dataclass, field
from typing import Any

from service.sandbox.wire import fields
from service.sandbox.wire.enums import UTILITY_TYPES
from service.sandbox.world.rows import Noun

CHECKS: dict[str, fields.Check] = {
    "url": fields.nullable(fields.web_url),
    "country": fields.nullable(fields.country),
    "dataCollectionStartDate": fields.nullable(fields.iso_day),
    "sites": fields.listing(fields.uuid, 100),
    "initialSites": fields.listing(fields.uuid, 100),
    "initialDatasourceTypes": fields.listing(fields.choice(UTILITY_TYPES), len(UTILITY_TYPES)),
    "workflowOwnerEmail": fields.nullable(fields.email),
}
REDIRECT_CHECKS: dict[str, fields.Check] = {
    "redirect_uri": fields.nullable(fields.web_url),
    "state": fields.nullable(fields.text(0, 4000)),
}


@dataclass(frozen=True)
class MagicLink(Noun):
    """`id` is the secret in its address. With a `connection_id` it edits that connection; `prefill` has wire names."""

    company_id: str
    created_at: float
    connection_id: str | None = None
    prefill: dict[str, Any] = field(default_factory=dict)
    redirect_uri: str | None = None
    state: str | None = None

    @property
    def secret(self) -> str:
        """The last part of its address."""
        return self.id

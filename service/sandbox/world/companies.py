"""Companies and their sites: what they hold, what a caller may send, how they look on the wire."""

from dataclasses import dataclass, field
from typing import Any

from service.sandbox.wire import fields
from service.sandbox.world.rows import Noun

DECIMAL = "A valid number is required."
USER = "sandbox-admin@example.com"

SITE_CHECKS: dict[str, fields.Check] = {
    "name": fields.text(1, 255),
    "externalId": fields.nullable(fields.text(0, 255)),
    "address": fields.text(0, 255),
    "path": fields.listing(fields.text(1, 100), 10, once=False),
    "occupancyPercent": fields.nullable(fields.pattern(r"(?:\d{1,2}(?:\.\d{0,4})?|100(?:\.0{0,4})?)", DECIMAL)),
}
COMPANY_CHECKS: dict[str, fields.Check] = {
    "name": fields.text(1, 200),
    "externalId": fields.nullable(fields.text(0, 255)),
    "dataCollectionStartDate": fields.iso_day,
    "isImpliedMeteringEnabled": fields.boolean,
    "impliedMeteringFraction": fields.pattern(r"-?\d?(?:\.\d{0,2})?", DECIMAL),
    "isDemandEnabled": fields.boolean,
    "isBasicIdentifierMappingEnabled": fields.boolean,
    "isLowAccuracyModeEnabled": fields.boolean,
    "users": fields.listing(fields.email, 100),
}
COMPANY_DEFAULTS: dict[str, Any] = {
    "name": "",
    "externalId": None,
    "isImpliedMeteringEnabled": False,
    "impliedMeteringFraction": "1.0",
    "isDemandEnabled": False,
    "isBasicIdentifierMappingEnabled": False,
    "isLowAccuracyModeEnabled": False,
}
SITE_DEFAULTS: dict[str, Any] = {
    "name": "",
    "dataCollectionStopDate": None,
    "externalId": None,
    "address": "",
    "path": [],
    "occupancyPercent": None,
}


@dataclass(frozen=True)
class Site(Noun):
    """A place; `values` are its wire fields but for the id."""

    company_id: str
    created_at: float
    values: dict[str, Any] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """What people call it."""
        return str(self.values["name"])

    @property
    def address(self) -> str:
        """Where it is; may be empty."""
        return str(self.values["address"])

    def as_wire(self) -> dict[str, Any]:
        """The provider's Site."""
        return {"id": self.id, **self.values}


@dataclass(frozen=True)
class Company(Noun):
    """A customer; `public_id` stands in link addresses and never in the company object."""

    public_id: str
    created_at: float
    values: dict[str, Any] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """What people call it."""
        return str(self.values["name"])

    @property
    def external_id(self) -> str | None:
        """The caller's own id."""
        value: str | None = self.values["externalId"]
        return value

    def as_wire(self, sites: list[Site]) -> dict[str, Any]:
        """The provider's Company."""
        return {"id": self.id, **self.values, "sites": [site.as_wire() for site in sites]}

    def as_reference(self) -> dict[str, Any]:
        """The short form inside connections."""
        return {"id": self.id, "name": self.name, "externalId": self.external_id}


def users_with_caller(values: dict[str, Any]) -> dict[str, Any]:
    """The caller's own user is always on the list: one cannot remove oneself."""
    if "users" not in values:
        return values
    return {**values, "users": list(dict.fromkeys([USER, *values["users"]]))}

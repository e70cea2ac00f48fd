"""The team that the API key belongs to: one, with made-up billing data, as a client must never log it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from uuid import NAMESPACE_URL, uuid5

from service.sandbox.wire import fields
from service.sandbox.world.companies import USER
from service.sandbox.world.context import SandboxContext
from service.sandbox.world.rows import SandboxRecord, SandboxTable

CHECKS: dict[str, fields.Check] = {"users": fields.listing(fields.email, 100)}
_ONLY = "team"


@dataclass(frozen=True)
class TeamMembers(SandboxRecord):
    """The stored members, once they were changed."""

    users: tuple[str, ...]


class SandboxTeam:
    """The team's profile and its members."""

    def __init__(self, context: SandboxContext, table: SandboxTable[TeamMembers]) -> None:
        self._table = table
        # Derived, so that reading the team changes no id that a seed gives later.
        self._id = str(uuid5(NAMESPACE_URL, f"{context.settings.public_url}/team/{context.settings.seed or ''}"))

    def update(self, body: Mapping[str, Any]) -> None:
        """Replace the members, when sent; the caller stays one. Raises `InvalidFields`."""
        values = fields.read(body, CHECKS)
        if "users" in values:
            self._table.put(TeamMembers(_ONLY, tuple(dict.fromkeys([USER, *values["users"]]))))

    def as_wire(self) -> dict[str, Any]:
        """Return the provider's Team. The shape of `billing` is not documented; this one is ours."""
        stored = self._table.get(_ONLY)
        return {
            "id": self._id,
            "name": "Sandbox Team",
            "email": USER,
            "users": list(stored.users if stored else (USER,)),
            "billing": {
                "usageEvents": [],
                "paymentMethods": [{"type": "card", "brand": "visa", "last4": "4242"}],
                "portalUrl": "https://billing.example/session/sandbox",
            },
        }

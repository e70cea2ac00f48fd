"""The story of an API key: who calls. Keys are shown once and kept as digests."""

import hmac
from dataclasses import dataclass

from service.errors import Unauthorized
from service.model import Clock, Tenant
from service.sessions import Outside
from service.state import digest
from service.store import Store

DEFAULT_TENANT = Tenant("default")
_BOOTSTRAP = "bootstrap"
_REMEMBERED_SECONDS = 5.0  # how long a revoked key may go on working
_REMEMBERED_KEYS = 10_000


@dataclass(frozen=True, slots=True)
class Caller:
    """Who calls: whose key it is, and which one, by its id (`bootstrap`: the one of the settings)."""

    tenant: Tenant
    key_id: str


class Keys:
    """See the module. `bootstrap` is the one key of the settings."""

    def __init__(self, store: Store, outside: Outside, bootstrap: str | None) -> None:
        self._store = store
        self._clock: Clock = outside.clock
        self._bootstrap = digest(bootstrap) if bootstrap else None
        self._known: dict[str, tuple[float, Caller]] = {}

    async def caller_of(self, authorization: str | None) -> Caller:
        """Whose key it is, and which. Raises Unauthorized: no key, another scheme, an unknown or a revoked one."""
        scheme, _, key = (authorization or "").partition(" ")
        if scheme.lower() != "bearer" or not key.strip():
            raise Unauthorized
        name = digest(key.strip())
        if self._bootstrap is not None and hmac.compare_digest(name, self._bootstrap):
            return Caller(DEFAULT_TENANT, _BOOTSTRAP)
        return await self._find(name)

    async def _find(self, name: str) -> Caller:
        now = self._clock()
        remembered = self._known.get(name)
        if remembered is not None and 0.0 <= now - remembered[0] < _REMEMBERED_SECONDS:
            return remembered[1]
        found = await self._store.keys.find(name)
        if found is None or found.revoked_at is not None:
            self._known.pop(name, None)
            raise Unauthorized
        if len(self._known) >= _REMEMBERED_KEYS:
            self._known.clear()
        caller = Caller(found.tenant, found.id)
        self._known[name] = (now, caller)
        return caller

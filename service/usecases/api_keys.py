"""API keys: which tenant calls, and with which key. Keys are shown once and stored as digests."""

import hmac
from dataclasses import dataclass

from service.domain.model import DEFAULT_TENANT, Clock, Tenant
from service.domain.runtime import Runtime
from service.domain.tokens import digest
from service.errors import Unauthorized
from service.store import Store

_BOOTSTRAP = "bootstrap"
_REMEMBERED_SECONDS = 5.0  # how long a revoked key may go on working
_REMEMBERED_KEYS = 10_000


@dataclass(frozen=True, slots=True)
class Caller:
    """The tenant that calls and the id of its key; `bootstrap` is the id of the key in the settings."""

    tenant: Tenant
    key_id: str


class ApiKeys:
    """Finds the caller of a request by its API key. `bootstrap` is the key of the settings (MAGICLINK_API_KEY)."""

    def __init__(self, store: Store, runtime: Runtime, bootstrap: str | None) -> None:
        self._store = store
        self._clock: Clock = runtime.clock
        self._bootstrap = digest(bootstrap) if bootstrap else None
        self._known: dict[str, tuple[float, Caller]] = {}

    async def caller_of(self, authorization: str | None) -> Caller:
        """The caller of a request. Raises Unauthorized for no key, another scheme, an unknown or a revoked key."""
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

"""The story of an API key: who calls. Keys are shown once and kept as digests."""

import hmac

from service.errors import Unauthorized
from service.model import Clock, Tenant
from service.sessions import Outside
from service.state import digest
from service.store import Store

DEFAULT_TENANT = Tenant("default")
_REMEMBERED_SECONDS = 5.0  # how long a revoked key may go on working
_REMEMBERED_KEYS = 10_000


class Keys:
    """See the module. `bootstrap` is the one key of the settings."""

    def __init__(self, store: Store, outside: Outside, bootstrap: str | None) -> None:
        self._store = store
        self._clock: Clock = outside.clock
        self._bootstrap = digest(bootstrap) if bootstrap else None
        self._known: dict[str, tuple[float, Tenant]] = {}

    async def tenant_of(self, authorization: str | None) -> Tenant:
        """Whose key it is. Raises Unauthorized: no key, another scheme, an unknown or a revoked one."""
        scheme, _, key = (authorization or "").partition(" ")
        if scheme.lower() != "bearer" or not key.strip():
            raise Unauthorized
        name = digest(key.strip())
        if self._bootstrap is not None and hmac.compare_digest(name, self._bootstrap):
            return DEFAULT_TENANT
        return await self._find(name)

    async def _find(self, name: str) -> Tenant:
        now = self._clock()
        remembered = self._known.get(name)
        if remembered is not None and now - remembered[0] < _REMEMBERED_SECONDS:
            return remembered[1]
        found = await self._store.keys.find(name)
        if found is None or found.revoked_at is not None:
            self._known.pop(name, None)
            raise Unauthorized
        if len(self._known) >= _REMEMBERED_KEYS:
            self._known.clear()
        self._known[name] = (now, found.tenant)
        return found.tenant

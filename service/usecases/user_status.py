"""The state of one user's connections: for the host's backend, and on a page that the host frames for the user."""

from collections.abc import Sequence
from dataclasses import dataclass

from service.domain.model import Clock, Connection, Tenant, UserId
from service.domain.timing import STATUS_SECONDS
from service.domain.tokens import StatusToken
from service.errors import Expired
from service.signing import Signer
from service.store import Store


@dataclass(frozen=True, slots=True)
class UserStatus:
    """A user's connections, and the address of their page; without an origin that frames it there is none."""

    connections: Sequence[Connection]
    url: str | None = None
    url_expires_at: float | None = None


@dataclass(frozen=True, slots=True)
class OpenedStatus:
    """What a status page shows; `closed` is why it shows nothing, if it does not."""

    origin: str
    seconds_left: int
    connections: Sequence[Connection] = ()
    closed: Expired | None = None


class UserStatuses:
    """Reads a user's connections, and signs and opens the address of the page that shows them.

    Anyone who has the address sees the names of the user's utilities and their states. So it is short-lived, and only
    the origin for which it was signed can frame its page.
    """

    def __init__(self, store: Store, signer: Signer, clock: Clock, public_url: str) -> None:
        self._store = store
        self._signer = signer
        self._clock = clock
        self._public_url = public_url

    async def of_user(self, tenant: Tenant, user_id: UserId, origin: str | None) -> UserStatus:
        """A user's connections, with an address for this origin. Raises NotFound for an unknown or erased user."""
        user, connections = await self._store.users.status(tenant, user_id)
        if origin is None:
            return UserStatus(connections)
        token = StatusToken(tenant, user, origin, int(self._clock()))
        url = f"{self._public_url}/status/{self._signer.sign_status_token(token)}"
        return UserStatus(connections, url, token.issued_at + STATUS_SECONDS)

    async def by_token(self, token: str) -> OpenedStatus:
        """What the page of this address shows. Raises NotFound for a token that is not ours, or of an erased user."""
        found, now = self._signer.read_status_token(token), self._clock()
        # A minute before: another process, whose clock is ahead, may have signed it.
        if not found.issued_at - 60 <= now <= found.issued_at + STATUS_SECONDS:
            return OpenedStatus(found.origin, 0, closed=Expired())
        connections = await self._store.users.connections_of(found.tenant, found.user)
        return OpenedStatus(found.origin, int(found.issued_at + STATUS_SECONDS - now), connections)

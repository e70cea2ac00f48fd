"""Signed results: a host's backend confirms what a browser brought back, for the user who is signed in at the host."""

from collections.abc import Callable
from contextlib import suppress

from service.domain.model import ConnectionId, SessionId, Tenant, UserId, UserRef
from service.domain.refused_results import refuse_result
from service.domain.runtime import Runtime
from service.domain.statuses import ConnectionState
from service.domain.tokens import SessionResult
from service.errors import BadState, NotFound, ResultOfAnotherUser
from service.signing import Signer
from service.store import Store


class Results:
    """Confirms results; `count` is called with each outcome: `confirmed`, `refused` or `other_user`."""

    def __init__(self, store: Store, signer: Signer, runtime: Runtime, count: Callable[[str], None]) -> None:
        self._store = store
        self._signer = signer
        self._clock = runtime.clock
        self._new_id = runtime.new_id
        self._count = count

    async def verify(self, state: str, tenant: Tenant, user_id: UserId) -> tuple[SessionResult, ConnectionState | None]:
        """Confirm a result that a browser brought, and read the state that its connection has now.

        Raises BadState for a result of another user, a changed or an old one. A result of the same tenant that is
        presented for another user is recorded (`session.verify_failed`).
        """
        try:
            result = self._signer.read_result(state, tenant, user_id, self._clock())
        except ResultOfAnotherUser as exc:
            self._count("other_user")
            await self._record(SessionId(exc.session_id), tenant, user_id)
            raise
        except BadState:
            self._count("refused")
            raise
        self._count("confirmed")
        return result, await self._state_of(result)

    async def _state_of(self, result: SessionResult) -> ConnectionState | None:
        """None without a connection, and where it is no longer this user's."""
        if result.connection_id is None:
            return None
        with suppress(NotFound):
            connection = await self._store.connections.get(ConnectionId(result.connection_id), result.tenant)
            owner = connection.verdict.owner
            users = await self._store.users.ids([owner.user] if owner is not None else [])
            return connection.state if result.user_id in users.values() else None
        return None

    async def _record(self, session_id: SessionId, tenant: Tenant, user_id: UserId) -> None:
        with suppress(NotFound):  # the session is deleted: there is no timeline for it
            presented_for = user_id, UserRef(self._new_id("usr"))
            await self._store.sessions.refuse_result(session_id, tenant, presented_for, refuse_result)

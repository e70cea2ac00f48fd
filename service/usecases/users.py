"""Users as the host may ask about them: export what is stored, and erase it. Both are audited with the API key's id."""

import asyncio
from collections.abc import Awaitable, Callable
from functools import partial

from service.domain.changes import Changes
from service.domain.erasure import erase_session
from service.domain.model import Clock, Session, SessionId, Tenant, UserId, UserRef
from service.domain.user_records import UserRecords
from service.provider import Provider
from service.store import Store

# Sessions that are erased at once: their commits are grouped.
_AT_ONCE = 20
# When to try again to empty the database's log, where a read or a write was in the way.
_LOG_SECONDS = 60.0


class Users:
    """For one tenant's users; `by` is the id of the API key that asks."""

    def __init__(self, store: Store, provider: Provider, clock: Clock) -> None:
        self._store = store
        self._provider = provider
        self._clock = clock

    async def export(self, tenant: Tenant, user_id: UserId, by: str) -> UserRecords:
        """Return everything that is stored about a user. Raises NotFound.

        Other users who could have made a connection are not named.
        """
        return await self._store.users.export(tenant, user_id, by)

    async def erase(
        self, tenant: Tenant, user_id: UserId, by: str, run_job: Callable[[UserRef], Awaitable[None]]
    ) -> bool:
        """Erase a user; return False where a job has yet to complete it. Raises NotFound.

        First, one transaction closes the user's sessions and deletes the user's id. Then `run_job` runs the job at
        once, and waits for it as long as the caller can.
        """
        user = await self._store.users.begin_erasure(tenant, user_id, by)
        await run_job(user)
        return await self._store.users.is_erased(user)

    async def complete_erasure(self, user: UserRef) -> float | None:
        """Revoke the sessions of an erased user and erase what they hold, then the stored answers; it may be repeated.

        Each session is one transaction, which also enqueues the job that revokes its invitations at the provider. At
        the end the database's log is emptied; returns in how many seconds to repeat all of it, where that has failed.
        """
        decide = partial(_erase, now=self._clock(), provider_now=self._provider.provider_now())
        sessions = await self._store.users.sessions(user)
        for start in range(0, len(sessions), _AT_ONCE):
            await asyncio.gather(*(self._erase_session(one, decide) for one in sessions[start : start + _AT_ONCE]))
        await self._store.users.complete_erasure(user)
        return None if await self._store.engine.empty_log() else _LOG_SECONDS

    async def encrypt_emails(self) -> None:
        """Encrypt the e-mail addresses that version 0.2.0 and earlier stored as they are."""
        last: SessionId | None = SessionId("")
        while last is not None:
            last = await self._store.users.encrypt_emails(last)

    async def _erase_session(self, session_id: SessionId, decide: Callable[[Session], Changes]) -> None:
        await self._store.sessions.change(session_id, decide)


def _erase(session: Session, now: float, provider_now: float | None) -> Changes:
    return erase_session(session, now, provider_now)

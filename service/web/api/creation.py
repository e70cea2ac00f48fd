"""How a POST creates a session: once per Idempotency-Key, and at once or when its link is there."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from service.domain.model import Session, Tenant
from service.domain.requests import CreateOptions, KeyLease, SessionRequest
from service.domain.timing import PREPARE_NOW_SECONDS, PREPARE_TAKEOVER_SECONDS
from service.errors import MagiclinkError, ProviderTimeout
from service.telemetry.load import RequestLoad
from service.usecases.idempotency import IdempotentCalls
from service.usecases.links import Links
from service.usecases.sessions import Sessions
from service.web.api.idempotency import IdempotentRoutes, idempotent_request, stored_answer


class SessionCreation:
    """Creates sessions for the routes that answer with a new one; `load` has the calls that wait for a link."""

    def __init__(
        self,
        calls: IdempotentCalls,
        sessions: Sessions,
        links: Links,
        idempotent: IdempotentRoutes,
        load: RequestLoad,
    ) -> None:
        self._load = load
        self._calls = calls
        self._sessions = sessions
        self._links = links
        self._idempotent = idempotent

    async def run(
        self,
        request: Request,
        tenant: Tenant,
        raw: Any,
        wanted: Callable[[], Awaitable[SessionRequest]],
        *,
        now: bool,
    ) -> Response:
        """Create the session, or answer as the equal earlier call. `raw` is the body; `now` waits for the link.

        `wanted` checks the request against today's settings and data. It is not called for a repeat: what the first
        call named may be gone since, and its answer stays the same.
        """
        with self._calls.under_way(tenant, idempotent_request(request, raw)) as key:
            created = await self._sessions.earlier(key)
            if created is None:
                # With `now` the answer is stored when the link is there, and no worker makes the link meanwhile.
                late = PREPARE_TAKEOVER_SECONDS if now else 0.0
                options = CreateOptions(key, None if now else stored_answer, late)
                created = await self._sessions.create(tenant, await wanted(), options)
            if not isinstance(created, Session):
                return JSONResponse(self._idempotent.with_urls(created), 201)
            session = await self._prepared(created, key) if now else created
            return JSONResponse(self._idempotent.with_urls(stored_answer(session)), 201)

    async def _prepared(self, session: Session, key: KeyLease | None) -> Session:
        """Wait for the link. A session whose link is refused or late fails, and its key may be tried again.

        Raises LeaseLost, and fails nothing, where an equal call took the key over: it waits for the same session.
        """
        try:
            with self._load.waiting():
                ready = await self._prepare_in_time(session, key)
        except MagiclinkError as exc:
            await self._links.fail(session.id, exc.code, key=key)  # the host got no URL of it
            await self._calls.complete(key, None)
            raise
        await self._calls.complete(key, stored_answer(ready))
        return ready

    async def _prepare_in_time(self, session: Session, key: KeyLease | None) -> Session:
        try:
            async with asyncio.timeout(PREPARE_NOW_SECONDS):
                return await self._links.prepare(session.id, key=key)
        except TimeoutError as exc:
            raise ProviderTimeout from exc

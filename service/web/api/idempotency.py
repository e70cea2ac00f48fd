"""Routes that act once however often they are called: the Idempotency-Key header, and stored answers without tokens."""

import re
from collections.abc import Awaitable, Callable
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from service.domain.model import Session, Tenant
from service.domain.requests import IdempotentRequest
from service.errors import InvalidRequest, MagiclinkError, Problem
from service.usecases.idempotency import IdempotentCalls, body_digest
from service.usecases.sessions import Sessions
from service.web.api.json import session_json

_KEY = re.compile(r"[\x21-\x7e]{1,255}")
# A stored answer holds this in place of its URLs: what they are derived from. Tokens are never stored.
_DERIVED = "_url"


class IdempotentRoutes:
    """Runs a route's call once per key, and derives the URLs of stored answers again."""

    def __init__(self, calls: IdempotentCalls, sessions: Sessions) -> None:
        self._calls = calls
        self._sessions = sessions

    async def run(
        self, request: Request, tenant: Tenant, raw: Any, call: Callable[[], Awaitable[dict[str, Any]]]
    ) -> Response:
        """Run a call that creates no session; with an Idempotency-Key, once. `raw` is the request's body."""
        key = idempotent_request(request, raw)
        earlier = await self._calls.begin(tenant, key) if key is not None else None
        if earlier is not None:
            return JSONResponse(self.with_urls(dict(earlier)))
        try:
            body = await call()
        except MagiclinkError:
            await self._calls.complete(tenant, key, None)
            raise
        await self._calls.complete(tenant, key, body)
        return JSONResponse(self.with_urls(body))

    def with_urls(self, stored: dict[str, Any]) -> dict[str, Any]:
        """Return the answer as it is sent: its URLs are derived again."""
        body = dict(stored)
        parts = body.pop(_DERIVED, None)
        if parts is None:
            return body
        urls = self._sessions.urls_of(body["id"], parts)
        return body | {"embedUrl": urls.embed_url, "redirectUrl": urls.redirect_url}


def stored_answer(session: Session) -> dict[str, Any]:
    """Return the answer that gives a session's URLs, as it may be stored: without them."""
    parts = [session.serial, session.issued_at, session.key_id, session.origin is not None]
    return session_json(session) | {_DERIVED: parts}


def idempotent_request(request: Request, raw: Any) -> IdempotentRequest | None:
    """Return the request's Idempotency-Key with its body's digest, if it has one. Raises InvalidRequest."""
    key = request.headers.get("idempotency-key")
    if key is None:
        return None
    if not _KEY.fullmatch(key):
        raise InvalidRequest([Problem("", "Idempotency-Key must be 1 to 255 visible ASCII characters")])
    return IdempotentRequest(request.url.path, key, body_digest(raw))

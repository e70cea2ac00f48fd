"""Calls that are made once however often they are sent: Idempotency-Key, and answers without the tokens in them."""

import re
from collections.abc import Awaitable, Callable
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from service.errors import InvalidRequest, MagiclinkError, Problem
from service.ledger import Repeat
from service.model import Session, Tenant
from service.sessions import Sessions, body_digest
from service.web.render import session_json

_KEY = re.compile(r"[\x21-\x7e]{1,255}")
_DERIVED = "_url"  # what an answer's URLs are derived from, kept in their place


class Once:
    """See the module."""

    def __init__(self, sessions: Sessions) -> None:
        self._sessions = sessions

    async def run(
        self, request: Request, tenant: Tenant, raw: Any, call: Callable[[], Awaitable[dict[str, Any]]]
    ) -> Response:
        """Run a call that makes no session; with an Idempotency-Key, once."""
        repeat = repeat_of(request, raw)
        earlier = await self._sessions.begin(tenant, repeat) if repeat is not None else None
        if earlier is not None:
            return JSONResponse(self.with_urls(dict(earlier)))
        try:
            body = await call()
        except MagiclinkError:
            await self._sessions.answered(tenant, repeat, None)
            raise
        await self._sessions.answered(tenant, repeat, body)
        return JSONResponse(self.with_urls(body))

    def with_urls(self, kept: dict[str, Any]) -> dict[str, Any]:
        """The answer as it is sent: its URLs are derived again."""
        body = dict(kept)
        parts = body.pop(_DERIVED, None)
        if parts is None:
            return body
        urls = self._sessions.addresses_of(body["id"], parts)
        return body | {"embedUrl": urls.embed_url, "redirectUrl": urls.redirect_url}


def kept(session: Session) -> dict[str, Any]:
    """The answer that made a session's URLs, as it may be kept."""
    parts = [session.serial, session.issued_at, session.key_id, session.origin is not None]
    return session_json(session) | {_DERIVED: parts}


def repeat_of(request: Request, raw: Any) -> Repeat | None:
    """The call's Idempotency-Key with its body's digest, if it has one. Raises InvalidRequest."""
    key = request.headers.get("idempotency-key")
    if key is None:
        return None
    if not _KEY.fullmatch(key):
        raise InvalidRequest([Problem("", "Idempotency-Key must be 1 to 255 visible ASCII characters")])
    return Repeat(request.url.path, key, body_digest(raw))

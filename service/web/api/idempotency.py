"""The Idempotency-Key header: a call with a known key gets its stored answer, which holds no token.

Reference: the IETF draft "The Idempotency-Key HTTP Header Field".
"""

import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from service.domain.model import Connection, Session, Tenant
from service.domain.requests import IdempotentRequest, KeptAnswer, KeyLease
from service.errors import InvalidRequest, MagiclinkError, NotFound, Problem
from service.usecases.idempotency import IdempotentCalls, body_digest
from service.usecases.sessions import Sessions
from service.web.api.answers import MadeSessionJson, SessionJson
from service.web.api.json import session_json

_KEY = re.compile(r"[\x21-\x7e]{1,255}")
# Every path of `/v1` whose ids can exist. PostgreSQL refuses a NUL in a text, and a key of more than 8 KB in an index.
_PATH = re.compile(r"[\x21-\x7e]{1,255}")
# A stored answer holds this in place of its URLs: what they are derived from. A stolen database gives no URL away.
_DERIVED = "_url"

Answer = Mapping[str, Any]  # a type of `answers`, or a stored one: those come back from the database as plain JSON


@dataclass(frozen=True, slots=True)
class Rendering:
    """How an answer is sent: its status, and what adds to it the secrets that are never stored with it."""

    status: int = 200
    complete: Callable[[Answer], Awaitable[Answer]] | None = None


class IdempotentRoutes:
    """Runs a route's call once per key, and derives the URLs of stored answers again."""

    def __init__(self, calls: IdempotentCalls, sessions: Sessions) -> None:
        self._calls = calls
        self._sessions = sessions

    async def run(
        self,
        request: Request,
        tenant: Tenant,
        raw: Any,
        call: Callable[[KeyLease | None], Awaitable[Answer]],
        rendering: Rendering = Rendering(),
    ) -> Response:
        """Run a call that creates no session; with an Idempotency-Key, once. `raw` is the request's body.

        `call` stores its answer (`kept_answer`) in the transaction that does what it asks for.
        """
        with self._calls.under_way(tenant, idempotent_request(request, raw)) as key:
            earlier = await self._calls.begin(key) if key is not None else None
            if earlier is not None:
                return await self._response(earlier, rendering)
            try:
                body = await call(key)
            except MagiclinkError:
                # A refusal is not stored: the host may mend what was refused, and repeat the call with the same key.
                await self._calls.complete(key, None)
                raise
            await self._calls.complete(key, body)
            return await self._response(body, rendering)

    async def _response(self, stored: Answer, rendering: Rendering) -> Response:
        answer = stored if rendering.complete is None else await rendering.complete(stored)
        return JSONResponse(self.with_urls(answer), rendering.status)

    def with_urls(self, stored: Answer) -> Answer:
        """Return the answer as it is sent: its URLs are derived again."""
        if _DERIVED not in stored:
            return stored
        session = cast("SessionJson", {name: value for name, value in stored.items() if name != _DERIVED})
        urls = self._sessions.urls_of(session["id"], stored[_DERIVED])
        made: MadeSessionJson = {**session, "embedUrl": urls.embed_url, "redirectUrl": urls.redirect_url}
        return made


def stored_answer(session: Session, connections: Sequence[Connection] = ()) -> Answer:
    """Return the answer that gives a session's URLs, as it may be stored: without them."""
    parts = [session.serial, session.issued_at, session.key_id, session.origin is not None]
    return session_json(session, connections) | {_DERIVED: parts}


def kept_answer(key: KeyLease | None, answer: Answer, *, is_partial: bool = False) -> KeptAnswer | None:
    """Return the answer with the key of its call; None for a call without an Idempotency-Key."""
    return KeptAnswer(key, answer, is_partial) if key is not None else None


def idempotent_request(request: Request, raw: Any) -> IdempotentRequest | None:
    """Return the request's Idempotency-Key with its body's digest, if it has one.

    Raises InvalidRequest, and NotFound for a path whose id cannot exist: the path is stored with the key.
    """
    key = request.headers.get("idempotency-key")
    if key is None:
        return None
    if not _KEY.fullmatch(key):
        raise InvalidRequest([Problem("", "Idempotency-Key must be 1 to 255 visible ASCII characters")])
    path: str = request.scope["path"]
    if not _PATH.fullmatch(path):
        raise NotFound
    return IdempotentRequest(path, key, body_digest(raw))

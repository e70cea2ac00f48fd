"""Errors as the host's backend gets them: RFC 9457 problem documents with a closed list of codes."""

from collections.abc import Iterator, Mapping

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from service.errors import (
    BadSettings,
    InvalidRequest,
    MagiclinkError,
    MethodNotAllowed,
    NotFound,
    RateLimited,
    SessionClosed,
    TooLarge,
)
from service.telemetry.logs import request_id
from service.web.api.answers import ProblemJson
from service.web.audience import Handlers

MEDIA_TYPE = "application/problem+json"
_BY_STATUS: Mapping[int, type[MagiclinkError]] = {404: NotFound, 405: MethodNotAllowed, 413: TooLarge}


def problem(error: MagiclinkError) -> JSONResponse:
    """The document for an error; `title` is the same for every occurrence of a code, `detail` is of this one."""
    # Reference: RFC 9457, section 3.1.1: `type` identifies the problem; a URN, so that no client tries to load it.
    body: ProblemJson = {
        "type": f"urn:magiclink:error:{error.code}",
        "title": error.title,
        "status": error.status,
        "detail": error.detail,
        "code": error.code,
        "requestId": request_id(),
    }
    headers = {"Cache-Control": "no-store"}
    if isinstance(error, InvalidRequest):
        body["errors"] = [{"pointer": one.pointer, "detail": one.detail} for one in error.problems]
    if isinstance(error, SessionClosed) and error.failure:
        body["failure"] = {"code": error.failure}
    if isinstance(error, RateLimited):
        headers["Retry-After"] = str(error.retry_after_seconds)
    # Reference: RFC 9110: 10.2.3 Retry-After, 11.6.1 WWW-Authenticate, which every 401 must have.
    if error.status == 503:
        headers["Retry-After"] = "2"
    if error.status == 401:
        headers["WWW-Authenticate"] = 'Bearer realm="magiclink"'
    return JSONResponse(body, error.status, headers, media_type=MEDIA_TYPE)


def errors_by_code() -> dict[str, list[type[MagiclinkError]]]:
    """Every code that a caller may get, with the errors that have it."""
    found: dict[str, list[type[MagiclinkError]]] = {}
    for kind in _with_subclasses(MagiclinkError):
        only_a_parent = kind.code == MagiclinkError.code and kind is not MagiclinkError
        if not only_a_parent and not issubclass(kind, BadSettings):
            found.setdefault(kind.code, []).append(kind)
    return found


def _with_subclasses(kind: type[MagiclinkError]) -> Iterator[type[MagiclinkError]]:
    yield kind
    for narrower in kind.__subclasses__():
        yield from _with_subclasses(narrower)


async def on_error(_request: Request, exc: Exception) -> Response:
    """The handler of MagiclinkError; anything else is an `internal_error`, without its message."""
    # The message of an unknown exception may hold a secret or a query: it is logged, never answered.
    return problem(exc if isinstance(exc, MagiclinkError) else MagiclinkError())


async def on_http_error(_request: Request, exc: Exception) -> Response:
    """The handler of what the router refuses: unknown paths and methods."""
    status = exc.status_code if isinstance(exc, HTTPException) else 500
    response = problem(_BY_STATUS.get(status, MagiclinkError)())
    # Reference: RFC 9110, section 15.5.6: a 405 names the allowed methods in `Allow`, which the router has set.
    for name, value in (getattr(exc, "headers", None) or {}).items():
        response.headers[name] = value
    return response


HANDLERS: Handlers = {MagiclinkError: on_error, HTTPException: on_http_error, Exception: on_error}

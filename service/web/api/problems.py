"""Errors as the host's backend sees them: RFC 9457 problem documents, one shape, closed codes."""

from collections.abc import Mapping
from typing import Any

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from service.errors import InvalidRequest, MagiclinkError, MethodNotAllowed, NotFound, RateLimited, TooLarge
from service.telemetry.logs import request_id

MEDIA_TYPE = "application/problem+json"
_BY_STATUS: Mapping[int, type[MagiclinkError]] = {404: NotFound, 405: MethodNotAllowed, 413: TooLarge}


def problem(error: MagiclinkError) -> JSONResponse:
    """The document for an error; `title` is the same for every occurrence of a code, `detail` is of this one."""
    body: dict[str, Any] = {
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
    if isinstance(error, RateLimited):
        headers["Retry-After"] = str(error.retry_after_seconds)
    if error.status == 503:
        headers["Retry-After"] = "2"
    if error.status == 401:
        headers["WWW-Authenticate"] = 'Bearer realm="magiclink"'
    return JSONResponse(body, error.status, headers, media_type=MEDIA_TYPE)


async def on_error(_request: Request, exc: Exception) -> Response:
    """Starlette's handler for our own tree."""
    return problem(exc if isinstance(exc, MagiclinkError) else MagiclinkError())


async def on_http_error(_request: Request, exc: Exception) -> Response:
    """Starlette's handler for what its router refuses: unknown paths and methods."""
    status = exc.status_code if isinstance(exc, HTTPException) else 500
    response = problem(_BY_STATUS.get(status, MagiclinkError)())
    for name, value in (getattr(exc, "headers", None) or {}).items():
        response.headers[name] = value
    return response


HANDLERS: Mapping[Any, Any] = {MagiclinkError: on_error, HTTPException: on_http_error, Exception: on_error}

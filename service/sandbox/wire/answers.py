"""JSON bodies of requests, and error answers in the provider's format."""

import json
from email.message import Message
from typing import Any

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from service.sandbox.wire.errors import CompanyInactive, InvalidFields, RecordMissing


async def read_json(request: Request) -> dict[str, Any]:
    """Return the body as an object, empty for an empty body; raises `HTTPException` 400 or 415."""
    raw = await request.body()
    if not raw.strip():
        return {}
    # Django REST framework, which the provider uses, checks the media type first.
    kind = request.headers.get("content-type", "")
    if kind.partition(";")[0].strip().lower() != "application/json":
        raise HTTPException(415, f'Unsupported media type "{kind[:100]}" in request.')
    return parse_object(raw)


def require_utf8(request: Request) -> None:
    """Raise `HTTPException` 415 for a form that names another charset, in which the parser would read it."""
    # Some of Python's codecs yield text that cannot be written again, fail with an error of their own, or take minutes.
    kind = Message()
    kind["content-type"] = request.headers.get("content-type", "")
    # Each that is named, also as `charset*`: readers differ in which of several they take.
    named = [value for name, value in kind.get_params([]) if name.lower().startswith("charset")]
    if any(str(value).lower() not in {"utf-8", "utf8"} for value in named):
        raise HTTPException(415, "Unsupported charset in request.")


def parse(raw: bytes) -> Any:
    """Parse JSON that can be written again: no NaN, no infinity, no lone surrogates. Raises `ValueError`."""
    value = json.loads(raw)
    # Python parses more than JSON may contain, which would fail later: in an answer or in the database.
    json.dumps(value, allow_nan=False, ensure_ascii=False).encode()
    return value


def parse_object(raw: bytes) -> dict[str, Any]:
    """Parse a JSON object; raises `HTTPException` 400 for anything else."""
    try:
        body = parse(raw)
    except (ValueError, RecursionError) as wrong:
        raise HTTPException(400, f"JSON parse error - {_printable(wrong)}") from None
    if not isinstance(body, dict):
        raise HTTPException(400, f"Invalid data. Expected a dictionary, but got {type(body).__name__}.")
    return body


def add_errors(app: Starlette) -> None:
    """Make an app answer every error as the provider does."""
    app.add_exception_handler(HTTPException, _refused)
    app.add_exception_handler(InvalidFields, _invalid)
    app.add_exception_handler(RecordMissing, _missing)
    app.add_exception_handler(Exception, _failed)
    app.add_exception_handler(CompanyInactive, _inactive)


def detail(status: int, text: str, headers: dict[str, str] | None = None) -> Response:
    """Return an error answer with the documented body."""
    return JSONResponse({"detail": text}, status, headers)


def _printable(wrong: Exception) -> str:
    # The message may quote the body, lone surrogates included.
    return str(wrong).encode("ascii", "backslashreplace").decode()[:200]


def _refused(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)  # noqa: S101 - registered for this class only
    texts = {404: "Not found.", 405: f'Method "{request.method}" not allowed.'}
    headers = dict(error.headers) if error.headers else None
    return detail(error.status_code, texts.get(error.status_code, error.detail), headers)


def _invalid(_: Request, error: Exception) -> Response:
    assert isinstance(error, InvalidFields)  # noqa: S101 - registered for this class only
    return JSONResponse(error.errors, 400)


async def _failed(_: Request, __: Exception) -> Response:
    # Starlette sends this outside of every middleware, so the gate cannot add the header.
    return detail(500, "A server error occurred.", {"x-content-type-options": "nosniff"})


def _inactive(_: Request, __: Exception) -> Response:
    return detail(400, "Company is not active.")


def _missing(_: Request, __: Exception) -> Response:
    return detail(404, "Not found.")

"""What browsers carry for the redirect flow: the page's cookie, its forms, and the address back to the host."""

from collections.abc import Sequence
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

from starlette.requests import Request
from starlette.responses import Response

from service.errors import UnsupportedMediaType
from service.model import Connection, Session, SessionId
from service.transitions import working_first
from service.web.bodies import read_raw

KEY_HEADER = "x-page-key"
_COOKIE_SECONDS = 30 * 86400


def page_key_of(request: Request, session_id: SessionId, *, secure: bool) -> str | None:
    """The key that the page shows: our script's header in the frame, the first-party cookie in the redirect flow."""
    return request.headers.get(KEY_HEADER) or page_cookie(request, session_id, secure=secure)


def page_cookie(request: Request, session_id: SessionId, *, secure: bool) -> str | None:
    """The key that the cookie of this session holds; two flows in one browser have two cookies.

    Over https only the prefixed name counts: a sibling domain may plant any other, with the key of its own page in it.
    """
    return request.cookies.get(_cookie_name(session_id, secure=secure))


def set_page_cookie(response: Response, session: Session, key: str, *, secure: bool) -> None:
    """`Lax`, so that it comes along when the provider sends the person back; `__Host-` wherever there is https."""
    response.set_cookie(
        _cookie_name(session.id, secure=secure),
        key,
        max_age=_COOKIE_SECONDS,
        path="/",
        secure=secure,
        httponly=True,
        samesite="lax",
    )


async def read_form(request: Request) -> dict[str, str]:
    """A small form post. Raises UnsupportedMediaType, TooLarge."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    raw = await read_raw(request)
    if not raw:
        return {}
    if kind != "application/x-www-form-urlencoded":
        raise UnsupportedMediaType("Send application/x-www-form-urlencoded")
    return dict(parse_fields(raw))


def parse_fields(raw: bytes) -> list[tuple[str, str]]:
    """The fields of a urlencoded body; what is not UTF-8 is replaced, since no field of ours has any."""
    try:
        return parse_qsl(raw.decode("utf-8", "replace"), keep_blank_values=True, max_num_fields=50)
    except ValueError as exc:
        raise UnsupportedMediaType("Too many fields") from exc


def return_address(session: Session, connections: Sequence[Connection], result: str) -> str:
    """`returnUrl` with what it is promised: sessionId, status, connectionId when recorded, and the signed result."""
    parts = urlsplit(session.return_url or "")
    told = {"sessionId": str(session.id), "status": session.status.value}
    connection_id = working_first(connections)
    if connection_id is not None:
        told["connectionId"] = connection_id
    told["state"] = result
    query = "&".join(one for one in (parts.query, urlencode(told)) if one)
    return urlunsplit((parts.scheme, parts.netloc, parts.path, query, ""))


def _cookie_name(session_id: SessionId, *, secure: bool) -> str:
    name = f"magiclink-{session_id.removeprefix('ses_')[:16]}"
    return f"__Host-{name}" if secure else name

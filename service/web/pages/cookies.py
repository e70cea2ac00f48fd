"""The redirect flow's state in the browser: the page's cookie, its form posts, and the URL back to the host."""

import re
from collections.abc import Sequence
from urllib.parse import urlencode, urlsplit, urlunsplit

from starlette.requests import Request
from starlette.responses import Response

from service.domain.attached_sessions import main_connection
from service.domain.model import Connection, Session, SessionId
from service.errors import UnsupportedMediaType
from service.web.parameters import cookie, cookie_names, form_fields
from service.web.request_body import MAX_PAGE_BODY_BYTES, read_raw

KEY_HEADER = "x-page-key"
# The longest time that a session may have.
_COOKIE_SECONDS = 30 * 86400
# Of so many flows a browser keeps the key. Somebody who connects the accounts of many buildings walks through hundreds
# in a month; proxies refuse a request with all of their cookies, and this service reads none of them.
_MOST_COOKIES = 20
_ENDED_AT_ONCE = 10  # proxies limit the headers of an answer, too


def page_key_of(request: Request, session_id: SessionId, *, secure: bool) -> str | None:
    """Return the page key: the frame's script sends it in a header, the redirect flow in a first-party cookie."""
    # In a cross-site frame cookies are third-party: browsers block or partition them.
    return request.headers.get(KEY_HEADER) or page_cookie(request, session_id, secure=secure)


def page_cookie(request: Request, session_id: SessionId, *, secure: bool) -> str | None:
    """Return the page key in this session's cookie; two flows in one browser have two cookies.

    Over https only the `__Host-` name counts: an attacker on a sibling domain could set any other, with the key of a
    page of their own. Reference: RFC 6265bis, section 4.1.3.2.
    """
    return cookie(request, _cookie_name(session_id, secure=secure))


def set_page_cookie(request: Request, response: Response, session: Session, key: str, *, secure: bool) -> None:
    """Set the page's cookie: `Lax`, so that the browser sends it when the provider redirects to the callback.

    The cookies of the oldest flows in this browser end.
    """
    name, prefix = _cookie_name(session.id, secure=secure), _prefix(secure=secure)
    ours = re.compile(rf"{prefix}[A-Za-z0-9]+")
    others = [one for one in cookie_names(request) if ours.fullmatch(one) and one != name]
    too_many = max(0, len(others) + 1 - _MOST_COOKIES)
    for one in others[: min(too_many, _ENDED_AT_ONCE)]:
        response.delete_cookie(one, path="/", secure=secure, httponly=True, samesite="lax")
    response.set_cookie(name, key, max_age=_COOKIE_SECONDS, path="/", secure=secure, httponly=True, samesite="lax")


async def read_form(request: Request) -> dict[str, str]:
    """Return the fields of a form post. Raises UnsupportedMediaType, TooLarge."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    raw = await read_raw(request, MAX_PAGE_BODY_BYTES)
    if not raw:
        return {}
    if kind != "application/x-www-form-urlencoded":
        raise UnsupportedMediaType("Send application/x-www-form-urlencoded")
    return dict(form_fields(raw))


def return_address(session: Session, connections: Sequence[Connection], result: str | None) -> str:
    """Return `returnUrl` with sessionId, status, its connection's id and state if there is one, and the signed result.

    Without a `result` (the session settled long ago) the address carries nothing that the host could confirm.
    """
    # The host may have put a query of its own into `returnUrl`: it stays, and ours follows.
    parts = urlsplit(session.return_url or "")
    fields = {"sessionId": str(session.id), "status": session.status.value}
    connection = main_connection(connections)
    if connection is not None:
        # Beside the id: what is recorded need not work, and `connectionId` alone would read as success.
        fields |= {"connectionId": connection.id, "connectionState": connection.state.value}
    if result is not None:
        fields["state"] = result
    query = "&".join(one for one in (parts.query, urlencode(fields)) if one)
    return urlunsplit((parts.scheme, parts.netloc, parts.path, query, ""))


def _cookie_name(session_id: SessionId, *, secure: bool) -> str:
    return _prefix(secure=secure) + session_id.removeprefix("ses_")[:16]


def _prefix(*, secure: bool) -> str:
    return "__Host-magiclink-" if secure else "magiclink-"

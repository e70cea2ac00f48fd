"""Middleware of the demo, in pure ASGI: security headers, and the refusal of other sites' writes."""

from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

SAFE_METHODS = {"GET", "HEAD", "OPTIONS"}


def origin_of(url: str) -> str:
    """Return scheme, host and port, as browsers write an origin."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}"


class DemoSecurityHeaders:
    """Adds a strict content policy that permits one other origin, the service: as script, frame and redirect."""

    def __init__(self, app: ASGIApp, service_origin: str) -> None:
        self._app = app
        policy = (
            "default-src 'none'; style-src 'self'; img-src 'self'; connect-src 'self'; base-uri 'none'; "
            f"script-src 'self' {service_origin}; frame-src {service_origin}; "
            f"form-action 'self' {service_origin}; frame-ancestors 'none'"
        )
        self._headers = {
            "Content-Security-Policy": policy,
            "Referrer-Policy": "same-origin",
            "X-Content-Type-Options": "nosniff",
        }

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                headers.update(self._headers)
                # Pages show a person's data; the style sheet and the script may set their own value.
                headers.setdefault("Cache-Control", "no-store")
            await send(message)

        await self._app(scope, receive, with_headers)


class DemoSameOriginWrites:
    """Refuses a write that another site's page sent, also with a valid cookie.

    Reference: https://developer.mozilla.org/docs/Web/HTTP/Reference/Headers/Sec-Fetch-Site
    """

    def __init__(self, app: ASGIApp, own_origin: str) -> None:
        self._app = app
        self._own_origin = own_origin

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["method"] in SAFE_METHODS or self._is_own(Headers(scope=scope)):
            await self._app(scope, receive, send)
            return
        refusal = PlainTextResponse("This request came from another site, so Meadow did not act on it.", 403)
        await refusal(scope, receive, send)

    def _is_own(self, headers: Headers) -> bool:
        if site := headers.get("sec-fetch-site"):
            return site in {"same-origin", "none"}
        # Without either header the client is no browser, so there is no cookie that another site could use.
        return headers.get("origin", self._own_origin) == self._own_origin

"""What every answer to a browser carries, and which browsers' requests are refused: pure, per page.

Reference: w3.org/TR/CSP3, fetch.spec.whatwg.org (Sec-Fetch-*).
"""

from dataclasses import dataclass
from urllib.parse import urlsplit

from starlette.requests import Request

from service.errors import Forbidden
from service.urls import origin_of

_ALWAYS = {
    "Cache-Control": "no-store",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Robots-Tag": "noindex, nofollow",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=()",
    "Cross-Origin-Opener-Policy": "same-origin",
}


@dataclass(frozen=True, slots=True)
class FramePolicy:
    """Who may frame a page, and what it may frame and post to; nobody and nothing unless said."""

    ancestors: tuple[str, ...] = ()
    sources: tuple[str, ...] = ()
    targets: tuple[str, ...] = ()


def page_headers(frame: FramePolicy) -> dict[str, str]:
    """The headers of one page."""
    policy = {
        "default-src": "'none'",
        "script-src": "'self'",
        "style-src": "'self'",
        "img-src": "'self'",
        "connect-src": "'self'",
        "frame-src": " ".join(frame.sources) or "'none'",
        "form-action": " ".join(("'self'", *frame.targets)),
        "frame-ancestors": " ".join(frame.ancestors) or "'none'",
        "base-uri": "'none'",
        "require-trusted-types-for": "'script'",
    }
    csp = "; ".join(f"{name} {value}" for name, value in policy.items())
    legacy = {} if frame.ancestors else {"X-Frame-Options": "DENY"}
    return {**_ALWAYS, **legacy, "Content-Security-Policy": csp}


def target_of(return_url: str | None) -> tuple[str, ...]:
    """What `form-action` must allow so that a post may end at the host: browsers check redirects too."""
    if return_url is None:
        return ()
    origin = origin_of(return_url)
    return (origin,) if origin else (f"{urlsplit(return_url).scheme}:",)


def refuse_cross_site(request: Request, public_origin: str) -> None:
    """Raise Forbidden for a post that another site made: browsers say so in one header or the other.

    A request with neither header is no browser's, so it carries nobody's cookie. Our own forms say `Origin: null`,
    since our pages send no referrer; browsers too old for the first header have only the cookie's `SameSite` to go by.
    """
    site = request.headers.get("sec-fetch-site")
    origin = request.headers.get("origin", public_origin)
    if site not in {None, "same-origin", "none"} or (site is None and origin not in {public_origin, "null"}):
        raise Forbidden("This was sent from another site")


def is_top_level(request: Request) -> bool:
    """Whether the browser says that this is a page of its own, in no frame."""
    return request.headers.get("sec-fetch-dest") == "document"


def is_framed(request: Request) -> bool:
    """Whether the browser says that this is inside a frame."""
    return request.headers.get("sec-fetch-dest") in {"iframe", "frame", "embed", "object"}


def wants_json(request: Request) -> bool:
    """Whether our own script asks; people's browsers ask for pages."""
    return "application/json" in request.headers.get("accept", "")

"""Security headers of pages, and checks of the headers with which browsers describe a request. Pure.

Reference: w3.org/TR/CSP3, fetch.spec.whatwg.org (Sec-Fetch-*).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

from starlette.requests import Request

from service.errors import Forbidden
from service.urls import origin_of

_ALWAYS = {
    "Cache-Control": "no-store",
    "Referrer-Policy": "no-referrer",  # page URLs hold tokens
    "X-Content-Type-Options": "nosniff",
    "X-Robots-Tag": "noindex, nofollow",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=()",
    # A window that opened ours, or that ours opened, cannot navigate it to a page that imitates it.
    "Cross-Origin-Opener-Policy": "same-origin",
}


# For a page that a host page with Cross-Origin-Embedder-Policy may frame. A page that frames the provider's cannot have
# them: the provider's page would need them too. Reference: html.spec.whatwg.org/multipage/browsers.html#coep.
ISOLATED = {"Cross-Origin-Embedder-Policy": "require-corp", "Cross-Origin-Resource-Policy": "cross-origin"}

# Reference: RFC 6797; a year, as browsers' preload lists ask. Everything below the service's own host is included: a
# page there could set cookies for it, over http too.
_STRICT_TRANSPORT = "max-age=31536000; includeSubDomains"


def headers_of_every_answer(public_url: str) -> dict[str, str]:
    """The headers of every answer, files and errors included."""
    always = {"X-Content-Type-Options": "nosniff"}
    # A browser ignores it over http, and a service without https must not promise any.
    return always | ({"Strict-Transport-Security": _STRICT_TRANSPORT} if public_url.startswith("https:") else {})


@dataclass(frozen=True, slots=True)
class FramePolicy:
    """Which origins may frame a page, what it may frame and post to, and whose images it shows; none by default."""

    ancestors: tuple[str, ...] = ()
    sources: tuple[str, ...] = ()
    targets: tuple[str, ...] = ()
    images: tuple[str, ...] = ()


def page_headers(frame: FramePolicy) -> Mapping[str, str]:
    """The headers of one page."""
    # No inline script runs, so markup that an attacker brought into a page could not read its key or its link.
    policy = {
        "default-src": "'none'",
        "script-src": "'self'",
        "style-src": "'self'",
        "img-src": " ".join(("'self'", *frame.images)),
        "connect-src": "'self'",
        "frame-src": " ".join(frame.sources) or "'none'",
        "form-action": " ".join(("'self'", *frame.targets)),
        "frame-ancestors": " ".join(frame.ancestors) or "'none'",
        "base-uri": "'none'",
        "require-trusted-types-for": "'script'",
    }
    csp = "; ".join(f"{name} {value}" for name, value in policy.items())
    # For browsers without frame-ancestors; it cannot name an origin, so it is left out where one may frame the page.
    legacy = {} if frame.ancestors else {"X-Frame-Options": "DENY"}
    return {**_ALWAYS, **legacy, "Content-Security-Policy": csp}


def target_of(return_url: str | None) -> tuple[str, ...]:
    """The sources for `form-action` that let a form's POST be redirected to the host: browsers check redirects too."""
    if return_url is None:
        return ()
    origin = origin_of(return_url)
    return (origin,) if origin else (f"{urlsplit(return_url).scheme}:",)


def refuse_cross_site(request: Request, public_origin: str) -> None:
    """Raise Forbidden for a POST that another site made, as `Sec-Fetch-Site` or `Origin` shows.

    A request with neither header comes from no browser, so it has no user's cookie (CSRF needs one). Forms of our own
    pages send `Origin: null`, since the pages send no referrer; in a browser without `Sec-Fetch-Site` another site's
    sandboxed frame could send it too, and only the cookie's `SameSite` protects.
    """
    site = request.headers.get("sec-fetch-site")
    origin = request.headers.get("origin", public_origin)
    if site not in {None, "same-origin", "none"} or (site is None and origin not in {public_origin, "null"}):
        raise Forbidden("This was sent from another site")


def allowed_features(request: Request) -> str:
    """The `allow` of the provider's frame: only what this browser knows, since Firefox warns of anything else.

    Chromium alone has a policy for the clipboard, and alone sends `Sec-CH-UA`; the others go by the user's click.
    """
    return "fullscreen; clipboard-write" if "sec-ch-ua" in request.headers else "fullscreen"


def is_top_level(request: Request) -> bool:
    """Whether the browser loads this at top level, in no frame."""
    return request.headers.get("sec-fetch-dest") == "document"


def is_framed(request: Request) -> bool:
    """Whether the browser loads this in a frame."""
    return request.headers.get("sec-fetch-dest") in {"iframe", "frame", "embed", "object"}


def wants_json(request: Request) -> bool:
    """Whether JSON is asked for: only our own script does, a browser that loads a page does not."""
    return "application/json" in request.headers.get("accept", "")

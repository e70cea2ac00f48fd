"""Checks addresses: origins that may embed a page, URLs where a redirect flow ends, endpoints, and those in settings.

Browsers accept more than parsers do (a backslash counts as a slash, a tab is ignored). So every address that two
parsers could read in two ways is rejected before it is compared.
"""

import re
from collections.abc import Collection
from functools import lru_cache
from ipaddress import IPv4Address, IPv6Address, ip_address
from urllib.parse import SplitResult, parse_qsl, urlsplit

OUR_PARAMETERS = frozenset({"sessionId", "status", "connectionId", "connectionState", "state"})
_LONGEST_URL = 2048

_DEFAULT_PORTS = {"https": 443, "http": 80}
_HOST = re.compile(r"[a-z0-9_-]+(\.[a-z0-9_-]+)*\.?")
# Reference: RFC 8252, 7.1: a private-use scheme is a domain name that its owner controls, reversed, so it has a period.
_APP_SCHEME = re.compile(r"[a-z][a-z0-9+-]*(\.[a-z0-9+-]+)+:")
# Reference: capacitorjs.com, ionicframework.com, v2.tauri.app: the pages of every app have this origin on a device.
_SHARED_ORIGIN = re.compile(r"(?i)(?!https?:)[a-z][a-z0-9+.-]*://.*|null|https?://(tauri|wails)\.localhost(:\d+)?/?")
_UNESCAPED = re.compile(r"[\s/?#@\[\]]|%(?![0-9A-Fa-f]{2})")
# Reference: url.spec.whatwg.org, "ends in a number checker": such a host is an IPv4 address, also in octal or hex.
_LOOKS_NUMERIC = re.compile(r"(.*\.)?(\d+|0x[0-9a-f]*)\.?")
# Servlet containers take a segment's parameters away before they resolve it: /hooks/..;/admin is /admin there.
_ASCENDS = re.compile(r"(^|/|%2f|%5c)(\.|%2e){1,2}((;|%3b)[^/]*)?(/|%2f|%5c|$)", re.IGNORECASE)
_AMBIGUOUS = re.compile(r"[^\x21-\x7e]|\\")


@lru_cache(maxsize=1024)  # hosts send the same few addresses again and again
def origin_of(url: str) -> str | None:
    """Return the origin as a browser writes it: lower case, without default port; None where it is ambiguous."""
    parts = _split(url)
    # "@": in https://ours.example.com@other.example the host is other.example, and people read ours.
    if parts is None or parts.scheme not in _DEFAULT_PORTS or "@" in parts.netloc:
        return None
    host = _host_of(parts)
    if host is None:
        return None
    port = parts.port
    return f"{parts.scheme}://{host}" + ("" if port in {None, _DEFAULT_PORTS[parts.scheme]} else f":{port}")


def is_local(origin: str) -> bool:
    """Whether the origin is this machine, where browsers treat http like https."""
    host = urlsplit(origin).hostname or ""
    return host == "localhost" or host.endswith(".localhost") or _is_loopback(host)


def origin_problem(text: str) -> str | None:
    """Return what is wrong with `text` as the exact origin of a page, or None; the text is not repeated."""
    # A wildcard would let every subdomain embed the page, also one that an attacker took over.
    if "*" in text:
        return "is a wildcard; list every origin by itself"
    if _SHARED_ORIGIN.fullmatch(text):
        return (
            "is not an origin of its own: many apps have it, and any of them could embed the page; use the redirect "
            "flow, with a scheme of the app's own such as com.example.app:"
        )
    origin = origin_of(text)
    if origin is None:
        return "is not an origin; write it as https://app.example.com, with an international name in its xn-- form"
    return _spelling_problem(text) or _origin_problem(origin)


def framing_problem(origin: str, allowed_origins: Collection[str]) -> str | None:
    """Return what is wrong with `origin` as the one that frames a page, or None: it must be listed exactly."""
    if (wrong := origin_problem(origin)) is not None:
        return wrong
    is_listed = origin_of(origin) == origin and origin in allowed_origins
    return None if is_listed else "must equal an entry of MAGICLINK_ALLOWED_ORIGINS"


def _spelling_problem(text: str) -> str | None:
    if re.fullmatch(r"[^/]+//[^/?#]*/", text):
        return "ends in a slash; an origin has none: write https://app.example.com"
    if re.search(r"//[^/?#]*[/?#]", text):
        return "has a path; an origin ends after the host and port: write https://app.example.com"
    return None


def _origin_problem(origin: str) -> str | None:
    # Reference: w3.org/TR/CSP3, host-source: browsers ignore such an entry of a frame policy, and refuse the frame.
    if "[" in origin:
        return "is an IPv6 address, which browsers do not accept in a frame policy; use a host name"
    return None if origin.startswith("https:") or is_local(origin) else "must be https (http is for localhost only)"


def database_url_problem(url: str) -> str | None:
    """Return what is wrong with the address of a database, or None; nothing of it is repeated."""
    if re.match(r"postgres(ql)?://.", url):
        # libpq ends a password at such a character, and its error message would show the rest of it.
        user_information = url.partition("://")[2].rpartition("@")[0]
        if "#" in url or (":" in user_information and _UNESCAPED.search(user_information)):
            return (
                "has a character in its user name or password that must be percent-encoded: "
                "# as %23, / as %2F, ? as %3F, @ as %40, % as %25"
            )
        return None
    path = url.removeprefix("sqlite:///")
    if not path or path == url:
        return "must begin with sqlite:/// or postgresql://"
    if path.startswith((":memory:", "file:")):
        return "is a database in memory, which loses everything with the process; name a file: sqlite:///magiclink.db"
    return (
        "has a query or a fragment, which would become a part of the file's name" if re.search(r"[?#]", path) else None
    )


def api_url_problem(url: str) -> str | None:
    """Return what is wrong with the address of the provider's API, or None; nothing of it is repeated."""
    origin = origin_of(url)
    if origin is None or "?" in url or "#" in url:
        return "is not a usable address; write it as https://external.nectarclimate.com/v2.2"
    parts = urlsplit(url)
    # In the clear, anyone on the way could read the API key, and with it connect and read every company.
    if parts.scheme == "http" and not is_local(origin) and not _is_private(parts.hostname or ""):
        return "must be https: the provider's API key travels there"
    return None


def _is_private(host: str) -> bool:
    # The sandbox of a compose file, for example. A name without a dot cannot be public.
    try:
        return ip_address(host).is_private
    except ValueError:
        return "." not in host


def is_app_scheme(text: str) -> bool:
    """Whether `text` is a scheme of a native app, as in `com.example.app:`."""
    return _APP_SCHEME.fullmatch(text) is not None


def return_url_problem(url: str, allowed_origins: Collection[str]) -> str | None:
    """Return why a redirect flow must not end at `url`, or None.

    It is checked when the session is created and again before the redirect, since the allowed origins can change.
    """
    if len(url) > _LONGEST_URL:
        return f"must be at most {_LONGEST_URL} characters"
    parts = _split(url)
    if parts is None:
        return "must be an absolute URL; percent-encode spaces, backslashes and characters outside ASCII"
    if "#" in url:
        return "must not have a fragment"
    if "@" in parts.netloc:
        return "must not have user information"
    if _parameters(parts.query) & OUR_PARAMETERS:
        return f"must not have a query parameter named {', '.join(sorted(OUR_PARAMETERS))}: we add those"
    return _destination_problem(url, parts.scheme, allowed_origins)


def _destination_problem(url: str, scheme: str, allowed_origins: Collection[str]) -> str | None:
    # Only listed origins: an open redirect would send users, and their results, to an attacker's page.
    if is_app_scheme(f"{scheme}:"):
        return (
            None if f"{scheme}:" in allowed_origins else "uses an app scheme that is not in MAGICLINK_ALLOWED_ORIGINS"
        )
    return allowed_url_problem(url, allowed_origins)


def allowed_url_problem(url: str, allowed_origins: Collection[str]) -> str | None:
    """Return why `url` is not an https URL of an allowed origin, or None."""
    origin = origin_of(url)
    if origin is None:
        return "must be an https URL"
    if origin.startswith("http:") and not is_local(origin):
        return "must be https (http is for localhost only)"
    return None if origin in allowed_origins else "has an origin that is not in MAGICLINK_ALLOWED_ORIGINS"


def webhook_url_problem(url: str, public_url: str, *, allow_http: bool) -> str | None:
    """Return why deliveries must not be sent to `url`, or None. Where its name leads is checked at each attempt.

    `allow_http`: the operator lists networks of their own; for any other address http is refused at each attempt.
    """
    if len(url) > _LONGEST_URL:
        return f"must be at most {_LONGEST_URL} characters"
    parts, origin = _split(url), origin_of(url)
    if parts is None or origin is None:
        return (
            "must be an absolute https URL without user information; percent-encode spaces, backslashes and "
            "characters outside ASCII"
        )
    # A delivery to this service itself would be a way to call it from its own network.
    wrong = {
        "must be https: the events name your users": parts.scheme != "https" and not allow_http,
        "must not have port 0": parts.port == 0,  # a connection is made to the scheme's own port instead
        "must not be this service": origin == public_url,
        "must not have a fragment": "#" in url,
        "must not have dot segments in its path": _ASCENDS.search(parts.path) is not None,
        "must name its host, or write an IPv4 address as four decimal numbers": _is_odd_number(parts.hostname or ""),
    }
    return next((problem for problem, found in wrong.items() if found), None)


def is_beneath(url: str, base: str) -> bool:
    """Whether `url` has the origin of `base` and its path, or a longer one that begins with it."""
    parts, start = _split(url), _split(base)
    if parts is None or start is None or origin_of(url) is None or origin_of(url) != origin_of(base):
        return False
    # Receivers may decode and resolve dot segments, which could lead above the path.
    if _ASCENDS.search(parts.path) or "#" in url:
        return False
    return parts.path == start.path or parts.path.startswith(start.path.rstrip("/") + "/")


def _is_odd_number(host: str) -> bool:
    if not _LOOKS_NUMERIC.fullmatch(host):
        return False
    try:
        return not isinstance(ip_address(host), IPv4Address)
    except ValueError:
        return True


def _split(url: str) -> SplitResult | None:
    if _AMBIGUOUS.search(url):
        return None
    try:
        parts = urlsplit(url)
        _ = parts.port  # raises ValueError
    except ValueError:
        return None
    return parts if parts.scheme else None


def _host_of(parts: SplitResult) -> str | None:
    host = parts.hostname or ""
    if ":" in host:
        return _ipv6(host)
    return host if _HOST.fullmatch(host) else None


def _ipv6(host: str) -> str | None:
    try:
        address = IPv6Address(host)
    except ValueError:
        return None
    return None if address.scope_id else f"[{address.compressed}]"


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


def _parameters(query: str) -> set[str]:
    # Some servers still split a query at semicolons, so both are separators here.
    return {name for name, _ in parse_qsl(query.replace(";", "&"), keep_blank_values=True)}

"""Tells a request that a browser sends for another site's page from all others; a program sends no such headers."""

import re
from urllib.parse import urlsplit

from starlette.datastructures import Headers

# Reference: RFC 6761, RFC 6762, RFC 8375 and ICANN's .internal: the public DNS has no name that ends in these.
_PRIVATE_NAME = re.compile(r"(.+\.)?(localhost|test|example|invalid|local|internal|home\.arpa)")
_ADDRESS = re.compile(r"[0-9.]+|.*:.*")


def is_cross_site(headers: Headers, own_origin: str) -> bool:
    """Tell whether a page of another site than `own_origin` has sent it; a page's own GET may name no origin."""
    # Reference: w3.org/TR/fetch-metadata; a browser without it still names the origin of a POST.
    site = headers.get("sec-fetch-site")
    if site is not None:
        return site not in {"same-origin", "none"}
    return headers.get("origin", own_origin) != own_origin


def is_strangers_name(headers: Headers, public_url: str) -> bool:
    """Tell whether it is sent to a name that a stranger may have given to the sandbox's address (DNS rebinding).

    A browser takes such a page for one of the sandbox's own, and lets its scripts read every answer.
    """
    host = host_of(headers)
    if host is None or host == urlsplit(public_url).hostname:
        return host is None
    # A name without a dot, as in a network of containers, is in no public DNS either.
    return "." in host and not _ADDRESS.fullmatch(host) and not _PRIVATE_NAME.fullmatch(host)


def host_of(headers: Headers) -> str | None:
    """Return the name or address that a request is sent to, without its port; None where it cannot be read."""
    try:
        return urlsplit(f"//{headers.get('host', '')}").hostname or ""
    except ValueError:
        return None

"""Which addresses can be called, and what of the environment a call depends on, so that an error can name it."""

from collections.abc import Mapping
from urllib.parse import urlsplit

import httpx


def is_http_address(url: str) -> bool:
    """Return whether a call can be sent to this address: http or https, with a host."""
    try:
        httpx.URL(url)
        parts = urlsplit(url)
        (parts.hostname or "").encode("idna")  # a part of a name may not be empty, or longer than 63 characters
        return parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
    except (httpx.InvalidURL, ValueError):
        return False


def proxy_variable(scheme: str, host: str, environ: Mapping[str, str]) -> str | None:
    """Return the name of the variable whose proxy a call to this host goes through, or None."""
    direct = (environ.get("no_proxy") or environ.get("NO_PROXY") or "").split(",")
    if any(_covers(entry.strip().lstrip("."), host) for entry in direct):
        return None
    names = (f"{scheme}_proxy", f"{scheme}_proxy".upper(), "all_proxy", "ALL_PROXY")
    return next((name for name in names if environ.get(name)), None)


def environment_problem(error: Exception) -> str:
    """Return what is wrong with the variables from which an HTTP client is made, where making it has failed."""
    if isinstance(error, OSError):
        return f"The file of SSL_CERT_FILE or SSL_CERT_DIR cannot be read as certificates: {error.strerror or error}."
    return "HTTP_PROXY, HTTPS_PROXY or ALL_PROXY is not an address that can be used; write it as http://proxy:3128."


def _covers(entry: str, host: str) -> bool:
    return bool(entry) and (entry in {"*", host} or host.endswith(f".{entry}"))

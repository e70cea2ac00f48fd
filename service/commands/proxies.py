"""Which variable of the environment sends a call through a proxy, so that an error can name it."""

from collections.abc import Mapping


def proxy_variable(scheme: str, host: str, environ: Mapping[str, str]) -> str | None:
    """Return the name of the variable whose proxy a call to this host goes through, or None."""
    direct = (environ.get("no_proxy") or environ.get("NO_PROXY") or "").split(",")
    if any(_covers(entry.strip().lstrip("."), host) for entry in direct):
        return None
    names = (f"{scheme}_proxy", f"{scheme}_proxy".upper(), "all_proxy", "ALL_PROXY")
    return next((name for name in names if environ.get(name)), None)


def _covers(entry: str, host: str) -> bool:
    return bool(entry) and (entry in {"*", host} or host.endswith(f".{entry}"))

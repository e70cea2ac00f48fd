"""Closes a connection whose TLS handshake is cancelled, for requests by httpx and by httpcore."""

from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from typing import Any

import anyio

Trace = Callable[[str, Mapping[str, Any]], Awaitable[None]]


def closing_failed_handshakes() -> Trace:
    """Return the request extension `trace` of one request, which closes its connection if the handshake fails.

    httpcore closes it after an error only, and a deadline is a cancellation. A peer that accepts connections and never
    completes a handshake would cost a file handle for each attempt, until the garbage collector finds it much later.
    """
    # Reference: httpcore's and httpx's documentation, "Request extensions". Another version may name the steps
    # otherwise; the tests of both adapters see whether the connection is closed.
    stream: Any = None

    async def trace(step: str, info: Mapping[str, Any]) -> None:
        nonlocal stream
        if step == "connection.connect_tcp.complete":
            stream = info["return_value"]
        elif step == "connection.start_tls.failed" and stream is not None:
            # Whatever closing raises must not hide why the handshake failed.
            with anyio.CancelScope(shield=True), suppress(Exception):
                await stream.aclose()

    return trace

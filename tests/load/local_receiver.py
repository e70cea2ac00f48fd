"""A host's receiver on a real port: what it got, in the order in which it came, and what it answered."""

import json
import random
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Lock, Thread
from typing import Any, Self

LOOPBACK = "127.0.0.0/8"
_FAILURES = (503, 500, 429, 400, None)


@dataclass(frozen=True)
class LocalPost:
    """One POST; `status` is None where the connection was closed without an answer."""

    event_id: str
    event: dict[str, Any]
    status: int | None

    @property
    def lets_pass(self) -> bool:
        """Whether later events of its session may come now, as hosts are promised."""
        return self.status is not None and self.status < 500 and self.status not in {408, 429}

    @property
    def is_taken(self) -> bool:
        return self.status is not None and 200 <= self.status < 300


class _Server(ThreadingHTTPServer):
    # More than a sender opens at once: a connection that finds no place is tried again a second later.
    request_queue_size = 128


class LocalReceiver:
    """Answers each POST with `status_of` its event's id; None closes the connection."""

    def __init__(self, status_of: Callable[[str], int | None]) -> None:
        self.posts: list[LocalPost] = []
        self._status_of = status_of
        self._lock = Lock()
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                length = int(self.headers["content-length"])
                body = self.rfile.read(length)
                if len(body) < length:
                    return  # the sender was killed while it sent
                status = receiver.take(self.headers["webhook-id"], json.loads(body)["data"])
                if status is not None:
                    self.send_response(status)
                    self.send_header("content-length", "0")
                    self.end_headers()

            def log_message(self, *_args: object) -> None:
                """Tests read `posts`."""

        self._server = _Server(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}/hooks"

    def take(self, event_id: str, event: dict[str, Any]) -> int | None:
        # One at a time: the order of `posts` is the order of the answers.
        with self._lock:
            status = self._status_of(event_id)
            self.posts.append(LocalPost(event_id, event, status))
            return status

    def __enter__(self) -> Self:
        Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()


class FailingSometimes:
    """Statuses of a receiver that refuses some events at their first attempt, and never one that it has taken."""

    def __init__(self, rng: random.Random, share: float) -> None:
        self._rng = rng
        self._share = share
        self._seen: Counter[str] = Counter()

    def __call__(self, event_id: str) -> int | None:
        self._seen[event_id] += 1
        if self._seen[event_id] > 1 or self._rng.random() > self._share:
            return 204
        return self._rng.choice(_FAILURES)

"""Asks an application one question, as a server would, with as little around it as possible."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from starlette.types import ASGIApp, Message


@dataclass(frozen=True)
class Answer:
    """Status 0 where no answer came: the process ended."""

    status: int
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""

    @property
    def ok(self) -> bool:
        return 200 <= self.status < 400

    def json(self) -> Any:
        return json.loads(self.body)


LOST = Answer(0)


async def ask(app: ASGIApp, method: str, target: str, headers: Mapping[str, str], body: bytes = b"") -> Answer:
    path, _, query = target.partition("?")
    scope = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": method,
        "path": path,
        "raw_path": path.encode(),
        "query_string": query.encode(),
        "headers": [(name.encode(), value.encode()) for name, value in headers.items()],
        "scheme": "https",
        "server": ("link.example.com", 443),
        "client": ("203.0.113.7", 50000),
        "root_path": "",
    }
    said: list[Message] = []

    async def receive() -> Message:
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(message: Message) -> None:
        said.append(message)

    await app(scope, receive, send)
    start = next(message for message in said if message["type"] == "http.response.start")
    reported = {name.decode(): value.decode() for name, value in start["headers"]}
    return Answer(start["status"], reported, b"".join(message.get("body", b"") for message in said))

"""A provider that answers at once, and a host's receiver of deliveries: for measures of what a session costs us.

Only what a session needs is there: companies, sites, invitations and connections, kept in memory and never checked.
`connect` is what a user does on the provider's pages. Each connection is told by a signed webhook, as the provider's
newest payloads have it: without the company. The sandbox is the stand-in that checks everything.
"""

import asyncio
import json
import re
import secrets
from collections import Counter, defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import formatdate
from time import time  # noqa: TID251 - a real process reads it
from typing import Any
from urllib.parse import parse_qsl
from uuid import uuid4

from svix.webhooks import Webhook

PREFIX = "/v2.2"
_LENGTH = re.compile(rb"(?i)\ncontent-length: *(\d+)")
_CREATED, _NOT_FOUND = 201, 404
_ON_PAGE, _MOST_ON_PAGE = 100, 500
Answer = tuple[int, Any]


@dataclass(frozen=True)
class _List:
    """A list of which the answer is one page."""

    name: str
    items: list[dict[str, Any]]


class _Requests(asyncio.Protocol):
    """Requests of one connection, one after the other; `answer` gets method, path and body."""

    def __init__(self, answer: Callable[[str, str, bytes], Answer]) -> None:
        self._answer = answer
        self._raw = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport: Any = transport

    def data_received(self, data: bytes) -> None:
        self._raw += data
        head, end, rest = self._raw.partition(b"\r\n\r\n")
        length = int(found[1]) if (found := _LENGTH.search(head)) else 0
        if not end or len(rest) < length:
            return
        self._raw = rest[length:]
        method, path, _ = head.split(b"\r\n", 1)[0].decode().split(" ")
        status, body = self._answer(method, path, rest[:length])
        text = b"" if body is None else json.dumps(body).encode()
        lines = f"HTTP/1.1 {status} OK\r\nDate: {formatdate(usegmt=True)}\r\nContent-Type: application/json\r\n"
        self._transport.write(lines.encode() + f"Content-Length: {len(text)}\r\n\r\n".encode() + text)


@dataclass
class StubCompany:
    """One company with all that it has."""

    id: str
    name: str
    external_id: str
    sites: list[dict[str, Any]] = field(default_factory=list)
    invitations: dict[str, dict[str, Any]] = field(default_factory=dict)
    connections: dict[str, dict[str, Any]] = field(default_factory=dict)

    def body(self) -> dict[str, Any]:
        return {"id": self.id, "name": self.name, "externalId": self.external_id, "sites": self.sites}


class StubProvider:
    """The answers; `calls` counts them by what was asked for."""

    def __init__(self, pages_url: str) -> None:
        self.calls: Counter[str] = Counter()
        self._pages_url = pages_url
        self._companies: dict[str, StubCompany] = {}
        self._by_token: dict[str, tuple[StubCompany, dict[str, Any]]] = {}
        self._connections: dict[str, dict[str, Any]] = {}
        self._routes: list[tuple[str, re.Pattern[str], Callable[..., Answer]]] = [
            ("GET", re.compile("/company"), self._list_companies),
            ("POST", re.compile("/company"), self._create_company),
            ("POST", re.compile("/company/([^/]+)/site"), self._create_site),
            ("GET", re.compile("/company/([^/]+)"), self._company),
            ("GET", re.compile("/company/([^/]+)/connection"), self._list_connections),
            ("GET", re.compile("/company/([^/]+)/connection/([^/]+)/document"), self._list_documents),
            ("GET", re.compile("/connection/([^/]+)/details"), self._connection),
            ("POST", re.compile("/invitation/company/([^/]+)"), self._invite),
            ("GET", re.compile("/invitation/company/([^/]+)"), self._list_invitations),
            ("GET", re.compile("/invitation/([^/]+)"), self._invitation),
        ]

    async def serve(self) -> int:
        """Listen; return the port."""
        return await _listen(self.answer)

    def answer(self, method: str, path: str, body: bytes) -> Answer:
        asked, _, query = path.removeprefix(PREFIX).partition("?")
        for wanted, pattern, handle in self._routes:
            if wanted == method and (found := pattern.fullmatch(asked)):
                self.calls[f"{method} {re.sub('[(].*?[)]', '…', pattern.pattern)}"] += 1
                status, answer = handle(*found.groups(), **({"given": json.loads(body)} if method == "POST" else {}))
                return status, _page(answer, query) if isinstance(answer, _List) else answer
        self.calls[f"{method} {re.sub('[0-9a-f-]{36}', '…', asked)}, which it does not have"] += 1
        return _NOT_FOUND, {"detail": "Not found."}

    def connect(self, url: str) -> tuple[str, str]:
        """What a user does at this link; returns the new connection's id and the webhook's body."""
        company, invitation = self._by_token[url.rpartition("/")[2]]
        new: dict[str, Any] = {"id": str(uuid4()), "created": _now(), "updated": _now(), "status": "CONNECTED"}
        new |= {"datasource": {"name": "Stub", "url": "https://stub.example"}, "initialSites": []}
        company.connections[new["id"]] = new
        self._connections[new["id"]] = new | {"company": {"id": company.id}}
        invitation |= {"useCount": 1, "status": "USED", "createdConnections": [{"id": new["id"]}]}
        invitation["events"] = [{"type": word, "createdAt": _now()} for word in ("VIEWED", "SUBMITTED")]
        return new["id"], json.dumps({"eventType": "connection.created.v2", **new})

    def _list_companies(self) -> Answer:
        return 200, [one.body() for one in self._companies.values()]  # a bare array: docs/provider.md, 3

    def _create_company(self, given: dict[str, Any]) -> Answer:
        made = StubCompany(str(uuid4()), given["name"], given["externalId"])
        self._companies[made.id] = made
        return _CREATED, made.body()

    def _create_site(self, company: str, given: dict[str, Any]) -> Answer:
        made = {"id": str(uuid4()), **given}
        self._companies[company].sites.append(made)
        return _CREATED, made

    def _company(self, company: str) -> Answer:
        return 200, self._companies[company].body()

    def _list_connections(self, company: str) -> Answer:
        return 200, _List("connections", list(self._companies[company].connections.values()))

    def _list_documents(self, _company: str, _connection: str) -> Answer:
        return 200, _List("documents", [])

    def _connection(self, connection: str) -> Answer:
        return 200, self._connections[connection]

    def _list_invitations(self, company: str) -> Answer:
        found = self._companies[company].invitations.values()
        return 200, _List("invitations", [{k: v for k, v in one.items() if k != "events"} for one in found])

    def _invitation(self, invitation: str) -> Answer:
        found = [one.invitations[invitation] for one in self._companies.values() if invitation in one.invitations]
        return (200, found[0]) if found else (_NOT_FOUND, {"detail": "Not found."})

    def _invite(self, company: str, given: dict[str, Any]) -> Answer:
        token, found = secrets.token_hex(16), self._companies[company]
        made: dict[str, Any] = {
            "id": str(uuid4()),
            "status": "ACTIVE",
            "useCount": 0,
            "createdAt": _now(),
            "token": token,
        }
        made |= {"expiresAt": _in(given["expiresInSeconds"]), "invitationUrl": f"{self._pages_url}/p/i/{token}"}
        found.invitations[made["id"]] = made
        self._by_token[token] = found, made
        return _CREATED, {**made, "createdConnections": []}


class StubReceiver:
    """Takes every delivery; `delivered` has the types of each session's events."""

    def __init__(self) -> None:
        self.delivered: defaultdict[str, set[str]] = defaultdict(set)
        self.posts = 0

    async def serve(self) -> int:
        """Listen; return the port."""
        return await _listen(self.answer)

    def answer(self, _method: str, _path: str, body: bytes) -> Answer:
        event = json.loads(body)
        self.posts += 1
        self.delivered[str(event["data"].get("sessionId"))].add(event["type"])
        return 204, None


def signed(secret: str, body: str) -> dict[str, str]:
    """The headers of a new webhook message."""
    name, at = f"msg_{secrets.token_hex(12)}", datetime.fromtimestamp(time(), UTC)
    return {
        "svix-id": name,
        "svix-timestamp": str(int(at.timestamp())),
        "svix-signature": Webhook(secret).sign(name, at, body),
    }


async def _listen(answer: Callable[[str, str, bytes], Answer]) -> int:
    server = await asyncio.get_running_loop().create_server(lambda: _Requests(answer), "127.0.0.1", 0)
    return int(server.sockets[0].getsockname()[1])


def _page(answer: _List, query: str) -> dict[str, Any]:
    """The page that the query asks for. Reference: docs/provider.md, 3: one past the end is answered with the last."""
    asked = dict(parse_qsl(query))
    limit = min(int(asked.get("limit", _ON_PAGE)), _MOST_ON_PAGE)
    last = max(1, -(-len(answer.items) // limit))
    page = min(int(asked.get("page", 1)), last)
    return {answer.name: answer.items[(page - 1) * limit : page * limit], "currentPage": page, "hasNext": page < last}


def _now() -> str:
    return _in(0)


def _in(seconds: float) -> str:
    return datetime.fromtimestamp(time() + seconds, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")

"""A fake of magiclink's HTTP API, in memory."""

import json
from typing import Any

import httpx

from service.demo.settings import DemoSettings
from service.domain.statuses import REMOVED_STATUS, ConnectionState, needs_attention, state_of
from service.web.api.word_answers import words_json

URL = "http://service.test"
KEY = "test-key"
OWN_URL = "http://127.0.0.1:8080"
PUBLIC_URL = "http://localhost:8000"
SETTINGS = DemoSettings(URL, PUBLIC_URL, KEY, OWN_URL, "a secret of the demo")
CONNECTION_ID = "6f6c3c1e-8a0b-4d3f-9c55-0f9f4a5f3f10"


def connection(**changes: Any) -> dict[str, Any]:
    """A connection as the service answers it: its state and its words follow from its status."""
    status = str(changes.get("status", "CONNECTED"))
    state = ConnectionState.INACTIVE if status == REMOVED_STATUS else state_of(status)
    return {
        "id": CONNECTION_ID,
        "userId": "ada",
        "status": status,
        "state": state.value,
        "needsAttention": needs_attention(state),
        "words": words_json(status, state),
        "provider": {"name": "Pacific Light & Water", "url": "https://nectarclimate.com"},
        "sites": [{"id": "1", "externalId": "hq"}, {"id": "2", "externalId": "warehouse"}],
        "createdAt": "2026-03-04T10:00:00Z",
        **changes,
    }


def reading(start: str, end: str, usage: object, **changes: Any) -> dict[str, Any]:
    return {
        "id": f"{start}/{usage}",
        "startDate": start,
        "endDate": end,
        "usage": usage,
        "usageUnits": "kWh",
        "datasourceType": "ELECTRICITY",
        **changes,
    }


class FakeService:
    """Gives prepared answers, and records the requests."""

    def __init__(self) -> None:
        self.requests: list[httpx.Request] = []
        self.connections: list[dict[str, Any]] = []
        self.usage: list[dict[str, Any]] = []
        self.verdicts: dict[tuple[str, str], dict[str, Any]] = {}
        self.answers: dict[str, httpx.Response | Exception] = {}

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        path = request.url.path
        for part, answer in self.answers.items():
            if part in path:
                if isinstance(answer, Exception):
                    raise answer
                return answer
        return self._answer(request, path)

    def _answer(self, request: httpx.Request, path: str) -> httpx.Response:
        if path == "/v1/verify":
            asked = json.loads(request.content)
            verdict = self.verdicts.get((asked["state"], asked["userId"]))
            return httpx.Response(200, json=verdict) if verdict else problem(422, "invalid_request")
        if path == "/v1/connections":
            rows = [row for row in self.connections if row["userId"] == request.url.params["userId"]]
            return httpx.Response(200, json={"data": rows, "next": None})
        if path.endswith("/status"):
            return httpx.Response(200, json={"statusUrl": f"{PUBLIC_URL}/status/token", "connections": []})
        if path.endswith("/usage"):
            if request.url.query:  # this list has no pages
                return problem(422, "invalid_request")
            return httpx.Response(200, json={"data": self.usage, "next": None})
        return httpx.Response(
            201,
            json={"id": "ses_1", "embedUrl": f"{URL}/embed/token", "redirectUrl": f"{URL}/connect/token"},
        )

    def asked(self, path: str) -> list[httpx.Request]:
        return [request for request in self.requests if request.url.path == path]

    def client(self) -> httpx.AsyncClient:
        return httpx.AsyncClient(transport=httpx.MockTransport(self))


def problem(status: int, code: str, detail: str = "") -> httpx.Response:
    body = {"type": "about:blank", "title": "Refused", "status": status, "code": code, "detail": detail}
    return httpx.Response(status, json=body, headers={"content-type": "application/problem+json"})

"""The calls of the demo's backend to magiclink."""

from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

import httpx

Json = dict[str, Any]
PAGE_SIZE = 100
PAGES_MOST = 50


class ServiceCallFailed(Exception):
    """A call failed; `message` may be shown to a customer."""

    def __init__(self, message: str, code: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.code = code


UNREACHABLE = "We cannot reach our connection service just now. Nothing is lost; please try again in a minute."
MESSAGES = {
    401: "Meadow could not sign in to the connection service. Our team has to look at the API key.",
    403: "Meadow is not allowed to do that with the connection service.",
    404: "The connection service does not know that account any more.",
    409: "That has been settled already. Look at the list below.",
    410: "That connection attempt has ended. Please start again.",
    429: "Too many requests just now. Please try again in a minute.",
}


class DemoServiceClient:
    """magiclink's HTTP API; every method raises `ServiceCallFailed` and nothing else."""

    def __init__(self, http: httpx.AsyncClient, service_url: str, api_key: str) -> None:
        self._http = http
        self._url = service_url.rstrip("/")
        self._headers = {"Authorization": f"Bearer {api_key}", "Accept": "application/json"}

    async def create_session(self, body: Json) -> Json:
        return await self._call("POST", "/v1/sessions", json=body)

    async def reconnect(self, connection_id: str, body: Json) -> Json:
        return await self._call("POST", f"/v1/connections/{connection_id}/reconnect", json=body)

    async def verify(self, state: str, user_id: str) -> Json:
        return await self._call("POST", "/v1/verify", json={"state": state, "userId": user_id})

    async def connections(self, user_id: str) -> list[Json]:
        return await self._all("/v1/connections", {"userId": user_id, "limit": str(PAGE_SIZE)})

    async def status_url(self, user_id: str, origin: str) -> str:
        """The address of the frame that shows this user's accounts on a page of this origin, for ten minutes."""
        status = await self._call("GET", f"/v1/users/{quote(user_id, safe='')}/status", params={"origin": origin})
        return str(status.get("statusUrl") or "")

    async def usage(self, connection_id: str) -> list[Json]:
        return await self._all(f"/v1/connections/{connection_id}/usage", {})

    async def _all(self, path: str, query: Mapping[str, str]) -> list[Json]:
        rows: list[Json] = []
        params = dict(query)
        for _ in range(PAGES_MOST):  # a list without an end must not hold the page for ever
            page = await self._call("GET", path, params=params)
            data = page.get("data")
            rows += [row for row in data if isinstance(row, dict)] if isinstance(data, list) else []
            if not page.get("next"):
                return rows
            # The cursor is the service's; it is passed back unchanged.
            params["after"] = str(page["next"])
        return rows

    async def _call(
        self, method: str, path: str, *, params: Mapping[str, str] | None = None, json: Json | None = None
    ) -> Json:
        try:
            answer = await self._http.request(method, self._url + path, params=params, json=json, headers=self._headers)
            body = answer.json()
        except (httpx.HTTPError, ValueError) as exc:
            raise ServiceCallFailed(UNREACHABLE, "unreachable") from exc
        if not isinstance(body, dict):
            raise ServiceCallFailed(UNREACHABLE, "unreadable")
        if answer.is_success:
            return body
        raise ServiceCallFailed(_friendly(answer.status_code, body), str(body.get("code", "")))


def _friendly(status: int, problem: Json) -> str:
    if status in {400, 422}:
        detail = str(problem.get("detail") or problem.get("title") or "")
        return f"The connection service refused this. {detail}".strip()
    return MESSAGES.get(status, UNREACHABLE)

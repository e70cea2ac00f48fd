"""A sandbox and our client of it, without the service; neither sleeps."""

import random
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import httpx

from service.domain.model import ProviderCompanyId, ProviderSiteId
from service.provider import CallLimits, Provider, ProviderAccount
from service.settings import PathSetting
from tests.support.clock import Clock
from tests.support.sandbox_client import Sandbox

PAGES_URL = "http://127.0.0.1:9000"


@dataclass
class Bench:
    """A sandbox and a client of it; `lose` drops answers on their way back. Sleeping moves both their clocks."""

    sandbox: Sandbox
    clock: Clock
    slept: list[float] = field(default_factory=list)
    lose: Callable[[httpx.Request], bool] = lambda _: False
    lacks: Callable[[httpx.Request], bool] = lambda _: False

    def provider(
        self, paths: PathSetting = "company", key: str = "sandbox-key", version: str = "v2.2", **hooks: Any
    ) -> Provider:
        account = ProviderAccount(f"http://sandbox.test/{version}", PAGES_URL, key, paths)
        limits = CallLimits(self.clock.now, self.sleep, random.Random(1), **hooks)  # noqa: S311 - jitter, not a secret
        return Provider(httpx.AsyncClient(transport=httpx.MockTransport(self.carry)), account, limits)

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.clock.advance(seconds)

    async def carry(self, request: httpx.Request) -> httpx.Response:
        if self.lacks(request):
            return httpx.Response(404, json={"detail": "Not found."})
        path = request.url.raw_path.decode()
        answer = await self.sandbox.plain(request.method, path, headers=request.headers, content=request.content)
        if self.lose(request):
            raise httpx.ReadError("lost on its way back")
        return httpx.Response(answer.status_code, headers=answer.headers, content=answer.content)

    async def company(self) -> tuple[ProviderCompanyId, list[ProviderSiteId]]:
        company, sites = await self.sandbox.company()
        return ProviderCompanyId(company), [ProviderSiteId(site) for site in sites]

    async def calls(self, method: str, path: str) -> int:
        noted: list[dict[str, Any]] = (await self.sandbox.plain("GET", "/_control/requests")).json()["requests"]
        return len([each for each in noted if each["method"] == method and each["path"] == f"/v2.2{path}"])

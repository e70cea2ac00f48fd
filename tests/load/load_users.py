"""People under load: each asks for a session, opens its page and connects an account, whatever dies meanwhile.

They are stubborn: what is not answered is asked again, of any worker, with the same Idempotency-Key. Each leaves its
label with the session and with the connection (as its owner's e-mail address), so that one is found by the other.
"""

import asyncio
import random
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

import httpx

from service.sandbox.world.sample_utility import PASSWORD, PROVIDER_URL, USERNAME
from tests.support.provider_user import ProviderUser

ORIGIN = "https://app.example.com"
KEY = "host-key-0123456789"
COMPANIES = ("acme", "globex", "initech")
USERS = ("ada", "bob", "carol", "dave")
# How sign-ins end, in turns: "" works at once, SLOW after a check, and any other is the provider's status.
SLOW = "slow"
OUTCOMES = ("", SLOW, "website_down", "mfa_token_expired", "", "no_accounts_found", "", "")
_SLOW_CHECK_SECONDS = 120.0  # of the sandbox's time
_PATIENCE_SECONDS = 3.0
_ALL_KINDS_SECONDS = 60.0
_CHECK_SECONDS = 0.05


@dataclass
class PlannedSession:
    """What one user wanted, and how far it went."""

    label: str
    user: str
    company: str
    link: str
    outcome: str = ""
    session: str = ""
    connected: bool = False
    is_submitted: bool = False


@dataclass
class LoadUsers:
    """`workers` and `sandbox` are addresses; a worker may be dead at any moment.

    Accounts are for utilities of these `types`, all where there is none. Each user waits `pause_seconds` between two
    sessions.
    """

    workers: Sequence[str]
    sandbox: str
    rng: random.Random
    companies: Sequence[str] = COMPANIES
    outcomes: Sequence[str] = ("",)
    types: Sequence[str] = ()
    pause_seconds: float = 0.0
    planned_sessions: list[PlannedSession] = field(default_factory=list)
    stopping: bool = False

    async def press(self, people: int) -> None:
        """So many users at once, one planned session after the other, until `stopping`."""
        limits = httpx.Limits(max_connections=4 * people)
        async with httpx.AsyncClient(timeout=_PATIENCE_SECONDS, trust_env=False, limits=limits) as http:
            await asyncio.gather(*(self._live(http, number) for number in range(people)))

    async def all_kinds(self) -> None:
        """Wait until users have finished with each kind of link and with each outcome: a slow machine takes longer."""
        wanted = {"auto", "magic_link", *self.outcomes}
        async with asyncio.timeout(_ALL_KINDS_SECONDS):
            while not wanted <= self._kinds():  # noqa: ASYNC110 - many tasks change it
                await asyncio.sleep(_CHECK_SECONDS)

    def _kinds(self) -> set[str]:
        # A check was slow where its session's page was told so.
        done = [one for one in self.planned_sessions if one.connected and (one.outcome != SLOW or one.is_submitted)]
        return {kind for one in done for kind in (one.link, one.outcome)}

    async def _live(self, http: httpx.AsyncClient, number: int) -> None:
        while not self.stopping:
            planned = PlannedSession(
                f"planned-{len(self.planned_sessions)}",
                USERS[number % len(USERS)],
                self.rng.choice(self.companies),
                self.rng.choice(("auto", "auto", "magic_link")),
                self.outcomes[len(self.planned_sessions) % len(self.outcomes)],
            )
            self.planned_sessions.append(planned)
            try:
                await self._fulfil(http, planned)
                await asyncio.sleep(self.pause_seconds)
            except Gone:
                continue

    async def _fulfil(self, http: httpx.AsyncClient, planned: PlannedSession) -> None:
        path = await self._create(http, planned)
        key, view = await self._start(http, path)
        url = view["link"]["url"] or await self._wait(http, path, key)
        await self._connect(http, url, planned)
        planned.connected = True
        view = await self._ask(http, "POST", f"{path}/finished", {}, {"x-page-key": key})
        planned.is_submitted = view["status"] == "submitted"

    async def _create(self, http: httpx.AsyncClient, planned: PlannedSession) -> str:
        body = {
            "userId": planned.user,
            "company": {"externalId": planned.company, "name": planned.company.title()},
            "sites": [{"externalId": "hq", "name": "Headquarters"}],
            "link": planned.link,
            "origin": ORIGIN,
            "metadata": {"label": planned.label},
        }
        headers = {"authorization": f"Bearer {KEY}", "idempotency-key": planned.label}
        made = await self._ask(http, "POST", "/v1/sessions", body, headers)
        planned.session = str(made["id"])
        return urlsplit(str(made["embedUrl"])).path

    async def _start(self, http: httpx.AsyncClient, path: str) -> tuple[str, dict[str, Any]]:
        # A start whose answer was lost has bound a page that nobody holds: the next one takes over.
        found = await self._ask(http, "POST", f"{path}/start", {"takeOver": True}, {})
        return found["pageKey"], found["view"]

    async def _wait(self, http: httpx.AsyncClient, path: str, key: str) -> str:
        while True:
            live = f"/live/{path.rpartition('/')[2]}"
            view = await self._ask(http, "GET", live, None, {"x-page-key": key})
            if view["link"]["url"] is not None:
                return str(view["link"]["url"])
            await self._pause()

    async def _connect(self, http: httpx.AsyncClient, url: str, planned: PlannedSession) -> None:
        """The provider's own pages; the provider does not die."""
        user = ProviderUser(Pages(http, self.sandbox))  # type: ignore[arg-type]
        await user.open(url)
        await user.choose_provider(PROVIDER_URL)
        if self.rng.random() < 0.2:
            await user.sign_in("not-the-password")
        name = f"{USERNAME}+{planned.outcome}" if planned.outcome not in {"", SLOW} else USERNAME
        if planned.outcome == SLOW:
            # The next check takes time, whosever it is.
            trouble = {"times": 1, "seconds": _SLOW_CHECK_SECONDS}
            url = f"{self.sandbox}/_control/troubles/pending_for"
            (await http.put(url, json=trouble, timeout=30)).raise_for_status()
        await user.press("Sign in", username=name, password=PASSWORD)
        settings = {"ownerEmail": f"{planned.label}@example.com"} | ({"types": self.types} if self.types else {})
        done = await user.press("Connect", **settings)
        assert done.step == "done", done.text

    async def _ask(self, http: httpx.AsyncClient, method: str, path: str, body: Any, headers: dict[str, str]) -> Any:
        """Ask until somebody answers. Raises Gone where the session is over."""
        own = {"accept": "application/json", **headers}
        while True:
            try:
                answer = await http.request(method, self.rng.choice(self.workers) + path, json=body, headers=own)
            except httpx.TransportError:
                answer = None
            if answer is not None and answer.is_success:
                return answer.json()
            if answer is not None and answer.status_code in {404, 410}:
                raise Gone
            assert answer is None or answer.status_code in {409, 502, 503, 504}, answer.text
            await self._pause()

    async def _pause(self) -> None:
        if self.stopping:
            raise Gone
        await asyncio.sleep(0.1)


class Gone(Exception):
    """There is nothing more to be had here, or it is time to go home."""


class Pages:
    """The sandbox as `ProviderUser` asks it."""

    def __init__(self, http: httpx.AsyncClient, url: str) -> None:
        self._http = http
        self._url = url

    async def plain(self, method: str, path: str, **options: Any) -> httpx.Response:
        return await self._http.request(method, self._url + path, timeout=30, **options)

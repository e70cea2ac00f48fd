"""What the host's users and its backend do: ask for sessions, open their pages, finish, leave, renew, revoke, claim."""

from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from tests.simulation.asgi import Answer
from tests.simulation.ground_truth import IssuedSession
from tests.simulation.simulation import HOST_URL, Simulation


@dataclass
class Page:
    """A started page: in the frame its key travels in a header, at top level in a cookie."""

    session: str
    path: str
    key: str
    cookie: str = ""

    @property
    def live(self) -> str:
        return f"/live/{self.path.rpartition('/')[2]}"

    def headers(self) -> dict[str, str]:
        return {"cookie": f"{self.cookie}={self.key}"} if self.cookie else {"x-page-key": self.key}


class UserActions:
    """Each action picks its user and returns its result in a few words; None where there was none."""

    def __init__(self, simulation: Simulation) -> None:
        self.simulation = simulation
        self.pages: list[Page] = []
        self._keys = 0

    async def create(self) -> str | None:
        """A session; a host that gets no answer asks again with the same key, and one in five asks twice anyway."""
        simulation, rng = self.simulation, self.simulation.rng
        user, company = rng.choice(simulation.plan.users), rng.choice(simulation.plan.companies)
        choice = rng.choice(simulation.plan.choices)
        body = self._wants(user, company, choice)
        self._keys += 1
        headers = {"idempotency-key": f"key-{self._keys}"} if rng.random() < 0.7 else {}
        answer = await simulation.host("POST", "/v1/sessions", body, **headers)
        if headers and (answer.status == 0 or rng.random() < 0.2):
            answer = self._same(answer, await simulation.host("POST", "/v1/sessions", body, **headers))
        if answer.status != 201:
            return f"{user} at {company} asks for {choice}: {answer.status}"
        return f"{user} at {company} asks for {choice}: {self._issue(answer.json(), user, company, choice)}"

    def _wants(self, user: str, company: str, choice: str) -> dict[str, Any]:
        rng = self.simulation.rng
        sites = [{"externalId": name, "name": name.upper()} for name in ("hq", "mill")[: rng.randrange(1, 3)]]
        place: dict[str, str] = {"externalId": company, "name": company.title()}
        known = [one for one in self.simulation.world.companies if one.external_id == company]
        if known and rng.random() < 0.15:
            place = {"id": known[0].id}
        body: dict[str, Any] = {"userId": user, "company": place, "sites": sites, "link": choice, "origin": HOST_URL}
        body |= {"returnUrl": f"{HOST_URL}/done", "expiresIn": rng.choice((60, 300, 3600, 7200))}
        if rng.random() < 0.1:
            body["prepare"] = "now"
        if rng.random() < 0.4 or "another" in self.simulation.plan.script:
            body["maxConnections"] = 3
        if self.simulation.receivers.at and rng.random() < 0.3:
            body["webhookUrl"] = f"{rng.choice(list(self.simulation.receivers.at.values())).url}/own"
        return body | ({"userEmail": f"{user}@example.com"} if rng.random() < 0.15 else {})

    def _same(self, first: Answer, again: Answer) -> Answer:
        """Two answers to one key are the same session with the same addresses."""
        if first.status == 201 and again.status == 201:
            names = ("id", "embedUrl", "redirectUrl")
            if [first.json()[name] for name in names] != [again.json()[name] for name in names]:
                self.simulation.fault("one idempotency key gave two different answers")
        return first if first.status == 201 else again

    def _issue(self, made: dict[str, Any], user: str, company: str, choice: str, reconnects: str | None = None) -> str:
        embed, redirect = urlsplit(made["embedUrl"]).path, urlsplit(made["redirectUrl"]).path
        self.simulation.ground_truth.issue(
            IssuedSession(made["id"], user, company, choice, embed, redirect, reconnects)
        )
        return str(made["id"])

    async def start(self) -> str | None:
        """Open a session's page, by either of its addresses; whoever is second may take over."""
        issued = self._unopened_reconnect() or self._any_session()
        if issued is None:
            return None
        rng = self.simulation.rng
        path = rng.choice((issued.embed, issued.redirect))
        body = {"takeOver": True} if rng.random() < 0.4 else {}
        answer = await self.simulation.page("POST", f"{path}/start", {}, body)
        if not answer.ok:
            return f"{issued.user} opens {issued.id}: {answer.status}"
        key, cookie = answer.json()["pageKey"], ""
        if path.startswith("/connect/"):  # the key is in its cookie alone
            cookie, _, value = answer.headers["set-cookie"].partition("=")
            key = value.partition(";")[0]
        page = Page(issued.id, path, key, cookie)
        self.pages.append(page)
        return f"{issued.user} opens {issued.id}: {self._read(page, answer.json()['view'])}"

    async def poll_page(self) -> str | None:
        """The page's poll: this is how a link made later comes to be seen."""
        page = self._any_page()
        if page is None:
            return None
        answer = await self.simulation.page("GET", page.live, page.headers())
        return f"looks at {page.session}: {self._read(page, answer.json()) if answer.ok else answer.status}"

    def _read(self, page: Page, view: dict[str, Any]) -> str:
        url = view["link"]["url"]
        if url is None:
            return f"{view['status']}, no link yet"
        self.simulation.ground_truth.reveal(page.session, url)
        return f"{view['status']}, sees {url.rpartition('/')[2][:10]}"

    async def heartbeat(self) -> str | None:
        return await self._press("heartbeat")

    async def finish(self) -> str | None:
        """Says so; in the redirect flow this leads on to our callback."""
        page = self._any_page()
        if page is None:
            return None
        headers = page.headers() | ({"accept": "text/html"} if page.cookie else {})
        answer = await self.simulation.page("POST", f"{page.path}/finished", headers, {})
        if answer.status == 303 and self.simulation.rng.random() < 0.8:
            back = await self.simulation.page("GET", answer.headers["location"], headers)
            return f"finishes {page.session} and returns: {back.status}"
        return f"finishes {page.session}: {answer.status}"

    async def leave(self) -> str | None:
        return await self._press("exit")

    async def _press(self, verb: str) -> str | None:
        page = self._any_page()
        if page is None:
            return None
        answer = await self.simulation.page("POST", f"{page.path}/{verb}", page.headers(), {})
        return f"{verb} of {page.session}: {answer.status}"

    async def another(self) -> str | None:
        """Asks for the next account, now and then twice at once: at most one more link comes of it."""
        page = self._any_page()
        if page is None:
            return None
        clicks = 2 if self.simulation.rng.random() < 0.3 else 1
        answers = [
            await self.simulation.page("POST", f"{page.path}/another", page.headers(), {}) for _ in range(clicks)
        ]
        views = [answer.json()["another"] if answer.ok else answer.status for answer in answers]
        return f"asks for another account of {page.session}: {views}"

    async def renew(self) -> str | None:
        issued = self._any_session()
        if issued is None:
            return None
        answer = await self.simulation.host("POST", f"/v1/sessions/{issued.id}/renew", {})
        if answer.ok:
            made = answer.json()
            issued.embed, issued.redirect = urlsplit(made["embedUrl"]).path, urlsplit(made["redirectUrl"]).path
        return f"renews {issued.id}: {answer.status}"

    async def revoke(self) -> str | None:
        issued = self._any_session()
        if issued is None:
            return None
        answer = await self.simulation.host("POST", f"/v1/sessions/{issued.id}/revoke", {})
        if answer.ok and issued.revoked_at is None:
            issued.revoked_at = self.simulation.clocks.at
        return f"revokes {issued.id}: {answer.status}"

    async def reconnect(self) -> str | None:
        """A session to mend a recorded connection."""
        rows = await self.simulation.host("GET", "/v1/connections?attributed=true")
        found = rows.json()["data"] if rows.ok else []
        if not found:
            return None
        one, choice = self.simulation.rng.choice(found), self.simulation.rng.choice(self.simulation.plan.choices)
        body = {"origin": HOST_URL, "returnUrl": f"{HOST_URL}/done", "link": choice, "expiresIn": 3600}
        answer = await self.simulation.host("POST", f"/v1/connections/{one['id']}/reconnect", body)
        if answer.status != 201:
            return f"reconnect of {one['id'][:8]}: {answer.status}"
        made = answer.json()
        user = str(made["userId"])
        return f"{user} reconnects {one['id'][:8]}: {self._issue(made, user, '', choice, one['id'])}"

    async def claim(self) -> str | None:
        """The host settles an unattributed connection, not always rightly, or takes its word back."""
        rows = await self.simulation.host("GET", "/v1/connections?attributed=false")
        found = rows.json()["data"] if rows.ok else []
        issued = self._any_session()
        if self.simulation.rng.random() < 0.3:
            return await self._unclaim()
        if not found or issued is None:
            return None
        connection = self.simulation.rng.choice(found)["id"]
        answer = await self.simulation.host("POST", f"/v1/connections/{connection}/claim", {"sessionId": issued.id})
        if answer.ok or answer.status == 0:
            self.simulation.ground_truth.claims.setdefault(connection, []).append(issued.id)
        return f"host claims {connection[:8]} for {issued.id}: {answer.status}"

    async def _unclaim(self) -> str | None:
        if not self.simulation.ground_truth.claims:
            return None
        connection = self.simulation.rng.choice(list(self.simulation.ground_truth.claims))
        answer = await self.simulation.host("DELETE", f"/v1/connections/{connection}/claim")
        return f"host undoes its claim of {connection[:8]}: {answer.status}"

    def _unopened_reconnect(self) -> IssuedSession | None:
        """Whoever asks for a reconnect mostly opens it next: among all sessions it would hardly ever be chosen."""
        opened = {page.session for page in self.pages}
        found = [one for one in self.simulation.ground_truth.sessions.values() if one.reconnects]
        waiting = [one for one in found if one.id not in opened]
        return waiting[-1] if waiting and self.simulation.rng.random() < 0.8 else None

    def _any_session(self) -> IssuedSession | None:
        issued = list(self.simulation.ground_truth.sessions.values())
        return self.simulation.rng.choice(issued[-6:]) if issued else None

    def _any_page(self) -> Page | None:
        return self.simulation.rng.choice(self.pages[-6:]) if self.pages else None

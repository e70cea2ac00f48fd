"""Everything that a deployment's database may hold, made by the use cases themselves.

What lies outside the database (addresses, keys, what the host was answered) is what its users hold afterwards.
"""

from typing import Any

import httpx

from service.domain.changes import JobKind
from service.domain.model import DEFAULT_TENANT
from service.domain.tokens import digest
from tests.support.connection_steps import ambiguous, broken, claim, reconnecting, repair
from tests.support.sandbox_client import JsonObject
from tests.support.services import RunningServices
from tests.support.users import FramePage, User

HOST_KEY = "mlk_the-key-that-a-host-holds-0123456789"
OTHER_KEY = "other-key"  # of the tenant that `RunningServices.stranger` makes
DAY = 86_400


def user(services: RunningServices, user_id: str, company: str) -> User:
    """Somebody at this company, who speaks of its one site."""
    return User(services, user_id, {"externalId": company, "name": company.title()}, [_site("hq")])


def _site(name: str) -> JsonObject:
    return {"externalId": name, "name": "Head quarters", "address": "123 Main St, San Francisco, CA 94105"}


async def live(services: RunningServices) -> JsonObject:
    """All use cases, and what the users hold in the end. The last of them are left in the middle."""
    await services.parts.store.keys.add("key_host", DEFAULT_TENANT, "backend", digest(HOST_KEY))
    other = await services.stranger()
    theirs = (await other.post("/v1/sessions", json=user(services, "mallory", "evil").wants(expiresIn=DAY))).json()
    settled = await _settled(services)
    repeated = await _repeated(services)
    held = await _in_the_middle(services)
    host = services.backend(HOST_KEY)
    return {
        "settled": settled,
        "repeated": repeated,
        **held,
        "hostAnswers": await _answers(services, host),
        "otherAnswers": await _answers(services, other),
        "otherSession": theirs,
        "at": services.clock.now(),
    }


async def _settled(services: RunningServices) -> JsonObject:
    """A connection for every kind of evidence, one without an owner, and sessions that have ended."""
    ada, bob = user(services, "ada", "acme"), user(services, "bob", "acme")
    await ada.connected(userLabel="Ada L.", metadata={"plan": "gold; 100 %"}, locale="de")
    await services.deliver_webhooks()
    await services.sandbox.trouble("never_webhook")  # bills come by the hundred; one webhook is like another
    page = await reconnecting(services, await broken(bob), metadata={"why": "the password's gone"})
    await repair(page)
    await services.later(5)
    await page.finish()
    presumed = await user(services, "ada", "globex").connected(link="magic_link")
    claimed, hers, _ = await ambiguous(services, user(services, "ada", "umbrella"), user(services, "bob", "umbrella"))
    await claim(services, claimed, hers.id)
    nobodys, _, his = await ambiguous(services, user(services, "ada", "initech"), user(services, "bob", "initech"))
    await services.post(f"/v1/sessions/{(await bob.session())['id']}/revoke")
    expired = await bob.session(expiresIn=60)
    await services.later(700)
    await services.deliver_webhooks()
    await services.sandbox.plain("DELETE", "/_control/troubles/never_webhook")
    return {
        "presumed": presumed["id"],
        "reconnected": page.id,
        "nobodys": {"connection": nobodys["id"], "session": his.id},
        "claimed": {"connection": claimed["id"], "session": hers.id},
        "expired": expired["id"],
    }


async def _repeated(services: RunningServices) -> JsonObject:
    body = user(services, "ada", "acme").wants(userEmail="ada@example.com", prefill={"country": "US"}, expiresIn=DAY)
    answer = await services.host.post("/v1/sessions", json=body, headers={"Idempotency-Key": "order-1"})
    await services.drain()
    return {"key": "order-1", "body": body, "answer": answer.json()}


async def _in_the_middle(services: RunningServices) -> JsonObject:
    """An open page, a webhook not worked off, a link that is still to be made, a call whose answer was lost."""
    page = await user(services, "ada", "acme").frame(expiresIn=DAY)
    finished = await user(services, "bob", "acme").frame(expiresIn=DAY)
    await finished.connect()
    await services.sandbox.deliver_webhooks()
    pending = await services.post("/v1/sessions", user(services, "bob", "hooli").wants(expiresIn=DAY))
    return {
        "opened": {"session": page.session, "pageKey": page.key, "lastEventId": await _last_event(page)},
        "finished": {"session": finished.session, "pageKey": finished.key},
        "lost": await _lost(services),
        "pending": pending,
    }


async def _last_event(page: FramePage) -> str:
    rows = await page.services.rows(f"/v1/sessions/{page.id}/events", limit=100)
    return str(rows[-1]["id"])


async def _lost(services: RunningServices) -> JsonObject:
    """A session whose company was made at the provider, and the answer was lost."""
    lost: list[str] = []

    async def lose(request: httpx.Request) -> None:
        if request.method == "POST" and request.url.path.endswith("/company"):
            lost.append(request.url.path)
            raise httpx.ReadError("lost", request=request)

    services.outgoing.after = lose
    body = user(services, "ada", "vandelay").wants(expiresIn=DAY)
    made: JsonObject = await services.post("/v1/sessions", body)
    due = await services.parts.store.queue.lease_now(JobKind.PREPARE, made["id"], 90.0)
    assert due is not None
    await services.parts.worker.run_job(due)
    assert lost
    return made


async def _answers(services: RunningServices, host: httpx.AsyncClient) -> dict[str, Any]:
    """What every address answers that the host may read."""
    await services.settled()
    answers: dict[str, Any] = {}
    for path in ("/v1/sessions?limit=100", "/v1/connections?limit=100", "/v1/events?limit=100"):
        answers[path] = (await host.get(path)).raise_for_status().json()
    for kind in ("sessions", "connections"):
        for row in answers[f"/v1/{kind}?limit=100"]["data"]:
            path = f"/v1/{kind}/{row['id']}"
            answers[path] = (await host.get(path)).raise_for_status().json()
    return answers

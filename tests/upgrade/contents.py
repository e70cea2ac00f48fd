"""A small town at work: everything that a deployment's database may hold, made by the stories themselves.

What lies outside the database (addresses, keys, what the host was answered) is what its people hold afterwards.
"""

from typing import Any

import httpx

from service.domain.changes import JobKind
from service.domain.tokens import digest
from service.usecases.api_keys import DEFAULT_TENANT
from tests.support.connection_steps import ambiguous, broken, claim, reconnecting, repair
from tests.support.people import FramePage, User
from tests.support.sandbox_client import Wire
from tests.support.services import RunningServices

HOST_KEY = "mlk_the-key-that-a-host-holds-0123456789"
OTHER_KEY = "other-key"  # of the tenant that `Street.stranger` makes
DAY = 86_400


def person(street: RunningServices, user_id: str, company: str) -> User:
    """Somebody at this company, who speaks of its one site."""
    return User(street, user_id, {"externalId": company, "name": company.title()}, [_site("hq")])


def _site(name: str) -> Wire:
    return {"externalId": name, "name": "Head quarters", "address": "123 Main St, San Francisco, CA 94105"}


async def live(street: RunningServices) -> Wire:
    """All the stories, and what the people hold in the end. The last of them are left in the middle."""
    await street.services.store.keys.add("key_host", DEFAULT_TENANT, "backend", digest(HOST_KEY))
    other = await street.stranger()
    theirs = (await other.post("/v1/sessions", json=person(street, "mallory", "evil").wants(expiresIn=DAY))).json()
    settled = await _settled(street)
    repeated = await _repeated(street)
    held = await _in_the_middle(street)
    host = street.backend(HOST_KEY)
    return {
        "settled": settled,
        "repeated": repeated,
        **held,
        "hostAnswers": await _answers(street, host),
        "otherAnswers": await _answers(street, other),
        "otherSession": theirs,
        "at": street.clock.now(),
    }


async def _settled(street: RunningServices) -> Wire:
    """A connection for every kind of evidence, one that is nobody's, and sessions that are over."""
    ada, bob = person(street, "ada", "acme"), person(street, "bob", "acme")
    await ada.connected(userLabel="Ada L.", metadata={"plan": "gold; 100 %"}, locale="de")
    await street.pump()
    await street.sandbox.trouble("never_webhook")  # bills come by the hundred; one letter is like another
    page = await reconnecting(street, await broken(bob), metadata={"why": "the password's gone"})
    await repair(page)
    await street.later(5)
    await page.finish()
    presumed = await person(street, "ada", "globex").connected(link="magic_link")
    claimed, hers, _ = await ambiguous(street, person(street, "ada", "umbrella"), person(street, "bob", "umbrella"))
    await claim(street, claimed, hers.id)
    nobodys, _, his = await ambiguous(street, person(street, "ada", "initech"), person(street, "bob", "initech"))
    await street.post(f"/v1/sessions/{(await bob.session())['id']}/revoke")
    expired = await bob.session(expiresIn=60)
    await street.later(700)
    await street.pump()
    await street.sandbox.plain("DELETE", "/_control/troubles/never_webhook")
    return {
        "presumed": presumed["id"],
        "reconnected": page.id,
        "nobodys": {"connection": nobodys["id"], "session": his.id},
        "claimed": {"connection": claimed["id"], "session": hers.id},
        "expired": expired["id"],
    }


async def _repeated(street: RunningServices) -> Wire:
    body = person(street, "ada", "acme").wants(userEmail="ada@example.com", prefill={"country": "US"}, expiresIn=DAY)
    answer = await street.host.post("/v1/sessions", json=body, headers={"Idempotency-Key": "order-1"})
    await street.drain()
    return {"key": "order-1", "body": body, "answer": answer.json()}


async def _in_the_middle(street: RunningServices) -> Wire:
    """An open page, a letter that nobody has opened, a link that is still to be made, a call whose answer was lost."""
    page = await person(street, "ada", "acme").frame(expiresIn=DAY)
    finished = await person(street, "bob", "acme").frame(expiresIn=DAY)
    await finished.connect()
    await street.sandbox.pump()
    pending = await street.post("/v1/sessions", person(street, "bob", "hooli").wants(expiresIn=DAY))
    return {
        "opened": {"session": page.session, "pageKey": page.key, "lastEventId": await _last_event(page)},
        "finished": {"session": finished.session, "pageKey": finished.key},
        "lost": await _lost(street),
        "pending": pending,
    }


async def _last_event(page: FramePage) -> str:
    rows = await page.street.rows(f"/v1/sessions/{page.id}/events", limit=100)
    return str(rows[-1]["id"])


async def _lost(street: RunningServices) -> Wire:
    """A session whose company was made at the provider, and nobody here heard of it."""
    lost: list[str] = []

    async def lose(request: httpx.Request) -> None:
        if request.method == "POST" and request.url.path.endswith("/company"):
            lost.append(request.url.path)
            raise httpx.ReadError("lost", request=request)

    street.outgoing.after = lose
    body = person(street, "ada", "vandelay").wants(expiresIn=DAY)
    made: Wire = await street.post("/v1/sessions", body)
    due = await street.services.store.queue.lease_now(JobKind.PREPARE, made["id"], 90.0)
    assert due is not None
    await street.services.worker.run_job(due)
    assert lost
    return made


async def _answers(street: RunningServices, host: httpx.AsyncClient) -> dict[str, Any]:
    """What the host is told by every address that it may read."""
    await street.settled()
    answers: dict[str, Any] = {}
    for path in ("/v1/sessions?limit=100", "/v1/connections?limit=100", "/v1/events?limit=100"):
        answers[path] = (await host.get(path)).raise_for_status().json()
    for kind in ("sessions", "connections"):
        for row in answers[f"/v1/{kind}?limit=100"]["data"]:
            path = f"/v1/{kind}/{row['id']}"
            answers[path] = (await host.get(path)).raise_for_status().json()
    return answers

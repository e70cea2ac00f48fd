"""The composition root: opens the adapters in the lifespan, builds the stories, mounts the doors. The only wiring."""

import asyncio
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from time import monotonic, time  # noqa: TID251 - here the clocks are given out
from typing import Any

import httpx
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from starlette.applications import Starlette
from starlette.routing import Mount
from uvicorn.middleware.proxy_headers import ProxyHeadersMiddleware

from service.connections import DAY_SECONDS, Connections
from service.handoff import Handoff
from service.intake import Intake
from service.keys import Keys
from service.ledger import Due, WorkKind
from service.links import Links
from service.live import Live
from service.metrics import Metrics
from service.model import Clock
from service.places import Places
from service.provider import Account, Pace, Provider
from service.sessions import Outside, Sessions
from service.settings import Settings
from service.state import Signer
from service.store import Store, engine_for
from service.store.tx import Engine
from service.web.api import Api
from service.web.api import Stories as ApiStories
from service.web.docs import Docs
from service.web.faces import Faces
from service.web.hooks import Hooks
from service.web.limits import PageLimits
from service.web.middleware import Observed
from service.web.pages import Pages
from service.web.pages import Stories as PageStories
from service.web.probes import Probes
from service.web.steps import Steps
from service.work import Worker

_DRAIN_SECONDS = 5.0
_LIST_SECONDS = 40.0  # under half of a lease, as every call of a worker


@dataclass(frozen=True, slots=True)
class World:
    """Everything from outside: clocks, randomness, the way to the provider. Tests hand in their own."""

    clock: Clock = time
    monotonic: Callable[[], float] = monotonic
    new_id: Callable[[str], str] = lambda prefix: f"{prefix}_{secrets.token_hex(12)}"
    new_secret: Callable[[], str] = lambda: secrets.token_urlsafe(32)
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
    transport: httpx.AsyncBaseTransport | None = None
    engine: Callable[[str, Clock], Engine] = engine_for
    pace: Pace | None = None
    background: bool = True


@dataclass(frozen=True, slots=True)
class Wired:
    """What the lifespan needs, and what tests may hold on to as `app.state.wired`."""

    store: Store
    http: httpx.AsyncClient
    provider: Provider
    worker: Worker
    live: Live
    sessions: Sessions
    handoff: Handoff
    connections: Connections
    intake: Intake
    links: Links
    keys: Keys
    metrics: Metrics


def create_app(settings: Settings, world: World | None = None) -> Starlette:
    """The service, ready for an ASGI server; nothing is opened before its lifespan starts."""
    world = world or World()
    wired = wire(settings, world)

    @asynccontextmanager
    async def lifespan(_app: Starlette) -> AsyncIterator[None]:
        await wired.store.open()
        wired.store.engine.on_news(wired.live.tell)
        wired.store.engine.on_work(wired.worker.kick)
        await wired.store.work.ask(Due(WorkKind.PURGE, "inbox", DAY_SECONDS))
        task = asyncio.create_task(wired.worker.run(), name="work") if world.background else None
        try:
            yield
        finally:
            leave()
            await wired.worker.stop(_DRAIN_SECONDS)
            if task is not None:
                await task
                await wired.worker.stop(_DRAIN_SECONDS)  # for what was being claimed just then
            await wired.http.aclose()
            await wired.store.close()

    def leave() -> None:
        """The end is near: streams end, and no work is begun that would have to be waited for."""
        wired.live.close()
        wired.worker.retire()

    app = Starlette(
        routes=_routes(settings, world, wired),
        lifespan=lifespan,
    )
    app.state.leave = leave
    app.state.wired = wired
    app.add_middleware(Observed, metrics=wired.metrics)
    if settings.trusted_proxies:  # the outermost: whose word on the client's address is believed
        app.add_middleware(ProxyHeadersMiddleware, trusted_hosts=list(settings.trusted_proxies))
    return app


def wire(settings: Settings, world: World) -> Wired:
    """The stories on their adapters, without doors; opening the store is the caller's."""
    outside = Outside(world.clock, world.new_id, world.sleep)
    store = Store(
        world.engine(settings.database_url, world.clock),
        clock=world.clock,
        new_id=world.new_id,
        keys=settings.secret_keys,
    )
    metrics, http = Metrics(), _client(world)
    pace = world.pace or Pace(world.monotonic, list_seconds=_LIST_SECONDS)
    provider = Provider(http, _account(settings), replace(pace, observe=metrics.provider_call))
    signer = Signer(settings.secret_keys)
    callback_url = f"{settings.public_url}/callback" if settings.provider_redirects else None
    places = Places(store, provider)
    links = Links(store, provider, places, signer, world.clock, callback_url)
    connections = Connections(store, provider, outside)
    intake = Intake(store, provider, world.clock, settings.provider_webhook_secrets)
    sessions = Sessions(store, signer, provider, outside, settings.public_url)
    handoff = Handoff(store, signer, provider, world.clock, world.new_secret)
    handlers = _handlers(store, sessions, handoff, connections, links) | {WorkKind.WEBHOOK: intake.take_in}
    return Wired(
        store=store,
        http=http,
        provider=provider,
        worker=Worker(store, handlers, metrics.work.inc),
        live=Live(),
        sessions=sessions,
        handoff=handoff,
        connections=connections,
        intake=intake,
        links=links,
        keys=Keys(store, outside, settings.api_key),
        metrics=metrics,
    )


def _client(world: World) -> httpx.AsyncClient:
    """One for the whole process. It follows no redirect, since our key must not travel with one."""
    return httpx.AsyncClient(
        transport=world.transport,
        follow_redirects=False,
        headers={"User-Agent": "magiclink"},
        limits=httpx.Limits(max_connections=10, max_keepalive_connections=10),
        trust_env=False,
    )


def _account(settings: Settings) -> Account:
    return Account(
        settings.provider_url, settings.provider_pages_url, settings.provider_api_key, settings.provider_paths
    )


def _handlers(store: Store, sessions: Sessions, handoff: Handoff, connections: Connections, links: Links) -> Any:
    """What each kind of work means: a story that takes the row's name and answers when it is due again."""

    async def purge(_ref: str) -> float:
        await store.inbox.purge()
        await store.idempotency.purge()
        return DAY_SECONDS

    return {
        WorkKind.PREPARE: links.prepare_behind,
        WorkKind.WITHDRAW: links.withdraw,
        WorkKind.SWEEP: links.sweep,
        WorkKind.RECONCILE: connections.reconcile,
        WorkKind.DOCUMENTS: connections.read_documents,
        WorkKind.EXPIRE: sessions.expire,
        WorkKind.PRESENCE: handoff.absent,
        WorkKind.PURGE: purge,
    }


def _routes(settings: Settings, world: World, wired: Wired) -> list[Any]:
    environment = _environment()
    faces = Faces(environment, settings, wired.handoff.callback_state, wired.handoff.result)
    steps = Steps(wired.handoff, wired.live, faces, PageLimits(world.monotonic))
    pages = Pages(PageStories(wired.handoff, wired.connections), faces, steps)
    api = Api(ApiStories(wired.sessions, wired.links, wired.connections, wired.keys, wired.live), settings)
    hooks = Hooks(wired.intake, wired.metrics.webhooks.inc, enabled=bool(settings.provider_webhook_secrets))

    return [
        Mount("/v1", api.app(), name="api"),
        Mount("/webhooks", hooks.app(), name="hooks"),
        *Probes(wired.store.check, wired.live.count, wired.metrics, settings.metrics_key).routes(),
        *Docs(environment, settings.public_url).routes(),
        Mount("", pages.app(), name="pages"),
    ]


def _environment() -> Environment:
    """The templates lie beside the package in the repository, and inside it in the wheel."""
    here = Path(__file__).parent
    shipped = here / "templates"
    folder = shipped if shipped.is_dir() else here.parent / "templates"
    return Environment(
        loader=FileSystemLoader(folder),
        auto_reload=False,
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )

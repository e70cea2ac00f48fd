"""The composition root and the only wiring: opens the adapters, builds the use cases, mounts the routes."""

import asyncio
import random
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from time import monotonic, time  # noqa: TID251 - the clocks are passed on from here
from typing import Any

import httpx
import jinja2
from starlette.applications import Starlette
from starlette.routing import Mount
from uvicorn.middleware.proxy_headers import ProxyHeadersMiddleware

from service.background.deliveries import DeliveryWorker, HostWebhooks
from service.background.loops import running
from service.domain.changes import Job, JobKind
from service.domain.languages import ENGLISH
from service.domain.model import Clock, CompanyRef, ConnectionId, SessionId, UserRef
from service.domain.runtime import IdSource, Runtime
from service.domain.timing import LIST_SECONDS
from service.outbound import WebhookNetwork
from service.provider import CallLimits, Provider, account_of
from service.provider.http import ProviderTransport
from service.pubsub import PubSub
from service.settings import Settings
from service.signing import Signer
from service.store import Store, engine_for
from service.store.engine import Engine
from service.telemetry.metrics import Metrics
from service.usecases.api_keys import ApiKeys
from service.usecases.bills import Bills
from service.usecases.claims import Claims
from service.usecases.connections import Connections
from service.usecases.deliveries import Deliveries, DeliveryTools
from service.usecases.idempotency import IdempotentCalls
from service.usecases.links import Links, ReturnPath
from service.usecases.open_streams import OpenStreams
from service.usecases.pages import Pages
from service.usecases.provider_paths import load_paths, remember_paths
from service.usecases.provider_sites import ProviderSites
from service.usecases.reconcile import Reconciliation
from service.usecases.reminders import Reminders
from service.usecases.results import Results
from service.usecases.retention import Retention
from service.usecases.sessions import Sessions
from service.usecases.user_status import UserStatuses
from service.usecases.users import Users
from service.usecases.webhooks_in import IncomingWebhooks
from service.usecases.webhooks_out import SECRETS_REF, EndpointParts, OutgoingWebhooks
from service.usecases.withdrawals import Withdrawals
from service.web.api.problems import HANDLERS
from service.web.api.routes import ApiRoutes, ApiUseCases
from service.web.api.user_routes import UserRoutes, UserUseCases
from service.web.docs.routes import DocsRoutes
from service.web.headers import headers_of_every_answer
from service.web.health import HealthRoutes
from service.web.middleware import GuardedApp, RequestObserver
from service.web.page_templates import page_templates
from service.web.pages.flow_routes import FlowRoutes
from service.web.pages.rate_limit import PageRateLimit
from service.web.pages.responses import PageResponses
from service.web.pages.routes import PageRoutes, PagesMount
from service.web.pages.status_routes import StatusRoutes
from service.web.webhooks import WebhookRoutes
from service.worker import Handler, Worker

_PURGE_SECONDS = 86400.0


@dataclass(frozen=True, slots=True)
class Environment:
    """What comes from outside: clocks, randomness, HTTP transports, the database. Tests pass their own."""

    clock: Clock = time
    monotonic: Callable[[], float] = monotonic
    new_id: Callable[[str], str] = field(default_factory=lambda: IdSource(secrets.token_bytes))
    new_secret: Callable[[], str] = lambda: secrets.token_urlsafe(32)
    random_bytes: Callable[[int], bytes] = secrets.token_bytes
    roll: Callable[[], float] = random.random
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
    transport: httpx.AsyncBaseTransport | None = None
    engine: Callable[[str, Clock], Engine] = engine_for
    limits: CallLimits | None = None
    webhooks: WebhookNetwork = field(default_factory=WebhookNetwork)
    background: bool = True


@dataclass(frozen=True, slots=True)
class Services:
    """The adapters and use cases of one process; tests reach them as `app.state.services`."""

    store: Store
    http: httpx.AsyncClient
    provider: Provider
    worker: Worker
    hosts: HostWebhooks
    pubsub: PubSub
    metrics: Metrics
    sessions: Sessions
    results: Results
    pages: Pages
    links: Links
    withdrawals: Withdrawals
    reconciliation: Reconciliation
    connections: Connections
    claims: Claims
    bills: Bills
    webhooks: IncomingWebhooks
    keys: ApiKeys
    idempotent: IdempotentCalls
    users: Users
    statuses: UserStatuses


def create_app(settings: Settings, environment: Environment | None = None) -> Starlette:
    """Return the service for an ASGI server; nothing is opened before its lifespan starts."""
    services = build_services(settings, environment := environment or Environment())

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        await services.store.open()
        await load_paths(services.store, services.provider, settings.provider_url)
        services.store.engine.on_events(services.pubsub.publish)
        services.store.engine.on_events(services.hosts.worker.wake)
        services.store.engine.on_jobs(services.worker.wake)
        purge = Job(JobKind.PURGE, "inbox", _PURGE_SECONDS)
        await services.store.queue.enqueue(purge, Job(JobKind.ENCRYPT, SECRETS_REF))
        try:
            async with running((services.worker, services.hosts.worker), start=environment.background):
                try:
                    yield
                finally:
                    drain()
        finally:
            await services.http.aclose()
            await services.hosts.sender.close()
            await services.store.close()

    def drain() -> None:
        """End every stream and lease no more jobs: the process is about to stop."""
        services.pubsub.close()
        services.worker.stop_leasing()
        services.hosts.worker.stop_leasing()

    headers = headers_of_every_answer(settings.public_url)
    app = GuardedApp(headers, _routes(settings, environment, services), HANDLERS, lifespan=lifespan)
    app.state.drain, app.state.services = drain, services
    app.add_middleware(RequestObserver, metrics=services.metrics)
    if settings.trusted_proxies:  # the outermost: it decides which address counts as the client's
        app.add_middleware(ProxyHeadersMiddleware, trusted_hosts=list(settings.trusted_proxies))
    return app


def build_services(settings: Settings, environment: Environment) -> Services:
    """Build the use cases on their adapters, without routes; the caller opens the store."""
    clock, runtime = environment.clock, Runtime(environment.clock, environment.new_id)
    engine = environment.engine(settings.database_url, clock)
    store = Store(engine, clock=clock, new_id=environment.new_id, keys=settings.secret_keys)
    metrics, http, signer = Metrics(), _http_client(environment), Signer(settings.secret_keys)
    provider = Provider(http, account_of(settings), _limits(settings, environment, metrics, store))
    provider_sites, withdrawals = ProviderSites(store, provider, clock), Withdrawals(store, provider)
    callback_url = f"{settings.public_url}/callback" if settings.provider_redirects else None
    links = Links(store, provider, provider_sites, withdrawals, ReturnPath(signer, callback_url), clock)
    sessions = Sessions(store, signer, provider, runtime, settings.public_url)
    pages = Pages(store, signer, provider, clock, environment.new_secret)
    reconciliation, bills = Reconciliation(store, provider, clock), Bills(store, provider, clock)
    idempotent = IdempotentCalls(store, environment.new_id)
    handlers: dict[JobKind, Handler] = {}
    services = Services(
        store=store,
        http=http,
        provider=provider,
        worker=Worker(store, handlers, metrics.job_ended, environment.sleep, idempotent.renew_leases),
        hosts=_hosts(settings, environment, store, metrics),
        pubsub=PubSub(),
        metrics=metrics,
        sessions=sessions,
        results=Results(store, signer, runtime, metrics.result_verified),
        pages=pages,
        links=links,
        withdrawals=withdrawals,
        reconciliation=reconciliation,
        connections=Connections(store),
        claims=Claims(store, runtime),
        bills=bills,
        webhooks=IncomingWebhooks(store, provider, clock, settings.provider_webhook_secrets),
        keys=ApiKeys(store, runtime, settings.api_key),
        idempotent=idempotent,
        users=Users(store, provider, clock),
        statuses=UserStatuses(store, signer, clock, settings.public_url),
    )
    handlers.update(_handlers(services, clock, settings.retention_days))
    return services


def _hosts(settings: Settings, environment: Environment, store: Store, metrics: Metrics) -> HostWebhooks:
    guard, sender = environment.webhooks.open(settings.webhook_networks, environment.monotonic)
    tools = DeliveryTools(sender, environment.clock, environment.roll, metrics.delivery_attempted, environment.sleep)
    worker = DeliveryWorker(store, Deliveries(store, tools), environment.sleep)
    runtime = Runtime(environment.clock, environment.new_id)
    parts = EndpointParts(runtime, environment.random_bytes, guard, settings.public_url)
    return HostWebhooks(sender, worker, OutgoingWebhooks(store, parts, worker.wake))


def _handlers(services: Services, clock: Clock, retention_days: int) -> dict[JobKind, Handler]:
    """The use case of each kind of job; it returns in how many seconds the job is due again, None for never.

    Those that write what they have read from the provider get the job, since such a write needs the job's lease.
    """
    links, withdrawals, bills = services.links, services.withdrawals, services.bills
    reminders = Reminders(services.store, partial(services.worker.run_now, JobKind.RECONCILE), clock)
    retention = Retention(services.store, clock, retention_days)
    return {
        JobKind.PREPARE: lambda job: links.prepare_in_background(SessionId(job.ref), job),
        JobKind.WITHDRAW: lambda job: withdrawals.revoke_invitations(SessionId(job.ref)),
        JobKind.SWEEP: lambda job: withdrawals.sweep(SessionId(job.ref)),
        JobKind.EXPIRE: lambda job: services.sessions.expire(SessionId(job.ref)),
        JobKind.PRESENCE: lambda job: services.pages.check_presence(SessionId(job.ref)),
        JobKind.PURGE: lambda _job: retention.purge(),
        JobKind.ERASE: lambda job: services.users.complete_erasure(UserRef(job.ref)),
        JobKind.ENCRYPT: lambda job: (
            services.hosts.endpoints.encrypt_secrets() if job.ref == SECRETS_REF else services.users.encrypt_emails()
        ),
        JobKind.REPLAY: lambda job: services.hosts.endpoints.advance_replay(job.ref, job),
        JobKind.RECONCILE: lambda job: services.reconciliation.reconcile(CompanyRef(job.ref), job),
        JobKind.DOCUMENTS: lambda job: bills.name_documents(ConnectionId(job.ref), job),
        JobKind.UPLOADS: lambda job: bills.name_uploads(CompanyRef(job.ref), job),
        JobKind.WEBHOOK: lambda job: services.webhooks.process(job.ref, job),
        JobKind.REMIND: lambda job: reminders.remind(ConnectionId(job.ref), job),
    }


def _http_client(environment: Environment) -> httpx.AsyncClient:
    """One client for the whole process. It follows no redirect: the provider's API key must not travel with one."""
    return httpx.AsyncClient(
        transport=environment.transport or ProviderTransport(environment.monotonic),
        follow_redirects=False,
        headers={"User-Agent": "magiclink"},
        trust_env=False,
    )


def _limits(settings: Settings, environment: Environment, metrics: Metrics, store: Store) -> CallLimits:
    return replace(
        environment.limits or CallLimits(environment.monotonic, list_seconds=LIST_SECONDS),
        concurrency=settings.provider_calls,
        observe=metrics.provider_call,
        unreadable=lambda item: metrics.provider_item_unreadable(item.kind),
        served=partial(remember_paths, store, settings.provider_url),
    )


def _routes(settings: Settings, environment: Environment, services: Services) -> list[Any]:
    templates = page_templates()
    api = ApiRoutes(
        ApiUseCases(
            services.sessions,
            services.results,
            services.links,
            services.connections,
            services.claims,
            services.bills,
            services.hosts.endpoints,
            services.keys,
            services.idempotent,
            services.pubsub,
        ),
        settings,
        services.worker.load,
    )
    of_users = UserUseCases(services.users, services.connections, services.statuses)
    users = UserRoutes(of_users, services.keys, services.worker.run_now, settings.allowed_origins, services.worker.load)
    enabled, count = bool(settings.provider_webhook_secrets), services.metrics.webhook_received
    webhooks = WebhookRoutes(services.webhooks, count, environment.monotonic, enabled=enabled)
    health = HealthRoutes(services.store.check, services.pubsub.count, services.metrics, settings.metrics_key)
    return [
        Mount("/v1/users", users.app(), name="users"),
        Mount("/v1", api.app(), name="api"),
        Mount("/webhooks", webhooks.app(), name="webhooks"),
        *health.routes(),
        *DocsRoutes(templates[ENGLISH], settings.public_url).routes(),
        PagesMount("", _page_routes(settings, environment, services, templates).app(), name="pages"),
    ]


def _page_routes(
    settings: Settings, environment: Environment, services: Services, templates: Mapping[str, jinja2.Environment]
) -> PageRoutes:
    responses = PageResponses(templates, settings, services.pages.callback_state, services.pages.sign_result)
    status = StatusRoutes(services.statuses, responses, settings.allowed_origins)
    poll_now = partial(services.worker.run_now, JobKind.RECONCILE)
    limit = PageRateLimit(environment.monotonic)
    open_streams = OpenStreams(services.store, environment.clock, closing=services.pubsub.closing)
    flow = FlowRoutes(services.pages, poll_now, services.pubsub, responses, limit, open_streams)
    return PageRoutes(services.pages, responses, flow, status)

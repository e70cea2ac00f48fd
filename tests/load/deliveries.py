"""`python -m tests.load.deliveries`: deliveries a second, beside the floor, and what a dead endpoint costs the others.

The receiver is a process of its own that answers 204 at once. The floor posts as many signed bodies with the same
sender and no database. A dead endpoint takes connections and says nothing.
"""

import argparse
import asyncio
import os
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, nullcontext
from multiprocessing import get_context
from multiprocessing.connection import Connection
from time import monotonic, perf_counter, time  # noqa: TID251 - a composition root of its own
from typing import Any

import uvloop

from service.app import Environment, Services, build_services
from service.background.loops import renew_forever
from service.domain.deliveries import delivery_body
from service.domain.endpoints import Endpoint, EndpointChange, EndpointSecret
from service.domain.events import Event, NewEvent
from service.domain.model import EventId, SessionId, Tenant
from service.outbound import WebhookNetwork, new_secret, resolve, signed_headers
from service.settings import Settings
from service.store.changes import add_event
from service.store.engine import Transaction
from service.store.postgres import PostgresEngine
from tests.support.postgres import running_postgres

TENANT = Tenant("default")
LOOPBACK = ("127.0.0.0/8",)
ANSWER = b"HTTP/1.1 204 No Content\r\n\r\n"
AT_ONCE = 16
ROWS = ("replay", "dead")
Say = Any


class _Receiver(asyncio.Protocol):
    """Answers each request whose body has arrived; bodies here fit one segment."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport: Any = transport
        self._raw = b""

    def data_received(self, data: bytes) -> None:
        self._raw += data
        head, end, body = self._raw.partition(b"\r\n\r\n")
        length = int(head.lower().partition(b"content-length: ")[2].split(b"\r\n")[0] or 0) if end else 0
        if end and len(body) >= length:
            self._raw = b""
            self._transport.write(ANSWER)


def _serve(pipe: Connection) -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        answering = await loop.create_server(_Receiver, "127.0.0.1", 0)
        silent = await loop.create_server(asyncio.Protocol, "127.0.0.1", 0)
        pipe.send([server.sockets[0].getsockname()[1] for server in (answering, silent)])
        await asyncio.Event().wait()

    uvloop.run(main())


async def floor(url: str, number: int) -> float:
    """Posts a second of signed bodies with the same sender, and nothing else."""
    _, sender = WebhookNetwork(resolve).open(LOOPBACK, monotonic)
    secret = EndpointSecret("", *new_secret(os.urandom), 0.0)
    left = iter(range(number))

    async def some() -> None:
        for one in left:
            event = Event(EventId(f"evt_{one}"), one, TENANT, "session.created", time(), None, None, None, {})
            body = repr(delivery_body(event)).encode()
            answer = await sender.post(url, signed_headers([secret], event.id, int(time()), body), body)
            assert answer.status == 204, answer

    began = perf_counter()
    await asyncio.gather(*(some() for _ in range(AT_ONCE)))
    seconds = perf_counter() - began
    await sender.close()
    return number / seconds


def settings_of(database: str) -> Settings:
    return Settings(
        secret_keys=("k" * 32,),
        public_url="https://link.example.com",
        provider_api_key="k",
        provider_url="http://127.0.0.1:9/v2.2",
        database_url=database,
        webhook_networks=LOOPBACK,
    )


@asynccontextmanager
async def opened(database: str) -> AsyncIterator[Services]:
    services = build_services(settings_of(database), Environment())
    await services.store.open()
    services.store.engine.on_events(services.hosts.worker.wake)
    yield services
    await services.hosts.worker.stop(0)
    await services.http.aclose()
    await services.hosts.sender.close()
    await services.store.close()


async def endpoint(services: Services, url: str, types: tuple[str, ...]) -> str:
    made = Endpoint(f"whe_{os.urandom(12).hex()}", TENANT, url, "", types, None, time(), "k", time(), "k")
    secret = EndpointSecret(f"whs_{os.urandom(8).hex()}", *new_secret(os.urandom), time())
    await services.store.endpoints.create(EndpointChange(made, "created", "k", secret))
    return made.id


async def events(services: Services, number: int, event_type: str) -> None:
    """Events of as many sessions, 500 to a transaction."""
    context = services.store.endpoints._context  # noqa: SLF001 - the store's own way to write an event

    def some(tx: Transaction) -> None:
        for _ in range(min(500, number)):
            add_event(tx, context, NewEvent(event_type, SessionId(f"ses_{os.urandom(8).hex()}")), TENANT)

    for _ in range(-(-number // 500)):
        await services.store.engine.write(some)
    if isinstance(services.store.engine, PostgresEngine):
        await services.store.engine.number()


async def measure(database: str, options: argparse.Namespace, ports: list[int]) -> None:
    answering, silent = (f"http://127.0.0.1:{port}/hooks" for port in ports)
    say(f"floor: {await floor(answering, options.number):,.0f} posts a second")
    async with opened(database) as services:
        made = await endpoint(services, answering, ("session.created",))
        await events(services, options.number, "session.created")
        say(f"deliveries: {options.number / await delivered(services):,.0f} a second")
        if "replay" in options.rows:
            await replay(services, made, options.number)
        if "dead" in options.rows:
            await beside_a_dead_one(services, silent)
    say(f"load average {os.getloadavg()[0]:.1f}")


async def delivered(services: Services) -> float:
    """In how many seconds everything that is due was delivered."""
    began = perf_counter()
    renewing = asyncio.create_task(renew_forever(services.hosts.worker.renew_leases, asyncio.sleep, "leases"))
    await services.hosts.worker.run_until_idle()
    renewing.cancel()
    return perf_counter() - began


async def replay(services: Services, endpoint_id: str, number: int) -> None:
    """From the host's call to the last delivery: every event of the log once more."""
    began = perf_counter()
    await services.hosts.endpoints.replay(TENANT, endpoint_id, 0.0, lambda _id: None)
    await services.worker.run_until_idle()
    inserted = perf_counter() - began
    await delivered(services)
    say(
        f"a replay of {number:,} events: {perf_counter() - began:.1f} s, of which {inserted:.1f} s to insert (goal: 60)"
    )


async def beside_a_dead_one(services: Services, silent: str) -> None:
    """How long an event takes to be delivered while another endpoint is dead and has 100,000 due."""
    dead = await endpoint(services, silent, ("session.opened",))
    await events(services, 100_000, "session.opened")
    running = asyncio.create_task(services.hosts.worker.run())
    await asyncio.sleep(2)
    delays = []
    for _ in range(20):
        began = perf_counter()
        await events(services, 1, "session.created")
        (row,) = await services.store.deliveries.list_page(await _other(services, dead), None, None, 1)
        while (await services.store.deliveries.get(row.id, TENANT)).status != "delivered":  # noqa: ASYNC110 - a poll
            await asyncio.sleep(0.005)
        delays.append(perf_counter() - began)
    middle, most = 1000 * sorted(delays)[10], 1000 * max(delays)
    say(f"beside 100,000 due at a dead endpoint: {middle:.0f} ms, at most {most:.0f} ms (goal: 1,000)")
    await services.hosts.worker.stop(0)
    await running


async def _other(services: Services, dead: str) -> str:
    found = await services.store.endpoints.enabled(TENANT)
    return next(one.id for one in found if one.id != dead)


def say(text: str) -> None:
    print(text, flush=True)  # noqa: T201 - its output


def run() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--number", type=int, default=10_000)
    parser.add_argument("--rows", nargs="*", choices=ROWS, default=ROWS, help="what is measured beside deliveries")
    parser.add_argument("--postgres", action="store_true")
    options = parser.parse_args()
    here, there = get_context("spawn").Pipe()
    receiver = get_context("spawn").Process(target=_serve, args=(there,), daemon=True)
    receiver.start()
    ports = here.recv()
    with (
        tempfile.TemporaryDirectory() as folder,
        running_postgres() if options.postgres else nullcontext() as server,
        server.migrated_database() if server else nullcontext(f"sqlite:///{folder}/bench.db") as database,
    ):
        uvloop.run(measure(database, options, ports))
    receiver.kill()


if __name__ == "__main__":
    run()

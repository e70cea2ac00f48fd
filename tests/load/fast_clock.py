"""The service, or the sandbox, as a process of its own whose time goes faster than ours: leases end within seconds.

`python -m tests.load.fast_clock service|sandbox --port P --speed 30 --since T`; settings come from the environment, as
for the commands. All processes of one run are given the same speed and the same beginning, so that they agree.
"""

import argparse
import asyncio
import os
import sys
from collections.abc import Callable
from dataclasses import replace
from time import monotonic, time  # noqa: TID251 - here the clocks are given out

import service.app
import service.sandbox.app
import service.sandbox.settings
import service.settings
from service.commands.server import AppServer, listen, run
from service.domain.model import Clock
from service.provider import CallLimits
from service.store import engine_for
from service.store.engine import Engine
from service.store.postgres import PostgresEngine

_NO_BILLS_SECONDS = 1e9


def main() -> None:
    options = _options()
    speed: float = options.speed
    since: float = options.since

    def clock() -> float:
        return since + (time() - since) * speed

    with listen("127.0.0.1", options.port, "--port") as listener:
        if options.server == "sandbox":
            # Bills decide nothing here, and making years of them for hundreds of connections would slow all answers:
            # at this speed a call that waits for four seconds counts as lost for good.
            theirs = replace(service.sandbox.settings.read(os.environ), data_delay_seconds=_NO_BILLS_SECONDS)
            run(
                lambda: [AppServer(service.sandbox.app.create_app(theirs, clock=clock), listener, date_header=False)],
                _ready,
            )
            return
        ours = service.settings.read(os.environ)
        run(lambda: [AppServer(service.app.create_app(ours, _environment(clock, speed)), listener)], _ready)


def _environment(clock: Clock, speed: float) -> service.app.Environment:
    def speed_up() -> float:
        return monotonic() * speed

    async def sleep(seconds: float) -> None:
        await asyncio.sleep(seconds / speed)

    limits = CallLimits(monotonic=speed_up, sleep=sleep)
    return service.app.Environment(clock=clock, monotonic=speed_up, sleep=sleep, engine=_engine(clock), limits=limits)


def _engine(clock: Clock) -> Callable[[str, Clock], Engine]:
    def open_engine(url: str, _clock: Clock) -> Engine:
        if url.startswith("postgresql:"):
            return PostgresEngine(url, clock)
        return engine_for(url, clock)

    return open_engine


def _ready() -> None:
    sys.stdout.write("ready\n")
    sys.stdout.flush()


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("server", choices=("service", "sandbox"))
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--speed", type=float, default=1.0)
    parser.add_argument("--since", type=float, default=0.0)
    return parser.parse_args()


if __name__ == "__main__":
    main()

"""Pressure on one address: wrk where it is installed, otherwise our own raw sockets in a process of their own.

`python -m tests.load.pressure` reads a `Shot` as JSON and writes what it measured; only the own generator runs so.
"""

import asyncio
import json
import re
import shutil
import subprocess
import sys
import tempfile
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from itertools import cycle
from pathlib import Path
from time import perf_counter

import uvloop

WRK = shutil.which("wrk")
HOW_TO_GET_IT = "wrk is not installed (Debian: apt-get install wrk); using our own generator, which is slower"
_UNITS = {"us": 0.001, "ms": 1.0, "s": 1000.0}


@dataclass(frozen=True, kw_only=True)
class Shot:
    """What to send, over how many connections, for how long.

    `each` are further headers, one set for every request in turn.
    """

    path: str
    port: int = 0
    method: str = "GET"
    headers: Mapping[str, str] = field(default_factory=dict)
    each: Sequence[Mapping[str, str]] = ()
    body: str = ""
    connections: int = 32
    seconds: float = 1.5


@dataclass(frozen=True)
class Measured:
    """Answers per second, and the 99th percentile of their times; `failed` are answers that were no success."""

    per_second: float
    p99_milliseconds: float
    failed: int


def press(shot: Shot) -> Measured:
    return _wrk(WRK, shot) if WRK else _own(shot)


def _wrk(program: str, shot: Shot) -> Measured:
    headers = "".join(f"wrk.headers{_lua(shot.headers, at)}\n" for at in shot.headers)
    with tempfile.NamedTemporaryFile("w", suffix=".lua") as script:
        script.write(f"wrk.method = '{shot.method}'\nwrk.body = {json.dumps(shot.body)}\n{headers}{_in_turn(shot)}")
        script.flush()
        options = ["-t1", f"-c{shot.connections}", f"-d{max(1, round(shot.seconds))}s", "--latency", "-s", script.name]
        command = [program, *options, f"http://127.0.0.1:{shot.port}{shot.path}"]
        reported = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    failed = re.search(r"Non-2xx or 3xx responses: (\d+)", reported)
    lost = re.search(r"Socket errors: connect (\d+), read (\d+), write (\d+), timeout (\d+)", reported)
    return Measured(
        float(_found(r"Requests/sec:\s+([\d.]+)", reported)[0]),
        _milliseconds(_found(r"99%\s+([\d.]+)(us|ms|s)", reported)),
        (int(failed[1]) if failed else 0) + (sum(map(int, lost.groups())) if lost else 0),
    )


def _lua(values: Mapping[str, str], name: str) -> str:
    return f"[{json.dumps(name)}] = {json.dumps(values[name])}"


def _in_turn(shot: Shot) -> str:
    """The script's part that sends the next of `each` with every request."""
    if not shot.each:
        return ""
    sets = ",\n".join("{" + ", ".join(_lua(headers, name) for name in headers) + "}" for headers in shot.each)
    return (
        f"local each, at = {{{sets}}}, 0\nrequest = function()\n  at = at % #each + 1\n"
        "  for name, value in pairs(each[at]) do wrk.headers[name] = value end\n  return wrk.format()\nend\n"
    )


def _found(pattern: str, text: str) -> tuple[str, ...]:
    match = re.search(pattern, text)
    assert match, text
    return match.groups()


def _milliseconds(parts: tuple[str, ...]) -> float:
    return float(parts[0]) * _UNITS[parts[1]]


def _own(shot: Shot) -> Measured:
    root = Path(__file__).parents[2]
    command = [sys.executable, "-m", "tests.load.pressure"]
    reported = subprocess.run(
        command, input=json.dumps(asdict(shot)), check=True, capture_output=True, text=True, cwd=root
    )
    return Measured(**json.loads(reported.stdout))


class _Caller(asyncio.Protocol):
    """One connection that asks again as soon as it is answered. Reads heads with a length, which is what we serve."""

    def __init__(self, requests: Iterator[bytes], times: deque[float]) -> None:
        self.failed = 0
        self._requests = requests
        self._times = times
        self._buffer = b""
        self._since = 0.0
        self._transport: asyncio.WriteTransport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.WriteTransport) or hasattr(transport, "write")
        self._transport = transport  # type: ignore[assignment]  # uvloop's own class is none of asyncio's
        self._ask()

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        head, end, rest = self._buffer.partition(b"\r\n\r\n")
        length = re.search(rb"(?i)\ncontent-length: *(\d+)", head)
        if not end or len(rest) < (int(length[1]) if length else 0):
            return
        self._times.append(perf_counter() - self._since)
        self.failed += head[9:10] not in b"23"
        self._buffer = b""
        self._ask()

    def close(self) -> None:
        if self._transport is not None:
            self._transport.close()

    def _ask(self) -> None:
        self._since = perf_counter()
        if self._transport is not None:
            self._transport.write(next(self._requests))


async def measure(shot: Shot) -> Measured:
    """The own generator, in this process."""
    times: deque[float] = deque()
    requests, loop = cycle(_request(shot, headers) for headers in shot.each or ({},)), asyncio.get_running_loop()
    callers = [
        (await loop.create_connection(lambda: _Caller(requests, times), "127.0.0.1", shot.port))[1]
        for _ in range(shot.connections)
    ]
    times.clear()
    began = perf_counter()
    await asyncio.sleep(shot.seconds)
    took, taken = perf_counter() - began, sorted(times)
    for caller in callers:
        caller.close()
    slowest = taken[int(len(taken) * 0.99)] if taken else 0.0
    return Measured(len(taken) / took, slowest * 1000, sum(caller.failed for caller in callers))


def _request(shot: Shot, more: Mapping[str, str]) -> bytes:
    headers = {"Host": f"127.0.0.1:{shot.port}", **shot.headers, **more, "Content-Length": str(len(shot.body.encode()))}
    lines = [
        f"{shot.method} {shot.path} HTTP/1.1",
        *(f"{name}: {value}" for name, value in headers.items()),
        "",
        shot.body,
    ]
    return "\r\n".join(lines).encode()


if __name__ == "__main__":
    print(json.dumps(asdict(uvloop.run(measure(Shot(**json.load(sys.stdin)))))))  # noqa: T201 - its only output

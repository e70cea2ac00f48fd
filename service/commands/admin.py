"""The commands that use a deployment's database and provider directly: `migrate`, `keys` and `doctor`."""

import secrets
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from operator import itemgetter
from time import time  # noqa: TID251 - commands pass the clocks on

import httpx

from service import store
from service.commands.provider_check import examine_provider
from service.commands.provider_probes import Finding
from service.domain.languages import ENGLISH
from service.domain.model import DEFAULT_TENANT
from service.domain.tokens import digest, key_id
from service.errors import BadSettings, MagiclinkError, NotFound, Unavailable
from service.settings import Settings
from service.store.engine import Engine
from service.store.keys import ApiKey, ApiKeyStore
from service.store.provider_state import ProviderStateStore
from service.store.signing_keys import signing_keys_in_use
from service.web.embed_script import EMBED_SCRIPTS, STATUS_SCRIPTS

_NAMED = 5
_KEY_PREFIX = "mlk_"  # by which a scanner of repositories, and the log's redaction, recognise a leaked key


@asynccontextmanager
async def _database(settings: Settings) -> AsyncIterator[Engine]:
    engine = store.engine_for(settings.database_url, time)
    try:
        await engine.open()
    except Unavailable as exc:
        raise Unavailable(f"{exc.detail}; check MAGICLINK_DATABASE_URL") from exc
    try:
        yield engine
    finally:
        await engine.close()


@asynccontextmanager
async def _migrated_database(settings: Settings) -> AsyncIterator[Engine]:
    """Open a database that is up to date: a mistyped address creates none, and nothing is migrated unasked."""
    if store.is_absent(settings.database_url):
        raise BadSettings(
            "The file of MAGICLINK_DATABASE_URL does not exist; correct the path, or create it with magiclink migrate"
        )
    async with _database(settings) as engine:
        if pending := await store.pending(engine):
            raise BadSettings(f"The database is {len(pending)} migrations behind; run magiclink migrate")
        yield engine


async def migrate(settings: Settings) -> Sequence[str]:
    """Apply the missing migrations and return their names. Raises Unavailable, NewerDatabase, BadSettings."""
    async with _database(settings) as engine:
        return await store.migrate(engine)


async def create_key(settings: Settings, name: str) -> str:
    """Create an API key and return it. Only its digest is stored, so it cannot be read again."""
    key = _KEY_PREFIX + secrets.token_urlsafe(32)
    async with _database(settings) as engine:
        if await store.is_new(engine):  # the first key may come before the first start
            await store.migrate(engine)
    async with _keys(settings) as keys:
        await keys.add(f"key_{secrets.token_hex(12)}", DEFAULT_TENANT, name, digest(key))
    return key


async def all_keys(settings: Settings) -> Sequence[ApiKey]:
    async with _keys(settings) as keys:
        return await keys.all()


async def revoke_key(settings: Settings, key_id: str) -> None:
    """Revoke a key. Raises NotFound."""
    async with _keys(settings) as keys:
        known = await keys.revoke(key_id)
    if not known:
        raise NotFound(f"There is no API key {key_id!r}; see magiclink keys list")


@asynccontextmanager
async def _keys(settings: Settings) -> AsyncIterator[ApiKeyStore]:
    async with _migrated_database(settings) as engine:
        yield ApiKeyStore(engine, time)


async def examine(
    settings: Settings, transport: httpx.AsyncBaseTransport | None = None, patience_seconds: float = 3.0
) -> list[Finding]:
    """Check everything that a deployment needs, and return findings that say how to fix what is wrong."""
    async with httpx.AsyncClient(transport=transport, trust_env=False) as http:
        provider = await examine_provider(settings, http, patience_seconds)
    return [*_settings_findings(settings), *await _database_findings(settings), *provider]


def _settings_findings(settings: Settings) -> list[Finding]:
    findings = [Finding("good", "settings", "complete and readable")]
    findings += [
        Finding(
            "good",
            f"{script.name}.js" if code == ENGLISH else f"{script.name}.js in {code}",
            f"pinned to this version: {script.tag(settings.public_url)}",
        )
        for scripts in (EMBED_SCRIPTS, STATUS_SCRIPTS)
        for code, script in scripts.by_language.items()
    ]
    if not settings.allowed_origins:
        says = "MAGICLINK_ALLOWED_ORIGINS is empty: no page can embed the flow, only the redirect flow works"
        findings.append(Finding("note", "origins", says))
    if not settings.provider_webhook_secrets:
        says = "MAGICLINK_PROVIDER_WEBHOOK_SECRETS is empty: changes are found by polling alone, so within a day"
        findings.append(Finding("note", "webhooks", says))
    return findings


async def _database_findings(settings: Settings) -> list[Finding]:
    unread = Finding("note", "webhook", "read from the database; repair that, and run doctor again", "not tested")
    try:
        async with _migrated_database(settings) as engine:
            await _check_writes(engine)
            last_at = await ProviderStateStore(engine, time).last_webhook_at()
            # `new_id` is not called: this only reads.
            found = store.Store(engine, clock=time, new_id=str, keys=settings.secret_keys)
            endpoints = _endpoint_findings(*await found.endpoints.unreadable())
            sessions = _signing_findings(settings, await signing_keys_in_use(engine, time))
    except MagiclinkError as exc:
        return [Finding("bad", "database", exc.detail), unread]
    database = Finding("good", "database", "reachable, up to date, and takes writes")
    return [database, _webhook_finding(settings, last_at), *endpoints, *sessions]


async def _check_writes(engine: Engine) -> None:
    try:
        await store.check_writes(engine)
    except Unavailable as exc:
        says = "The database takes no writes (it is full, read-only or locked), so /readyz and every write are 503"
        raise Unavailable(says) from exc


def _endpoint_findings(unreadable: Sequence[str], number: int) -> list[Finding]:
    if not number:
        return []
    if not unreadable:
        return [Finding("good", "endpoints", f"the secrets of all {number} webhook endpoints can be read")]
    some = ", ".join(unreadable[:_NAMED]) + (", …" if len(unreadable) > _NAMED else "")
    says = (
        f"MAGICLINK_SECRET_KEYS cannot read the secrets of {len(unreadable)} of {number} webhook endpoints, so nothing "
        f"is delivered to them: add the key that was taken away, or rotate their secrets: {some}"
    )
    return [Finding("bad", "endpoints", says)]


def _signing_findings(settings: Settings, in_use: Mapping[str, int]) -> list[Finding]:
    known = {key_id(key) for key in settings.secret_keys}
    unknown = sum(number for key, number in in_use.items() if key not in known)
    if not unknown:
        return []
    says = (
        f"links of open sessions ({unknown}) are signed with a key that MAGICLINK_SECRET_KEYS does not have here, so "
        "they are 404: give every process the same keys, and take none away while its sessions are open"
    )
    return [Finding("bad", "secret keys", says)]


def _webhook_finding(settings: Settings, last_at: float | None) -> Finding:
    if last_at is not None:
        return Finding("good", "webhook", f"the last verified webhook came at {_iso(last_at)}")
    if not settings.provider_webhook_secrets:
        says = "none has arrived; the route is disabled until MAGICLINK_PROVIDER_WEBHOOK_SECRETS is set"
        return Finding("note", "webhook", says)
    says = f"no verified webhook has arrived yet; add {settings.public_url}/webhooks/nectar in the provider's portal"
    return Finding("note", "webhook", says)


def as_row(key: ApiKey) -> dict[str, object]:
    """Return a key as `keys list` shows it."""
    return {
        "id": key.id,
        "name": key.name,
        "tenant": key.tenant,
        "createdAt": _iso(key.created_at),
        "revokedAt": None if key.revoked_at is None else _iso(key.revoked_at),
    }


def _iso(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


KEYS = tuple((name.upper(), itemgetter(name)) for name in ("id", "name", "tenant", "createdAt", "revokedAt"))
FINDINGS = tuple((name.upper(), itemgetter(name)) for name in ("level", "about", "tested", "says"))

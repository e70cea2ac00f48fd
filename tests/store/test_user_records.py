"""What is stored about a user: exported in one transaction with its event, erased in steps that may be repeated."""

from dataclasses import replace

import pytest

from service.domain.changes import Changes, JobKind
from service.domain.model import EvidenceKind, SessionId, Tenant, UserId, UserRef, Verdict
from service.domain.requests import IdempotentRequest, KeyLease
from service.errors import NotFound
from service.store import Store
from tests.support.domain_values import NOW, TENANT, connection, seen, who
from tests.support.store_cases import UNNAMED, count, create, created, fresh, numbered

ADA, ADAS = UserId("ada"), UserRef("usr_ada")
REF = UNNAMED.ref
KEY = KeyLease(TENANT, IdempotentRequest("/v1/sessions", "k", "digest"), "token")


async def stored_email(store: Store, session_id: str) -> str | None:
    sql = "SELECT user_email FROM sessions WHERE id = :id"
    (row,) = await store.engine.read(lambda tx: tx.all(sql, id=session_id))
    found: str | None = row["user_email"]
    return found


async def encrypt_all(store: Store) -> int:
    """Encrypt as the job does; return in how many transactions."""
    last, batches = await store.users.encrypt_emails(SessionId("")), 1
    while last is not None:
        last, batches = await store.users.encrypt_emails(last), batches + 1
    return batches


@pytest.mark.parametrize("tenant", [TENANT, Tenant("elsewhere")])
async def test_an_unknown_user_is_neither_exported_nor_erased(store: Store, tenant: Tenant) -> None:
    if tenant != TENANT:
        await create(store, fresh())
    with pytest.raises(NotFound):
        await store.users.export(tenant, ADA, "key_1")
    with pytest.raises(NotFound):
        await store.users.begin_erasure(tenant, ADA, "key_1")
    assert await count(store, "events", "type LIKE 'user.%'") == 0


async def test_a_users_connections_are_the_newest_that_the_provider_still_has(store: Store) -> None:
    owned = Verdict(EvidenceKind.INVITATION, who("ada"))
    await create(store, fresh())
    rows = [replace(connection(owned, reported=seen(f"c{n}"), recorded_at=NOW + n), company=REF) for n in range(102)]
    rows += [replace(connection(reported=seen("nobody's")), company=REF)]
    rows[101] = replace(rows[101], removed_at=5.0)
    await store.connections.change(REF, [], [], lambda _: Changes(connections=tuple(rows)))
    user, found = await store.users.status(TENANT, ADA)
    assert (user, [one.id for one in found]) == (ADAS, [f"c{n}" for n in range(100, 0, -1)])
    assert await store.users.connections_of(TENANT, ADAS) == found


async def test_a_user_of_another_tenant_and_an_erased_one_have_no_status(store: Store) -> None:
    await create(store, fresh())
    with pytest.raises(NotFound):
        await store.users.status(Tenant("elsewhere"), ADA)
    with pytest.raises(NotFound):
        await store.users.connections_of(Tenant("elsewhere"), ADAS)
    await store.users.begin_erasure(TENANT, ADA, "key_1")
    with pytest.raises(NotFound):
        await store.users.connections_of(TENANT, ADAS)


async def test_beginning_an_erasure_empties_the_row_and_enqueues_the_rest(store: Store) -> None:
    await create(store, fresh())
    assert await store.users.begin_erasure(TENANT, ADA, "key_1") == ADAS
    assert await count(store, "users", "user_id IS NOT NULL") == 0
    assert await count(store, "work", "kind = :kind AND ref = 'usr_ada'", kind=JobKind.ERASE.value) == 1
    assert await count(store, "events", "type = 'user.erased' AND user_ref = 'usr_ada'") == 1
    assert (await store.sessions.get(fresh().id)).closed
    assert not await store.users.is_erased(ADAS)


async def test_completing_an_erasure_deletes_answers_and_may_be_repeated(store: Store) -> None:
    made = await store.sessions.create(fresh(), created, KEY, lambda session: {"id": session.id, "userId": "ada"})
    assert made
    await store.users.begin_erasure(TENANT, ADA, "key_1")
    for _ in range(2):
        await store.users.complete_erasure(ADAS)
    assert await count(store, "idempotency") == 0
    assert await store.users.is_erased(ADAS)


async def test_who_is_not_erased_loses_no_row_for_good(store: Store) -> None:
    await create(store, fresh())
    await store.users.complete_erasure(ADAS)
    assert not await store.users.is_erased(ADAS)
    assert await store.users.ids([ADAS]) == {ADAS: ADA}


async def test_an_export_reads_the_users_own_rows(store: Store) -> None:
    made = await create(store, fresh(user_email="ada@example.com"))
    await create(store, fresh("bob"))
    await numbered(store)
    found = await store.users.export(TENANT, ADA, "key_1")
    assert [(session.id, session.user_email) for session, _ in found.sessions] == [(made.id, "ada@example.com")]
    assert [(event.type, event.user_id) for event in found.events] == [("session.created", "ada")]
    assert (found.user, found.user_id, found.created_at) == (ADAS, "ada", made.created_at)


async def test_addresses_that_were_stored_as_they_are_get_encrypted(store: Store) -> None:
    for user in ("ada", "bob"):
        await create(store, fresh(user, user_email=f"{user}@example.com" if user == "ada" else None))
    await store.engine.write(
        lambda tx: tx.run("UPDATE sessions SET user_email = 'ada@example.com' WHERE id = 'ses_ada'")
    )
    assert (await store.sessions.get(SessionId("ses_ada"))).user_email == "ada@example.com"
    await encrypt_all(store)
    encrypted = await stored_email(store, "ses_ada")
    assert encrypted is not None
    assert "ada" not in encrypted
    assert (await store.sessions.get(SessionId("ses_ada"))).user_email == "ada@example.com"
    assert await stored_email(store, "ses_bob") is None
    await encrypt_all(store)
    assert await stored_email(store, "ses_ada") == encrypted


async def test_addresses_are_encrypted_in_batches(store: Store) -> None:
    for number in range(3):
        await create(store, fresh(name=f"ses_{number}", user_email="ada@example.com"))
    assert await encrypt_all(store) == 2

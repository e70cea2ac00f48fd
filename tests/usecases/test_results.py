"""The state that a confirmed result names where its connection is gone; whole use cases are in integration/."""

from pathlib import Path

from service.domain.model import ConnectionId, UserId
from service.domain.runtime import Runtime
from service.domain.tokens import SessionResult
from service.signing import Signer
from service.store import Store
from service.store.sqlite import SqliteEngine
from service.usecases.results import Results
from tests.support.clock import Clock
from tests.support.domain_values import NOW, TENANT, session

SIGNER = Signer(["k" * 32])


async def test_a_connection_that_is_not_stored_has_no_state(tmp_path: Path) -> None:
    clock, counted = Clock(NOW), list[str]()
    runtime = Runtime(clock.now, lambda prefix: f"{prefix}_1")
    store = Store(
        SqliteEngine(str(tmp_path / "results.db"), clock.now), clock=clock.now, new_id=runtime.new_id, keys=("k" * 32,)
    )
    await store.open()
    known = SessionResult(session().id, TENANT, UserId("ada"), "connected", ConnectionId("con_gone"), int(NOW))
    results = Results(store, SIGNER, runtime, counted.append)
    confirmed, state = await results.verify(SIGNER.sign_result(known), TENANT, UserId("ada"))
    assert (confirmed, state, counted) == (known, None, ["confirmed"])
    await store.close()

"""A newer version works on the same database meanwhile, and stores what this one does not know yet."""

import json

import pytest

from tests.support.services import RunningServices
from tests.support.users import User

THEME = {"accent": "#0b6b5a", "font": "serif"}


@pytest.mark.parametrize(("column", "stored"), [("theme", json.dumps(THEME)), ("provider_steps", "viewed consented")])
async def test_what_a_newer_version_stored_beside_the_known_is_left_out_and_kept(
    services: RunningServices, ada: User, column: str, stored: str
) -> None:
    page = await ada.frame()
    sql = f"UPDATE sessions SET {column} = :stored WHERE id = :id"  # noqa: S608 - the test's own words
    await services.parts.store.engine.write(lambda tx: tx.run(sql, stored=stored, id=page.id))
    session = await services.parts.store.sessions.get(page.session["id"])
    assert (session.theme.accent, session.provider_steps) in {("#0b6b5a", ()), (None, ("viewed",))}
    await services.later(20)
    assert (await page.view())["status"] == "opened"
    rows = await services.parts.store.engine.read(lambda tx: tx.all("SELECT * FROM sessions"))
    assert [row[column] for row in rows] == [stored]

"""The recipe of docs/integrate.md for native apps: a redirect flow that ends at an address of the app's own scheme."""

import json
from urllib.parse import parse_qs, urlsplit

from service.settings import read
from tests.support.clock import Clock
from tests.support.documents import DOCS, examples
from tests.support.services import RunningServices, refused
from tests.support.users import TopPage

HEADING = "Apps: web views and app schemes"
SETTING = "MAGICLINK_ALLOWED_ORIGINS"
SCHEME = "com.example.app:"


def _allowed_origins() -> tuple[str, ...]:
    """As the document sets it."""
    (setting,) = (part for part in (DOCS / "integrate.md").read_text().split("`") if part.startswith(f"{SETTING}="))
    others = {"MAGICLINK_SECRET_KEYS": "k" * 32, "MAGICLINK_PUBLIC_URL": "https://link.example.com"}
    settings = others | {"MAGICLINK_PROVIDER_API_KEY": "key", SETTING: setting.partition("=")[2]}
    return read(settings).allowed_origins


async def test_the_recipe_works_and_another_app_that_sees_the_result_cannot_use_it(
    clock: Clock, database_url: str
) -> None:
    services = RunningServices(clock, database_url, allowed_origins=_allowed_origins())
    await services.open()
    (body,) = examples("integrate.md", HEADING)
    session = await services.post("/v1/sessions", json.loads(body))
    await services.drain()
    page = TopPage(services, session)
    await page.press_start()
    await page.connect()
    returned = urlsplit((await page.finish()).headers["location"])
    assert f"{returned.scheme}:{returned.path}" == f"{SCHEME}/utilities/done"
    state = parse_qs(returned.query)["state"][0]
    for user_id, status in {"mallory": 422, "ada": 200}.items():
        answer = await services.host.post("/v1/verify", json={"state": state, "userId": user_id})
        assert answer.status_code == status
    stranger = await services.stranger()
    refused(await stranger.post("/v1/verify", json={"state": state, "userId": "ada"}), 422, "invalid_request", "/state")
    await services.close()

"""How soon a user sees our first panel, what that costs, and whether anything moves meanwhile.

A busy machine decides about times, so they have wide bounds here: `make first-panel` prints the exact figures.
"""

import re
from urllib.parse import quote

from playwright.async_api import Page, expect

from tests.support.browser_services import Api
from tests.support.browser_user import BrowserUser, NewUser
from tests.support.first_panel import LINE, SHIFT, WATCH, open_cold, open_prepared, prepare, shifts
from tests.support.slow_line import slow_line

BUSY_MILLISECONDS = 5_000
SLACK_PX = 24
BEFORE_THE_PANEL = re.compile(r"^(embed/[^/]+|static/(\w+/page|theme-[\w-]+)\.css)$")
SLACK = """() => {
    const parts = [...document.querySelectorAll("#flow > .bar, .stage > .panel")].filter((one) => one.offsetHeight);
    return innerHeight - parts.reduce((sum, one) => sum + one.getBoundingClientRect().height, 0);
}"""


async def _at_the_host(user: BrowserUser, host: str, *, element: str = "") -> Page:
    await user.page.add_init_script(WATCH)
    script = f"<script src='{user.services.service}/embed.js'></script>"
    await user.page.goto(f"{host}/content?{quote(f'<body>{script}<h1>Host</h1>{element}<p>Below')}")
    return user.page


async def test_over_a_slow_line_the_first_panel_needs_the_page_and_its_sheet_only(
    new_user: NewUser, api: Api, other_host: str
) -> None:
    async with slow_line(*LINE) as (proxy, _):
        ada = await new_user(proxy={"server": proxy, "bypass": "<-loopback>"})
        page = await _at_the_host(ada, other_host)
        url = (await api.create("ada", "first-panel", origin=other_host))["embedUrl"]
        seen = await open_cold(page, url)
        await expect(ada.embedded.heading("Preparing a secure page…")).to_be_attached()
        assert seen.milliseconds < BUSY_MILLISECONDS
        sheets = [path for path in seen.requests if path.startswith("embed/") or path.endswith(".css")]
        assert [path for path in sheets if not BEFORE_THE_PANEL.match(path)] == []
        # Two round trips after the connection: the page, then its sheets at once. Nothing else stops the drawing.
        blocking = await seen.frame.evaluate(
            "performance.getEntriesByType('resource').filter((one) => one.renderBlockingStatus === 'blocking')"
            ".map((one) => new URL(one.name).pathname)"
        )
        assert blocking
        assert [path for path in blocking if not BEFORE_THE_PANEL.match(path.removeprefix("/"))] == []
        await page.context.close()


async def test_a_prepared_dialog_shows_without_a_request_before_its_start_and_has_spent_nothing(
    new_user: NewUser, api: Api, other_host: str
) -> None:
    ada = await new_user()
    page = await _at_the_host(ada, other_host)
    session = await api.create("ada", "prepared", origin=other_host, prepare="background")
    posts: list[str] = []
    page.on("request", lambda request: posts.append(request.url) if request.method == "POST" else None)
    frame = await prepare(page, session["embedUrl"])
    assert posts == []
    events = (await api.service("GET", f"/v1/sessions/{session['id']}/events"))["data"]
    assert {event["type"] for event in events} <= {"session.created", "session.link_ready"}
    assert (await api.session(session["id"]))["status"] == "created"
    seen = await open_prepared(page, session["embedUrl"], frame)
    assert seen.milliseconds < BUSY_MILLISECONDS
    assert [path for path in seen.requests if not re.search(r"/(start|live/|static/.*ticks-worker)|/p/i/", path)] == []


async def test_nothing_moves_on_either_page_and_own_states_have_no_slack(
    new_user: NewUser, api: Api, other_host: str
) -> None:
    ada = await new_user()
    url = (await api.create("ada", "layout", origin=other_host))["embedUrl"]
    page = await _at_the_host(ada, other_host)
    await page.evaluate("(url) => { window.flow = MagicLink.open({ url }); }", url)
    flow = ada.embedded
    await flow.opens()
    await flow.press("I have finished")
    await flow.shows("Nothing has arrived yet.")
    await _has_no_slack(page)
    await flow.press("Back to the secure page")
    await flow.provider.connect()
    await flow.shows("Your account is connected.")
    await _has_no_slack(page)
    moved = await shifts(page)
    assert set(moved) == {"host", "ours"}
    assert {name: sum(share for _, share, *_ in moves) <= SHIFT for name, moves in moved.items()} == {
        "host": True,
        "ours": True,
    }, moved


async def _has_no_slack(page: Page) -> None:
    """The frame gets its height by a message, so it may take a moment."""
    (ours,) = [one for one in page.frames if "/embed/" in one.url]
    await ours.wait_for_function(f"({SLACK})() <= {SLACK_PX} && ({SLACK})() >= 0")

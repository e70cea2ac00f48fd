"""How soon our first panel is seen on a host's page, measured in Chromium: cold over a slow line, and prepared."""

from dataclasses import dataclass
from typing import Any

from playwright.async_api import Frame, Page, Request

MEGABITS, ROUND_TRIP_SECONDS = 9.0, 0.060
LINE = (MEGABITS * 1_000_000, ROUND_TRIP_SECONDS)
COLD_MILLISECONDS, PREPARED_MILLISECONDS, SHIFT = 800, 100, 0.02
# When the frame drew something, and how much has moved on this page, by one clock for all processes.
WATCH = """
    window.moves = [];
    new PerformanceObserver((list) => {
        for (const { value, hadRecentInput, startTime, sources } of list.getEntries()) {
            if (hadRecentInput) continue;
            const name = ({ node }) => `${node?.nodeName}.${node?.className}`;
            window.moves.push([Math.round(startTime), value, ...sources.map(name)]);
        }
    }).observe({ type: "layout-shift", buffered: true });
    window.paintedAt = new Promise((done) => {
        new PerformanceObserver((list) => {
            const [first] = list.getEntriesByName("first-contentful-paint");
            if (first) done(performance.timeOrigin + first.startTime);
        }).observe({ type: "paint", buffered: true });
    });
    const now = () => performance.timeOrigin + performance.now();
    window.drawnAt = new Promise((done) => requestAnimationFrame(() => done(now())));
"""
# The browser also counts what it lays out before it paints anything.
SEEN_MOVES = """() => {
    const [first] = performance.getEntriesByName("first-paint");
    return window.moves.filter(([at]) => first && at >= first.startTime);
}"""
OPEN = """(url) => {
    const clickedAt = performance.timeOrigin + performance.now();
    window.flow = MagicLink.open({ url });
    return clickedAt;
}"""


@dataclass(frozen=True)
class FirstPanel:
    """`requests`: what the frame had asked for by then, in order, without the origin."""

    milliseconds: float
    requests: tuple[str, ...]
    frame: Frame


async def open_cold(page: Page, url: str) -> FirstPanel:
    """Open a dialog on a page that has our script, but has loaded nothing of the frame."""
    asked: list[str] = []
    path = url.split("/embed/")[1]

    def keep(request: Request) -> None:
        asked.append(request.url)

    page.on("request", keep)
    async with page.expect_event("framenavigated", lambda frame: path in frame.url, timeout=20_000) as navigated:
        clicked_at = await page.evaluate(OPEN, url)
    frame = await navigated.value
    painted_at: float = await frame.evaluate("window.paintedAt")
    page.remove_listener("request", keep)
    paths = [address.partition("//")[2].partition("/")[2].partition("?")[0] for address in asked]
    return FirstPanel(painted_at - clicked_at, tuple(paths), frame)


async def prepare(page: Page, url: str) -> Frame:
    """Prepare the flow; return its hidden frame once it has loaded."""
    path = url.split("/embed/")[1]
    async with page.expect_event("framenavigated", lambda frame: path in frame.url, timeout=20_000) as navigated:
        await page.evaluate("(url) => { window.flow = MagicLink.prepare(url); }", url)
    frame: Frame = await navigated.value
    await frame.wait_for_load_state("load")
    return frame


async def open_prepared(page: Page, url: str, frame: Frame) -> FirstPanel:
    """Open it; a frame in a closed dialog draws nothing, so its first frame is the one that is seen."""
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    clicked_at = await page.evaluate(OPEN, url)
    drawn_at: float = await frame.evaluate("window.drawnAt")
    return FirstPanel(drawn_at - clicked_at, tuple(asked), frame)


async def shifts(page: Page) -> dict[str, list[list[Any]]]:
    """What has moved without the user's doing, by page: the host's, and ours in its frame.

    Each is the time, the share by the browser's own measure, and the elements.
    """
    found: dict[str, list[list[Any]]] = {}
    for frame in page.frames:
        if frame is page.main_frame or "/embed/" in frame.url:
            found["host" if frame is page.main_frame else "ours"] = await frame.evaluate(SEEN_MOVES)
    return found

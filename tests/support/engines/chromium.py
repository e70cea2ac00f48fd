"""Chromium by Playwright, behind the interface of the other two, so that one walk serves all three."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from playwright.async_api import Browser, ConsoleMessage, ElementHandle, Error, Frame, Page, async_playwright

from tests.support.chromium import whole_arguments
from tests.support.engines.driven_browser import BrowserError, DrivenBrowser

PRIVACY = {"default": True, "strict": False}  # whether frames of another site may store anything
_CALL = "(args) => (function () {{ {} }}).apply(null, args)"


class Chromium(DrivenBrowser):
    """A Chromium with one context."""

    name = "chromium"

    def __init__(self, browser: Browser, page: Page) -> None:
        self._browser, self._said = browser, list[str]()
        page.context.on("console", self._listen)
        page.context.on("weberror", lambda error: self._said.append(str(error.error)))
        self._use(page)

    def _use(self, page: Page) -> None:
        self._page: Page = page
        self._frame: Frame = page.main_frame

    def _listen(self, message: ConsoleMessage) -> None:
        if message.type in {"error", "warning"}:
            self._said.append(message.text)

    async def go(self, url: str) -> None:
        await self._page.goto(url)

    async def back(self) -> None:
        await self._page.go_back(wait_until="commit")

    async def reload(self) -> None:
        await self._page.reload(wait_until="commit")

    async def enter(self, element: Any | None) -> None:
        frame = await element.content_frame() if element else self._page.main_frame
        if frame is None:
            raise BrowserError("not a frame")
        self._frame = frame

    async def evaluate(self, script: str, *args: Any) -> Any:
        try:
            return await self._frame.evaluate(_CALL.format(script), list(args))
        except Error as exc:
            raise BrowserError(exc.message) from exc

    async def find(self, script: str, *args: Any) -> Any | None:
        try:
            return (await self._frame.evaluate_handle(_CALL.format(script), list(args))).as_element()
        except Error as exc:
            raise BrowserError(exc.message) from exc

    async def press(self, element: ElementHandle) -> None:
        try:
            await element.click(timeout=2_000)
        except Error as exc:
            raise BrowserError(exc.message) from exc

    async def write(self, text: str) -> None:
        await self._page.keyboard.type(text)

    async def open_window(self) -> str:
        before = self._page.context.pages.index(self._page)
        self._use(await self._page.context.new_page())
        return str(before)

    async def use_window(self, name: str) -> None:
        self._use(self._page.context.pages[int(name)])
        await self._page.bring_to_front()

    async def close_window(self, name: str) -> None:
        await self._page.close()
        await self.use_window(name)

    async def picture(self, path: Path) -> None:
        await self._page.screenshot(path=path)

    async def console(self) -> list[str]:
        said, self._said = self._said, []
        return said

    async def quit(self) -> None:
        await self._browser.close()


@asynccontextmanager
async def running_chromium(path: str, privacy: str = "default", *, dark: bool = False) -> AsyncIterator[Chromium]:
    """Start it; `dark`: the system's colour scheme."""
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(
            executable_path=path, args=whole_arguments(storage_allowed=PRIVACY[privacy])
        )
        context = await browser.new_context(
            viewport={"width": 1280, "height": 900}, color_scheme="dark" if dark else "light"
        )
        driven = Chromium(browser, await context.new_page())
        yield driven
        await driven.quit()

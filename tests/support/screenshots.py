"""Every page at two widths, light and dark: what axe finds, if it is wider than the window, and a picture if wanted.

Without pictures each width and each scheme is shown once, wide in the light and narrow in the dark: a check takes a
third of a second, and widths change no colours. `make pictures` checks all four.
"""

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from axe_playwright_python.base import AXE_SCRIPT  # type: ignore[import-untyped]  # brings no types
from playwright.async_api import Error, Frame, Page

WIDTHS = (1280, 320)
SCHEMES = ("light", "dark")
_SECONDS = 20.0
# A frame that is hidden paints nothing, and is not waited for.
PAINTED = """() => new Promise((done) => {
    requestAnimationFrame(() => requestAnimationFrame(done));
    setTimeout(done, 100);
})"""
IN_SCHEME = "(scheme) => getComputedStyle(document.documentElement).colorScheme.includes(scheme)"
TOO_WIDE = "() => document.scrollingElement.scrollWidth > innerWidth"
# The scheme changes colours and nothing else, so that in another one only what depends on them is checked again.
OF_COLOURS: dict[str, Any] = {"runOnly": ["color-contrast", "link-in-text-block"]}
AXE = "(options) => axe.run(document, {resultTypes: ['violations'], iframes: false, ...options})"


class Screenshots:
    """Checks pages; keeps a picture of each in a folder, if there is one."""

    def __init__(self, folder: Path | None) -> None:
        self._folder = folder
        if folder is not None:
            folder.mkdir(parents=True, exist_ok=True)

    async def show(self, page: Page, name: str, frames: Sequence[Frame] = (), widths: Sequence[int] = WIDTHS) -> None:
        """One page as it stands, at each width, light or dark; `frames`: those of its frames to check in its place."""
        shown, before = frames or [page.main_frame], page.viewport_size
        found: list[str] = []
        for frame in shown:  # a press returns when the next page begins, which may have nothing yet
            await frame.wait_for_load_state("domcontentloaded")
        for width, schemes in self._looks(widths):
            await page.set_viewport_size({"width": width, "height": 900 if width > 600 else 700})
            await resized(page)
            for scheme in schemes:
                await page.emulate_media(color_scheme="dark" if scheme == "dark" else "light")
                await _in_scheme(shown, scheme)
                await painted(page)
                picture = f"{name}-{width}-{scheme}"
                if self._folder is not None:
                    path = self._folder / f"{picture}.png"
                    await page.screenshot(path=path, full_page=not frames, animations="disabled")
                rules = {} if scheme == schemes[0] else OF_COLOURS
                for frame in shown:
                    found += [f"{picture}: {fault}" for fault in await _faults(frame, rules)]
        if before:
            await page.set_viewport_size(before)
            await resized(page)
            await painted(page)
        assert found == [], "\n".join(found)

    def _looks(self, widths: Sequence[int]) -> list[tuple[int, Sequence[str]]]:
        """The widths, and the schemes of each: all, or where there are as many widths one of each."""
        if self._folder is not None or len(widths) != len(SCHEMES):
            return [(width, SCHEMES) for width in widths]
        return [(width, [scheme]) for width, scheme in zip(widths, SCHEMES, strict=True)]


async def resized(page: Page) -> None:
    """Waits until each frame has its new width: our page decides by it whether the provider is framed.

    A frame runs in a process of its own and learns of it after its parent; on a busy machine that takes seconds.
    """
    async with asyncio.timeout(_SECONDS):
        for frame in page.frames[1:]:
            with suppress(Error):  # a frame may go when the window changes
                while not await _has_its_width(frame):  # noqa: ASYNC110 - another process decides
                    await asyncio.sleep(0.02)


async def _has_its_width(frame: Frame) -> bool:
    """A frame that is hidden has no width, and is not waited for."""
    element = await frame.frame_element()
    width = int(await element.evaluate("(frame) => frame.clientWidth"))
    return not width or abs(width - int(await frame.evaluate("() => innerWidth"))) <= 1


async def _in_scheme(frames: Sequence[Frame], scheme: str) -> None:
    """Waits until each is in the scheme: the host's page sends it to a frame, which loads a stylesheet for it then."""
    async with asyncio.timeout(_SECONDS):
        for frame in frames:
            while not await frame.evaluate(IN_SCHEME, scheme):  # noqa: ASYNC110 - another process decides
                await asyncio.sleep(0.02)


async def painted(page: Page) -> None:
    for frame in page.frames:
        with suppress(Error):  # a frame may go when the window changes
            await frame.evaluate(PAINTED)


async def _faults(frame: Frame, rules: dict[str, Any]) -> list[str]:
    if not await frame.evaluate("() => 'axe' in window"):
        await frame.evaluate(AXE_SCRIPT)
    results = await frame.evaluate(AXE, rules)
    faults = [
        f"{violation['id']}: {node['html'][:200]}" for violation in results["violations"] for node in violation["nodes"]
    ]
    return [*faults, *(["wider than the window"] if await frame.evaluate(TOO_WIDE) else [])]

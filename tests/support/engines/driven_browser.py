"""What each engine's driver can do: run a script in a frame, press, type, and take pictures."""

import asyncio
import base64
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, TypeVar

WAIT_SECONDS = 30.0  # a busy machine is not a failure
ELEMENT_KEY = "element-6066-11e4-a52e-4f735466cecf"  # Reference: w3.org/TR/webdriver2, "web element identifier"
_PAUSE_SECONDS = 0.05
_Result = TypeVar("_Result")

# The selector of one frame; " >>> " goes into a shadow root, which `querySelector` does not.
_FRAME = """
    const into = (root, css, depth) => (depth ? root?.shadowRoot : root)?.querySelector(css);
    return arguments[0].split(" >>> ").reduce(into, document);
"""
Frames = tuple[str, ...]


def keep_picture(path: Path, encoded: str) -> None:
    """Write a screenshot, which both protocols give in base 64."""
    path.write_bytes(base64.b64decode(encoded))


class BrowserError(Exception):
    """The browser refused a command, for instance since the frame or the element has just gone."""


class DrivenBrowser(ABC):
    """One browser with one window at hand. `frames` are selectors, one for each frame from the page down."""

    name: str

    @abstractmethod
    async def go(self, url: str) -> None:
        """Open an address in this window, and wait until it has loaded."""

    @abstractmethod
    async def back(self) -> None:
        """Go back in the window's history."""

    @abstractmethod
    async def reload(self) -> None:
        """Load the page again."""

    @abstractmethod
    async def enter(self, element: Any | None) -> None:
        """Make this frame the one at hand; None is the page itself."""

    @abstractmethod
    async def evaluate(self, script: str, *args: Any) -> Any:
        """Return what a function with this body returns, in the frame at hand."""

    @abstractmethod
    async def find(self, script: str, *args: Any) -> Any | None:
        """Return the element that a function with this body returns, if it does."""

    @abstractmethod
    async def press(self, element: Any) -> None:
        """Press the element with the mouse."""

    @abstractmethod
    async def write(self, text: str) -> None:
        """Press these keys; the element that has the focus gets them."""

    @abstractmethod
    async def open_window(self) -> str:
        """Open another window, make it the one at hand, and return the name of the one before."""

    @abstractmethod
    async def use_window(self, name: str) -> None:
        """Make another window the one at hand."""

    @abstractmethod
    async def close_window(self, name: str) -> None:
        """Close the window at hand, and use this one."""

    @abstractmethod
    async def picture(self, path: Path) -> None:
        """Keep what the window shows as a PNG."""

    @abstractmethod
    async def console(self) -> list[str]:
        """Return the errors and warnings of all pages since the last call."""

    async def crashes(self) -> int:
        """How many processes of pages have crashed since the start, where the driver knows."""
        return 0

    async def repeat_scheme(self, *, dark: bool) -> None:  # noqa: B027 - as above
        """Send all pages the system's colour scheme once more, where the driver can."""

    @abstractmethod
    async def quit(self) -> None:
        """End the browser."""

    async def inside(
        self, frames: Frames, act: Callable[[], Awaitable[_Result]], seconds: float = WAIT_SECONDS
    ) -> _Result:
        """Run `act` in a frame. Wait until each frame is there, and start over where one goes meanwhile.

        A command is never cancelled: its answer would be taken for that of the next.
        """
        clock = asyncio.get_running_loop().time
        deadline = clock() + seconds
        while True:
            try:
                await self.enter_all(frames)
                return await act()
            except BrowserError:
                if clock() > deadline:
                    raise
                await asyncio.sleep(_PAUSE_SECONDS)

    async def enter_all(self, frames: Frames) -> None:
        """Make the frame at the end of these the one at hand."""
        await self.enter(None)
        for css in frames:
            await self.enter(await self.frame(css))

    async def frame(self, css: str) -> Any:
        """Return the element of a frame. Raises BrowserError where there is none."""
        element = await self.find(_FRAME, css)
        if element is None:
            raise BrowserError(f"no frame {css}")
        return element

    async def js(self, frames: Frames, script: str, *args: Any) -> Any:
        """Return what a function with this body returns, in a frame."""
        return await self.inside(frames, lambda: self.evaluate(script, *args))

    async def until(self, frames: Frames, script: str, *args: Any, seconds: float = WAIT_SECONDS) -> Any:
        """Wait until the function returns something true in a frame, and return it."""

        async def once() -> Any:
            if not (value := await self.evaluate(script, *args)):
                raise BrowserError("not yet")
            return value

        try:
            return await self.inside(frames, once, seconds)
        except BrowserError as exc:
            raise AssertionError(f"{self.name}: never came: {script.strip()} {args} in {frames}") from exc

    async def click(self, frames: Frames, script: str, *args: Any) -> None:
        """Press the element that the function returns, once it does."""

        async def once() -> None:
            if (element := await self.find(script, *args)) is None:
                raise BrowserError(f"{self.name}: nothing to press: {args}")
            await self.show(element, frames)
            await self.press(element)

        await self.inside(frames, once)

    async def show(self, element: Any, frames: Frames) -> None:  # noqa: B027 - most drivers scroll by themselves
        """Scroll until the element is in sight, where the driver does not."""

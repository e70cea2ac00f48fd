"""WebKitGTK's small browser by W3C WebDriver, on a screen of its own that nobody sees."""

import asyncio
import os
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import httpx

from tests.support.engines.driven_browser import ELEMENT_KEY, BrowserError, DrivenBrowser, Frames, keep_picture

MINI_BROWSER = "*/webkit2gtk-4.1/MiniBrowser"  # in /usr/lib; the library brings it
PRIVACY = {"default": (), "strict": ("--enable-itp",)}
_START_SECONDS = 30.0
_CALL_SECONDS = 10.0
_PAINTED_SECONDS = 0.08
_SCROLL = """
    const [element] = arguments;
    element.scrollIntoView({ block: "center", behavior: "instant" });
    return element.getBoundingClientRect().top > innerHeight / 2;
"""
_SCROLL_FRAME = "arguments[0].scrollIntoView({ block: arguments[1], behavior: 'instant' })"


class WebKit(DrivenBrowser):
    """A WebKitGTK window."""

    name = "webkit"

    def __init__(self, http: httpx.AsyncClient) -> None:
        self._http, self._session = http, ""

    async def start(self, binary: str, arguments: tuple[str, ...]) -> None:
        """Begin the session, which opens the window."""
        options = {
            "binary": binary,
            "args": ["--automation", "--enable-write-console-messages-to-stdout=true", *arguments],
        }
        # The driver waits for ever for a page that comes from the back-forward cache: `go` waits itself.
        always = {"acceptInsecureCerts": True, "pageLoadStrategy": "none", "webkitgtk:browserOptions": options}
        answer = await self._call("POST", "/session", {"capabilities": {"alwaysMatch": always}})
        self._session = f"/session/{answer['sessionId']}"
        await self._post("/timeouts", {"pageLoad": 60_000, "script": 5_000})

    async def _call(self, method: str, path: str, body: Any = None) -> Any:
        try:
            answer = await self._http.request(method, path, json=(body or {}) if method == "POST" else None)
        except httpx.TimeoutException as exc:
            raise BrowserError(f"{path}: no answer") from exc  # the page went into the back-forward cache meanwhile
        value = answer.json()["value"]
        if answer.is_error:
            raise BrowserError(f"{path}: {value['error']}: {value['message']}")
        return value

    async def _post(self, path: str, body: Any = None) -> Any:
        return await self._call("POST", self._session + path, body)

    async def go(self, url: str) -> None:
        await self._replace("/url", {"url": url})

    async def back(self) -> None:
        # The driver's own command waits for a page that loads: none does where a frame goes back.
        await self.enter(None)
        await self.evaluate("setTimeout(() => history.back())")

    async def reload(self) -> None:
        await self._replace("/refresh")

    async def _replace(self, path: str, body: Any = None) -> None:
        """Load another page in place of this one, which gets a mark, and wait until it is there."""
        await self.enter(None)
        await self.evaluate("window.isBeforeReplaced = true")
        await self._post(path, body)
        await self.until((), "return !window.isBeforeReplaced && document.readyState === 'complete'")

    async def enter(self, element: Any | None) -> None:
        await self._post("/frame", {"id": element})

    async def evaluate(self, script: str, *args: Any) -> Any:
        return await self._post("/execute/sync", {"script": script, "args": list(args)})

    async def find(self, script: str, *args: Any) -> Any | None:
        return await self.evaluate(script, *args)

    async def press(self, element: Any) -> None:
        await self._post(f"/element/{element[ELEMENT_KEY]}/click")

    async def show(self, element: Any, frames: Frames) -> None:
        # The driver presses where the element was before it scrolled, and scrolls nothing around a foreign frame.
        lower = await self.evaluate(_SCROLL, element)
        if frames:
            await self.enter_all(frames[:-1])
            await self.evaluate(_SCROLL_FRAME, await self.frame(frames[-1]), "end" if lower else "start")
            await self.enter_all(frames)
        await asyncio.sleep(_PAINTED_SECONDS)

    async def write(self, text: str) -> None:
        # Keys, since `element/value` says of a field in a frame of another origin that it cannot have the focus.
        keys = [{"type": kind, "value": letter} for letter in text for kind in ("keyDown", "keyUp")]
        await self._post("/actions", {"actions": [{"type": "key", "id": "keyboard", "actions": keys}]})

    async def open_window(self) -> str:
        before = await self._call("GET", f"{self._session}/window")
        made = await self._post("/window/new", {"type": "window"})
        await self.use_window(made["handle"])
        return str(before)

    async def use_window(self, name: str) -> None:
        await self._post("/window", {"handle": name})

    async def close_window(self, name: str) -> None:
        await self._call("DELETE", f"{self._session}/window")
        await self.use_window(name)

    async def picture(self, path: Path) -> None:
        await self.enter(None)
        await asyncio.sleep(0.5)  # the picture is of the last frame painted, which may be the one before
        for _ in range(2):
            png = await self._call("GET", f"{self._session}/screenshot")
        keep_picture(path, png)

    async def console(self) -> list[str]:
        return []  # it prints none while it is driven, and its driver has no command for it

    async def quit(self) -> None:
        await self._call("DELETE", self._session)


@asynccontextmanager
async def running_webkit(driver: str, privacy: str = "default", *, dark: bool = False) -> AsyncIterator[WebKit]:
    """Start the driver and its browser; `dark`: the system's colour scheme."""
    arguments = (*PRIVACY[privacy], *(("--dark-mode",) if dark else ()))
    with TemporaryDirectory(prefix="webkit", ignore_cleanup_errors=True) as folder:
        async with (
            _screen() as display,
            _driver(driver, display, folder) as address,
            httpx.AsyncClient(base_url=address, timeout=_CALL_SECONDS) as http,
        ):
            browser = WebKit(http)
            await browser.start(_browser(), arguments)
            yield browser
            await browser.quit()


def _browser() -> str:
    return str(next(Path("/usr/lib").glob(MINI_BROWSER)))


@asynccontextmanager
async def _screen() -> AsyncIterator[str]:
    """A screen in memory; the server chooses a free number for it and writes it."""
    pipe, nowhere = asyncio.subprocess.PIPE, asyncio.subprocess.DEVNULL
    options = ("-displayfd", "1", "-screen", "0", "1400x1000x24", "-nolisten", "tcp")
    process = await asyncio.create_subprocess_exec("Xvfb", *options, stdout=pipe, stderr=nowhere)
    assert process.stdout is not None
    try:
        number = await asyncio.wait_for(process.stdout.readline(), _START_SECONDS)
        yield f":{int(number)}"
    finally:
        process.terminate()
        await process.wait()


@asynccontextmanager
async def _driver(path: str, display: str, folder: str) -> AsyncIterator[str]:
    """The driver's address. Its browser writes nothing into the home of whoever runs the tests."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    homes = ("HOME", "XDG_CACHE_HOME", "XDG_CONFIG_HOME", "XDG_DATA_HOME")
    # Drawing by the processor takes less of it without the layers that a graphics card would put together.
    drawing = {"WEBKIT_DISABLE_COMPOSITING_MODE": "1", "DISPLAY": display}
    environ, nowhere = os.environ | drawing | dict.fromkeys(homes, folder), asyncio.subprocess.DEVNULL
    process = await asyncio.create_subprocess_exec(
        path, f"--port={port}", "--host=127.0.0.1", stdout=nowhere, stderr=nowhere, env=environ
    )
    try:
        await _answers(port)
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        await process.wait()


async def _answers(port: int) -> None:
    async with asyncio.timeout(_START_SECONDS):
        while True:
            try:
                _, writer = await asyncio.open_connection("127.0.0.1", port)
            except ConnectionRefusedError:
                await asyncio.sleep(0.05)
            else:
                return writer.close()

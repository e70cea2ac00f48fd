"""Firefox by Marionette, the protocol that geckodriver translates to. No driver is needed beside the browser itself."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from tests.support.engines.driven_browser import ELEMENT_KEY, BrowserError, DrivenBrowser, keep_picture

Preferences = dict[str, bool | int | str]
_QUIET: Preferences = {
    "marionette.port": 0,  # any free one: the browser writes it into its profile
    "app.update.enabled": False,
    "datareporting.policy.dataSubmissionEnabled": False,
    "browser.shell.checkDefaultBrowser": False,
    "browser.aboutwelcome.enabled": False,
    "network.captive-portal-service.enabled": False,
    "network.connectivity-service.enabled": False,
    "services.settings.server": "data:,",
}
PRIVACY: dict[str, Preferences] = {
    "default": {},
    "strict": {"browser.contentblocking.category": "strict"},
    "no third-party storage": {"network.cookie.cookieBehavior": 1},
}
_START_SECONDS = 30.0
_CALL_SECONDS = 60.0
_LOAD_SECONDS = 20.0
# Frames' messages too; what the browser says of itself is left out.
_CONSOLE = """
    const found = Services.console.getMessageArray().filter((one) => one instanceof Ci.nsIScriptError);
    Services.console.reset();
    return found.map(String).filter((text) => /"https?:/.test(text));
"""
# What pages get as the system's scheme: 0 is dark. Otherwise it follows the browser's theme, found out at its start.
_SCHEME = "layout.css.prefers-color-scheme.content-override"
_COUNT_CRASHES = """
    window.crashes = 0;
    const ended = (one) => { window.crashes += one.QueryInterface(Ci.nsIPropertyBag2).hasKey("abnormal"); };
    Services.obs.addObserver(ended, "ipc:content-shutdown");
"""


class Firefox(DrivenBrowser):
    """A headless Firefox with a profile of its own."""

    name = "firefox"

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer, self._serial = reader, writer, 0

    async def command(self, name: str, **parameters: Any) -> Any:
        """Send one command and return its value. Raises BrowserError where the browser refuses it."""
        self._serial += 1
        text = json.dumps([0, self._serial, name if ":" in name else f"WebDriver:{name}", parameters]).encode()
        self._writer.write(b"%d:%s" % (len(text), text))
        async with asyncio.timeout(_CALL_SECONDS):
            answered = 0
            while answered != self._serial:  # an earlier command may have been answered too late
                _, answered, error, result = await self.receive()
        if error:
            raise BrowserError(f"{name}: {error['error']}: {error['message']}")
        return result.get("value", result) if isinstance(result, dict) else result

    async def receive(self) -> Any:
        """Return the next message: its length, a colon and JSON."""
        size = await self._reader.readuntil(b":")
        return json.loads(await self._reader.readexactly(int(size[:-1])))

    async def go(self, url: str) -> None:
        await self._load("Navigate", url=url)

    async def back(self) -> None:
        await self._load("Back")

    async def reload(self) -> None:
        await self._load("Refresh")

    async def _load(self, name: str, **parameters: Any) -> None:
        # Under load Firefox has missed the end of a load once, and waited for it for good: ask the page itself then.
        try:
            await self.command(name, **parameters)
        except BrowserError:
            await self.until((), "return document.readyState === 'complete'")

    async def enter(self, element: Any | None) -> None:
        # Selecting the frame twice, by `id` of the page and then by element, is what the protocol asks for.
        await self.command("SwitchToFrame", **({"id": None} if element is None else {"element": element[ELEMENT_KEY]}))

    async def evaluate(self, script: str, *args: Any) -> Any:
        return await self.command("ExecuteScript", script=script, args=list(args))

    async def find(self, script: str, *args: Any) -> Any | None:
        return await self.evaluate(script, *args)

    async def press(self, element: Any) -> None:
        await self.command("ElementClick", id=element[ELEMENT_KEY])

    async def write(self, text: str) -> None:
        element = await self.evaluate("return document.activeElement")
        await self.command("ElementSendKeys", id=element[ELEMENT_KEY], text=text)

    async def open_window(self) -> str:
        before = await self.command("GetWindowHandle")
        made = await self.command("NewWindow", type="tab", focus=True)
        await self.use_window(made["handle"])
        return str(before)

    async def use_window(self, name: str) -> None:
        await self.command("SwitchToWindow", handle=name)

    async def close_window(self, name: str) -> None:
        await self.command("CloseWindow")
        await self.use_window(name)

    async def picture(self, path: Path) -> None:
        await self.enter(None)  # in a frame of another origin it throws
        keep_picture(path, await self.command("TakeScreenshot", full=False))

    async def console(self) -> list[str]:
        return [str(text) for text in await self.in_chrome(_CONSOLE)]

    async def crashes(self) -> int:
        return int(await self.in_chrome("return window.crashes"))

    async def repeat_scheme(self, *, dark: bool) -> None:
        for value in (dark, not dark):  # the other one first, since pages hear of changes only
            await self.in_chrome("Services.prefs.setIntPref(...arguments)", _SCHEME, int(value))

    async def in_chrome(self, script: str, *args: Any) -> Any:
        """Run a script with the browser's own rights."""
        await self.command("Marionette:SetContext", value="chrome")
        try:
            return await self.evaluate(script, *args)
        finally:
            await self.command("Marionette:SetContext", value="content")

    async def quit(self) -> None:
        with suppress(asyncio.IncompleteReadError):
            await self.command("Marionette:Quit", flags=["eForceQuit"])
        self._writer.close()


@asynccontextmanager
async def running_firefox(path: str, privacy: str = "default", *, dark: bool = False) -> AsyncIterator[Firefox]:
    """Start it with a new profile; `dark`: the system's colour scheme."""
    with TemporaryDirectory(prefix="firefox", ignore_cleanup_errors=True) as profile:
        scheme: Preferences = {"ui.systemUsesDarkTheme": int(dark), _SCHEME: int(not dark)}
        lines = (_QUIET | PRIVACY[privacy] | scheme).items()
        user_js = "".join(f"user_pref({json.dumps(name)}, {json.dumps(value)});\n" for name, value in lines)
        _write(Path(profile, "user.js"), user_js)
        options = ("--headless", "--marionette", "--remote-allow-system-access", "--no-remote")
        size, place = ("--width", "1280", "--height", "900"), ("--profile", profile)
        nowhere = asyncio.subprocess.DEVNULL
        process = await asyncio.create_subprocess_exec(path, *options, *place, *size, stdout=nowhere, stderr=nowhere)
        try:
            browser = Firefox(*await _connect(Path(profile, "MarionetteActivePort")))
            await browser.receive()  # its greeting
            # Capabilities stand flat here.
            timeouts = {"pageLoad": _LOAD_SECONDS * 1000}
            await browser.command("NewSession", acceptInsecureCerts=True, timeouts=timeouts)
            await browser.in_chrome(_COUNT_CRASHES)
            yield browser
            await browser.quit()
        finally:
            await _end(process)


def _write(path: Path, text: str) -> None:
    path.write_text(text)


async def _connect(port: Path) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    async with asyncio.timeout(_START_SECONDS):
        while not (port.exists() and port.read_text()):  # noqa: ASYNC110, ASYNC240 - another process writes it
            await asyncio.sleep(0.05)
        return await asyncio.open_connection("127.0.0.1", int(port.read_text()), limit=2**26)  # noqa: ASYNC240


async def _end(process: asyncio.subprocess.Process) -> None:
    try:
        await asyncio.wait_for(process.wait(), 10)
    except TimeoutError:
        process.kill()
        await process.wait()

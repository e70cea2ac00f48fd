"""`make first-panel`: how long a user waits for our first panel, cold over a slow line and prepared, in Chromium.

It wants a quiet machine: the services, the browser and the line share it. Fails where a median exceeds what we promise.
"""

import argparse
import asyncio
import os
import secrets
import shutil
import tempfile
from pathlib import Path
from statistics import median
from typing import Any

import click
import httpx
from playwright.async_api import Browser, Page, async_playwright

from tests.support.browser_services import Api, BrowserServices, running_services
from tests.support.chromium import ARGUMENTS
from tests.support.first_panel import (
    COLD_MILLISECONDS,
    LINE,
    MEGABITS,
    PREPARED_MILLISECONDS,
    ROUND_TRIP_SECONDS,
    WATCH,
    open_cold,
    open_prepared,
    prepare,
)
from tests.support.slow_line import slow_line


class Measurement:
    """One browser in front of one `magiclink dev`."""

    def __init__(self, browser: Browser, api: Api) -> None:
        self._browser = browser
        self._api = api

    async def _host(self, proxy: str | None) -> Page:
        """The demo host app's sign-in page with our script: a new browser context has loaded nothing before."""
        more: dict[str, Any] = {"proxy": {"server": proxy, "bypass": "<-loopback>"}} if proxy else {}
        context = await self._browser.new_context(viewport={"width": 1280, "height": 900}, **more)
        page = await context.new_page()
        await page.add_init_script(WATCH)
        await page.goto(self._api.services.demo)
        await page.add_script_tag(url=f"{self._api.services.service}/embed.js")
        return page

    async def _url(self) -> str:
        return str((await self._api.create("ada", f"first-{secrets.token_hex(4)}"))["embedUrl"])

    async def cold(self) -> float:
        async with slow_line(*LINE) as (proxy, _):
            page = await self._host(proxy)
            seen = await open_cold(page, await self._url())
            await page.context.close()
        return seen.milliseconds

    async def prepared(self) -> float:
        page, url = await self._host(None), await self._url()
        frame = await prepare(page, url)
        seen = await open_prepared(page, url, frame)
        await page.context.close()
        return seen.milliseconds


async def measure(services: BrowserServices, rounds: int) -> bool:
    """Print both figures; return whether their medians are as promised."""
    chromium = os.environ.get("CHROMIUM") or shutil.which("chromium")
    async with async_playwright() as started, httpx.AsyncClient(timeout=15) as http:
        browser = await started.chromium.launch(executable_path=chromium, args=ARGUMENTS)
        measurement = Measurement(browser, Api(services, http))
        await measurement.cold()  # the first one also starts the browser's processes
        cold = [await measurement.cold() for _ in range(rounds)]
        prepared = [await measurement.prepared() for _ in range(rounds)]
        await browser.close()
    line = f"{MEGABITS:.0f} Mbit/s, {ROUND_TRIP_SECONDS * 1000:.0f} ms round trip"
    rows = [("cold", line, cold, COLD_MILLISECONDS), ("prepared", "no delay", prepared, PREPARED_MILLISECONDS)]
    for name, how, found, most in rows:
        times = f"median {median(found):.0f} ms, {min(found):.0f} to {max(found):.0f}"
        click.echo(f"{name} ({how}): {times}, at most {most} promised")
    return all(median(found) <= most for _, _, found, most in rows)


def main() -> None:
    """Read the options, and measure."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--rounds", type=int, default=9)
    rounds = options.parse_args().rounds
    with tempfile.TemporaryDirectory() as folder, running_services(Path(folder) / "data") as services:
        kept = asyncio.run(measure(services, rounds))
    raise SystemExit(0 if kept else 1)


if __name__ == "__main__":
    main()

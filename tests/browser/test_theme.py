"""What the host chose for its pages, in a browser: colours, corners, logo and name, and what `auto` follows."""

import asyncio
import re
from typing import Any
from urllib.parse import quote

import pytest
from playwright.async_api import Route, expect

from tests.support.browser_services import Api, BrowserServices
from tests.support.browser_user import BrowserUser, NewUser
from tests.support.screenshots import Screenshots

ACCENT = "#7c3aed"
DARK_CARD = "rgb(24, 32, 30)"
WHITE = "rgb(255, 255, 255)"
STYLE = "(element, name) => getComputedStyle(element)[name]"


def theme_of(services: BrowserServices, **more: Any) -> dict[str, Any]:
    return {"accent": ACCENT, "radius": 4, "name": "Meadow", "logoUrl": f"{services.demo}/static/meadow.svg"} | more


async def style(user: BrowserUser, selector: str, name: str) -> str:
    return str(await user.embedded.where.locator(selector).evaluate(STYLE, name))


async def host_page(user: BrowserUser, origin: str, content: str, *, frames: bool = True) -> None:
    """Without `frames` this does not wait for what the page frames."""
    script = f"<script src='{user.services.service}/embed.js'></script>"
    address = f"{origin}/content?{quote(f'<body>{script}{content}')}"
    await user.page.goto(address, wait_until="load" if frames else "domcontentloaded")


async def element(api: Api, origin: str, attributes: str = "", **fields: Any) -> str:
    url = (await api.create("ada", "theme", origin=origin, **fields))["embedUrl"]
    return f"<magic-link url='{url}' {attributes}></magic-link>"


async def test_the_sessions_theme_is_on_its_pages(
    new_user: NewUser, api: Api, services: BrowserServices, screenshots: Screenshots
) -> None:
    ada = await (await new_user()).sign_in()
    fields: dict[str, Any] = {"theme": theme_of(services), "userLabel": "ada@example.com"}
    flow = await ada.open(await api.create("ada", "themed", **fields))
    await flow.provider.connect()
    await flow.shows("Your account is connected.")
    assert await style(ada, "button[data-act=done]", "backgroundColor") == "rgb(124, 58, 237)"
    assert await style(ada, "button[data-act=done]", "borderRadius") == "4px"
    logo = flow.where.locator("img.logo")
    await expect(logo).to_have_attribute("alt", "Meadow")
    assert await logo.evaluate("(image) => image.complete && image.naturalWidth > 0")
    (frame,) = [one for one in ada.page.frames if one.url.startswith(services.service)]
    await screenshots.show(ada.page, "theme-connected", [frame])
    await ada.page.goto((await api.create("ada", "themed", **fields))["redirectUrl"])
    await screenshots.show(ada.page, "theme-connect")


async def test_the_logo_is_fetched_without_a_referrer(new_user: NewUser, api: Api, services: BrowserServices) -> None:
    ada = await new_user()
    asked: list[dict[str, str]] = []
    ada.page.on("request", lambda one: asked.append(one.headers) if one.url.endswith("meadow.svg") else None)
    await ada.page.goto((await api.create("ada", "logo", theme=theme_of(services)))["redirectUrl"])
    await expect(ada.page.locator("img.logo")).to_be_visible()
    assert asked
    assert [headers for headers in asked if headers.get("referer")] == []


async def test_an_elements_theme_is_there_from_the_first_picture_on_and_can_change(
    new_user: NewUser, api: Api, other_host: str
) -> None:
    ada = await new_user()
    content = await element(api, other_host, 'theme=\'{"mode": "dark", "radius": 0}\'')
    await host_page(ada, other_host, content)
    await ada.embedded.opens()
    assert await style(ada, "header.bar", "backgroundColor") == DARK_CARD
    assert await style(ada, "footer button.button", "borderRadius") == "0px"
    loaded = len(ada.page.frames)
    await ada.page.evaluate("document.querySelector('magic-link').theme = {mode: 'light', accent: '#b91c1c'}")
    await expect(ada.embedded.where.locator("header.bar")).to_have_css("background-color", WHITE)
    await expect(ada.embedded.where.locator(".mark").first).to_have_css("stroke", "rgb(185, 28, 28)")
    assert len(ada.page.frames) == loaded
    await ada.page.evaluate("document.querySelector('magic-link').theme = 'dark'")
    await expect(ada.embedded.where.locator("header.bar")).to_have_css("background-color", DARK_CARD)


@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_auto_follows_the_scheme_that_the_hosts_page_declares_and_its_changes(
    new_user: NewUser, api: Api, other_host: str, scheme: str
) -> None:
    other = "light" if scheme == "dark" else "dark"
    ada = await new_user(color_scheme=other)
    style_of_host = "<style>:root.dark { color-scheme: only dark } :root.light { color-scheme: light }</style>"
    content = await element(api, other_host)
    await host_page(
        ada, other_host, f"{style_of_host}<script>document.documentElement.className = '{scheme}'</script>{content}"
    )
    await ada.embedded.opens()
    colors = {"light": WHITE, "dark": DARK_CARD}
    await expect(ada.embedded.where.locator("header.bar")).to_have_css("background-color", colors[scheme])
    await ada.page.evaluate("(name) => { document.documentElement.className = name }", other)
    await expect(ada.embedded.where.locator("header.bar")).to_have_css("background-color", colors[other])


async def test_where_the_host_declares_nothing_auto_follows_the_system(
    new_user: NewUser, api: Api, other_host: str
) -> None:
    ada = await new_user(color_scheme="dark")
    await host_page(ada, other_host, await element(api, other_host))
    await ada.embedded.opens()
    await expect(ada.embedded.where.locator("header.bar")).to_have_css("background-color", DARK_CARD)
    await ada.page.emulate_media(color_scheme="light")
    await expect(ada.embedded.where.locator("header.bar")).to_have_css("background-color", WHITE)


@pytest.mark.parametrize("by", ["the system", "a stylesheet"])  # of which no event tells
async def test_what_changes_while_the_page_loads_is_followed(
    new_user: NewUser, api: Api, other_host: str, by: str
) -> None:
    ada = await new_user(color_scheme="light")
    held = asyncio.Queue[Route]()
    await ada.page.route(re.compile("/embed/[^/]+$"), held.put)
    await host_page(ada, other_host, await element(api, other_host), frames=False)
    page = await held.get()
    if by == "the system":
        await ada.page.emulate_media(color_scheme="dark")
    else:
        await ada.page.add_style_tag(content=":root { color-scheme: dark }")
    await page.continue_()
    await ada.embedded.opens()
    await expect(ada.embedded.where.locator("header.bar")).to_have_css("background-color", DARK_CARD)
    await ada.page.unroute_all()
    (frame,) = [one for one in ada.page.frames if one.url.startswith(ada.services.service)]
    async with ada.page.expect_event("framenavigated", lambda one: one == frame):
        await frame.evaluate("location.reload()")  # by the address from which it was loaded first
    await ada.embedded.opens()
    await expect(ada.embedded.where.locator("header.bar")).to_have_css("background-color", DARK_CARD)

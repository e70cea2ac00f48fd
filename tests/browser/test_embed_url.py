"""Which addresses embed.js frames: the session's embed page on its own origin, or on one that the host's code names."""

import re
from collections.abc import Callable
from urllib.parse import quote

import pytest
from playwright.async_api import Page

from tests.support.browser_services import Api
from tests.support.browser_user import BrowserUser, NewUser

Change = Callable[[str], object]
BAD: dict[str, tuple[Change, str]] = {
    "null": (lambda _: None, "url is missing"),
    "empty": (lambda _: "", "url is missing"),
    "the word null": (lambda _: "null", "not a whole address"),
    "relative": (lambda url: "/embed/" + url.rpartition("/")[2], "not a whole address"),
    "foreign": (
        lambda url: "https://evil.example/embed/" + url.rpartition("/")[2],
        "https://evil.example is not allowed",
    ),
    "another port": (lambda url: re.sub(r":\d+/", ":9/", url), ":9 is not allowed"),
    "its host as a user name": (
        lambda url: url.replace("/embed/", "@evil.example/embed/"),
        "evil.example is not allowed",
    ),
    "a script": (lambda _: "javascript:alert(1)//embed/x", "null is not allowed"),
    "data": (lambda _: "data:text/html,/embed/x", "null is not allowed"),
    "a blob": (lambda url: f"blob:{url}", "not an embed page"),
    "the redirect URL": (lambda url: url.replace("/embed/", "/connect/"), "redirectUrl is for the whole window"),
    "a path that climbs out": (lambda url: url.replace("/embed/", "/embed/../docs/"), "not an embed page"),
    "no token": (lambda url: url.partition("/embed/")[0] + "/embed/", "not an embed page"),
}


async def _signed_in(new_user: NewUser) -> BrowserUser:
    return await (await new_user(watched=False)).sign_in()


async def _frames(page: Page) -> int:
    found: int = await page.evaluate(
        """() => document.querySelectorAll("iframe").length
            + [...document.querySelectorAll("magic-link")].filter((one) => one.shadowRoot.firstChild).length"""
    )
    return found


async def test_open_and_the_property_throw_a_type_error_that_says_what_to_do(new_user: NewUser, api: Api) -> None:
    ada = await _signed_in(new_user)
    url = (await api.create("ada", "bad-urls"))["embedUrl"]
    for change, words in BAD.values():
        for way in ("MagicLink.open({ url })", "Object.assign(document.createElement('magic-link'), { url })"):
            thrown = await ada.page.evaluate(
                f"(url) => {{ try {{ {way}; }} catch (error) {{ return [error.constructor.name, error.message]; }} }}",
                change(url),
            )
            assert thrown is not None, (way, change(url))
            assert thrown[0] == "TypeError"
            assert words in thrown[1], thrown
    assert await _frames(ada.page) == 0


@pytest.mark.parametrize("name", [name for name in BAD if name != "null"])
async def test_an_element_with_such_an_address_frames_nothing_and_says_so(
    new_user: NewUser, api: Api, name: str
) -> None:
    change, words = BAD[name]
    ada = await _signed_in(new_user)
    said: list[str] = []
    ada.page.on("console", lambda message: said.append(message.text) if message.type == "error" else None)
    url = (await api.create("ada", "bad-attributes"))["embedUrl"]
    heard = await ada.page.evaluate(
        """(url) => new Promise((resolve) => {
            const element = document.createElement("magic-link");
            element.addEventListener("error", ({ detail }) => resolve(detail));
            element.setAttribute("url", url);
            element.setAttribute("allowed-origin", "https://evil.example");
            document.body.append(element);
        })""",
        change(url),
    )
    assert (heard["code"], heard["retryable"], heard["sessionId"]) == ("bad_url", False, None)
    assert any(words in text for text in said), said
    assert await _frames(ada.page) == 0


async def test_an_element_in_the_page_from_the_start_is_heard_by_a_script_that_comes_later(
    new_user: NewUser, other_host: str
) -> None:
    ada = await new_user(watched=False)
    script = f"{ada.services.service}/embed.js"
    await _serve(
        ada,
        other_host,
        f"<script src='{script}' defer></script><magic-link url='null'></magic-link>"
        "<script type=module>document.querySelector('magic-link').addEventListener('error', "
        "({ detail }) => { window.heard = detail.code; });</script>",
    )
    await ada.page.wait_for_function("window.heard === 'bad_url'")


async def test_an_element_without_an_address_waits_and_shows_the_page_once_it_has_one(
    new_user: NewUser, api: Api
) -> None:
    ada = await (await new_user()).sign_in()
    session = await api.create("ada", "late-url")
    await ada.page.evaluate("document.body.prepend(document.createElement('magic-link'))")
    assert await _frames(ada.page) == 0
    await ada.page.evaluate("(url) => { document.querySelector('magic-link').url = url; }", session["embedUrl"])
    await ada.embedded.opens()


@pytest.mark.parametrize(
    ("tag", "option", "framed"),
    [
        ("allowed-origin='{service}'", None, 1),
        ("allowed-origin='https://a.example, {service}/'", None, 1),
        ("", "{service}", 1),
        ("", ["https://a.example", "{service}"], 1),
        ("", None, 0),
        ("allowed-origin='https://a.example'", "null", 0),
        ("allowed-origin='*'", "*", 0),
    ],
)
async def test_a_script_from_elsewhere_frames_what_the_hosts_own_code_allows(
    new_user: NewUser, other_host: str, tag: str, option: str | list[str] | None, framed: int
) -> None:
    ada = await new_user(watched=False)
    service = ada.services.service
    copied = await (await ada.page.request.get(f"{service}/embed.js")).text()
    await ada.page.route(
        "https://cdn.example/**", lambda route: route.fulfill(body=copied, content_type="text/javascript")
    )
    # The frame never gets its page: one of an unknown token says so, and our script takes the frame away.
    await ada.page.route(re.compile(r"/embed/a-token\b"), lambda _: None)  # embed.js adds a query
    await _serve(ada, other_host, f"<script src='https://cdn.example/embed.js' {tag.format(service=service)}></script>")
    given = (
        option
        if option is None
        else [one.format(service=service) for one in ([option] if isinstance(option, str) else option)]
    )
    await ada.page.evaluate(
        "([url, allowedOrigin]) => { try { MagicLink.open({ url, allowedOrigin }); } catch {} }",
        [f"{service}/embed/a-token", given],
    )
    assert await _frames(ada.page) == framed


async def test_an_image_that_is_named_like_the_loading_script_allows_nothing(
    new_user: NewUser, other_host: str
) -> None:
    ada = await new_user(watched=False)
    script = f"{ada.services.service}/embed.js"
    await _serve(
        ada, other_host, f"<img name=currentScript src='https://evil.example/x.png'><script src='{script}'></script>"
    )
    thrown = await ada.page.evaluate(
        """() => {
            try { MagicLink.open({ url: "https://evil.example/embed/x" }); } catch (error) { return String(error); }
        }"""
    )
    assert "is not allowed" in (thrown or "")


async def _serve(user: BrowserUser, host: str, content: str) -> None:
    """A host's page of these elements."""
    await user.page.goto(f"{host}/content?{quote(content)}")

"""The embedded flow without a mouse."""

from playwright.async_api import Frame, expect

from tests.support.browser_services import GUIDE
from tests.support.browser_user import BrowserUser, NewUser

# What has the focus in this document, by the words that a screen reader would say, and how it is shown.
FOCUSED = """() => {
    const one = document.activeElement;
    if (!document.hasFocus() || !one || one === document.body || one.matches("iframe, dialog")) return null;
    const words = one.getAttribute("aria-label") || one.labels?.[0]?.textContent || one.textContent;
    const shown = one.matches("h1, h2, main") || getComputedStyle(one).outlineStyle !== "none";
    return [words.trim().replace(/\\s+/g, " "), shown];
}"""


async def _focused(user: BrowserUser) -> tuple[str, bool]:
    for frame in reversed(user.page.frames):
        found = await _focused_in(frame)
        if found:
            return found[0], found[1]
    return "", True


async def _focused_in(frame: Frame) -> tuple[str, bool] | None:
    await frame.wait_for_load_state()  # how the focus is shown, the style sheet says
    found: tuple[str, bool] | None = await frame.evaluate(FOCUSED)
    return found


async def _tab_to(user: BrowserUser, words: str, *then: str) -> None:
    """Tab by tab, each stop of which must be seen, up to what says these words; then these keys."""
    passed: list[str] = []
    for _ in range(40):
        name, shown = await _focused(user)
        assert shown, f"the focus on {name!r} cannot be seen"
        if name.startswith(words):
            for key in then:
                await user.page.keyboard.press(key)
            return
        passed.append(name)
        await user.page.keyboard.press("Tab")
    raise AssertionError(f"{words!r} was not reached: {passed}")


async def test_every_step_can_be_reached_seen_and_pressed_by_keyboard(new_user: NewUser) -> None:
    mallory = await new_user()
    keyboard, page = mallory.page.keyboard, mallory.page
    await page.goto(mallory.services.demo)
    await _tab_to(mallory, "MR", "Enter")
    await mallory.at_home()
    await _tab_to(mallory, "Connect a utility account", "Enter")

    provider = mallory.embedded.provider
    await provider.step("provider").wait_for()
    await _tab_to(mallory, "Utility provider")
    await keyboard.type(GUIDE[0])
    await _tab_to(mallory, "Continue", "Enter")
    await provider.step("credentials").wait_for()
    await _tab_to(mallory, "User name")
    await keyboard.type(GUIDE[1])
    await _tab_to(mallory, "Password")
    await keyboard.type(GUIDE[2])
    await keyboard.press("Enter")
    await provider.step("settings").wait_for()
    await _tab_to(mallory, "Warehouse", "Space")
    await _tab_to(mallory, "Connect", "Enter")

    await mallory.embedded.shows("Your account is connected.")
    await expect(mallory.embedded.heading("Your account is connected.")).to_be_focused()
    await _tab_to(mallory, "Done", "Enter")
    await expect(page.locator("dialog")).to_have_count(0)
    await expect(page.get_by_role("button", name="Connect a utility account", exact=True)).to_be_focused()

"""Somebody in front of any of the engines: what they do on a host's page, on ours and on the provider's."""

from tests.support.browser_services import GUIDE
from tests.support.engines.driven_browser import DrivenBrowser, Frames

ELEMENT: Frames = ("magic-link >>> iframe",)
DIALOG: Frames = ("dialog.magiclink iframe",)
TOP: Frames = ()
PROVIDER = ".slot iframe"

_SEEN = """
    const [words] = arguments;
    const seen = (one) => one.getClientRects().length && getComputedStyle(one).visibility === "visible";
    const all = (css) => [...document.querySelectorAll(css)].filter(seen);
"""
_BUTTON = _SEEN + "return all('button, a.button').find((one) => one.innerText.trim() === words) ?? null;"
_HEADING = _SEEN + "return all('h1, h2').some((one) => one.textContent.includes(words));"
_NOTICE = _SEEN + "return all('.notice').some((one) => one.textContent.includes(words));"
_FIELD = _SEEN + "return all('label').find((one) => one.textContent.trim().startsWith(words))?.control ?? null;"
_EMPTY = "document.activeElement.value = ''; return true"
_STEP = "return document.querySelector(`main[data-step=${arguments[0]}]`) !== null"
QUESTIONS = ("This was opened in another window.", "Continue in this window?")


class EngineUser:
    """A person; `ours` are the frames that lead to our page from the host's."""

    def __init__(self, browser: DrivenBrowser, ours: Frames = TOP) -> None:
        self.browser = browser
        self.ours = ours

    @property
    def provider(self) -> Frames:
        """The frames that lead to the provider's page."""
        return (*self.ours, PROVIDER)

    async def press(self, button: str, frames: Frames | None = None) -> None:
        """Press a button by what stands on it; on our page if no other is given."""
        await self.browser.click(self.ours if frames is None else frames, _BUTTON, button)

    async def shows(self, words: str, frames: Frames | None = None) -> None:
        """Wait until a heading has these words."""
        await self.browser.until(self.ours if frames is None else frames, _HEADING, words)

    async def opens(self) -> None:
        """The provider's first page is there, our page knows, and nobody was asked anything."""
        await self.at_provider()
        await self.browser.until(self.ours, "return document.querySelector('#flow[data-opened]') !== null")
        assert not await self.is_asked()

    async def at_provider(self) -> None:
        """The provider's first page is there."""
        await self.browser.until(self.provider, _STEP, "provider")

    async def is_asked(self) -> bool:
        """Whether our page asks if the flow shall go on here."""
        for words in QUESTIONS:
            if await self.browser.js(self.ours, _HEADING, words):
                return True
        return False

    async def fill(self, label: str, text: str) -> None:
        """Type into a field of the provider's page."""
        await self.browser.click(self.provider, _FIELD, label)
        await self.browser.js(self.provider, _EMPTY)
        await self.browser.write(text)

    async def choose_provider(self) -> None:
        """The provider's first step."""
        await self.at_provider()
        await self.fill("Utility provider", GUIDE[0])
        await self.press("Continue", self.provider)

    async def sign_in(self, password: str = GUIDE[2]) -> None:
        """The provider's second step."""
        await self.browser.until(self.provider, _STEP, "credentials")
        await self.fill("User name", GUIDE[1])
        await self.fill("Password", password)
        await self.press("Sign in", self.provider)

    async def finish(self) -> None:
        """The provider's last step, with the sites that are chosen there."""
        await self.browser.until(self.provider, _STEP, "settings")
        await self.press("Connect", self.provider)

    async def connect(self) -> None:
        """Every step, one after the other, until our page says that it has worked."""
        await self.choose_provider()
        await self.sign_in()
        await self.finish()

    async def rejected(self) -> None:
        """The provider refuses the sign-in details, and our page says what to do."""
        await self.browser.until(self.ours, _NOTICE, "The sign-in did not work.")

    async def mend(self) -> None:
        """The provider's page for a connection that exists: its sign-in details once more."""
        await self.sign_in()
        await self.browser.until(self.provider, _STEP, "settings")
        await self.press("Save changes", self.provider)

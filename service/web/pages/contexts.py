"""What each page for people is made of: one frozen context per template, and nothing that is not in it.

The sentences are in the templates. What the flow's pages show is named by marks; `static/screen.js` decides them again
in the browser.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar, Literal

from service.domain.model import LinkStatus

ENDED = frozenset({"expired", "revoked", "failed"})


def masked(label: str) -> str:
    """Hide all of a label but what its owner knows it by: `ada@example.com` becomes `a•••@example.com`."""
    name, at, host = label.strip().rpartition("@")
    words = (name if at else host).split()
    return " ".join(f"{word[0]}•••" for word in words) + (f"@{host}" if at else "")


@dataclass(frozen=True, slots=True, kw_only=True)
class LinkView:
    """The provider's link as a started page may know it; `url` has passed the check of its origin."""

    status: LinkStatus
    url: str | None = None
    framable: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class ConnectionView:
    """One recorded connection; `status` is canonical."""

    status: str
    provider: str | None = None
    needs_attention: bool = False

    @property
    def label(self) -> str:
        """Return which of the labels of the page's lists it bears."""
        if self.needs_attention:
            return "attention"
        return "connected" if self.status == "CONNECTED" else "checking"


@dataclass(frozen=True, slots=True, kw_only=True)
class FlowView:
    """A session as its started page sees it."""

    status: str
    link: LinkView
    connections: tuple[ConnectionView, ...] = ()
    confirming: bool = False
    finished: bool = False
    failure_code: str | None = None
    done_url: str | None = None

    @property
    def screen(self) -> str:
        """Return which of the flow's panels is shown."""
        if self.status in ENDED or self.status == "connected":
            return self.status
        if self.link.status is not LinkStatus.READY:
            return "failed" if self.link.status is LinkStatus.FAILED else "preparing"
        return "confirming" if self.finished and not self.attention else "provider"

    @property
    def attention(self) -> bool:
        """Tell whether a connection waits for other credentials."""
        return any(connection.needs_attention for connection in self.connections)

    @property
    def marks(self) -> frozenset[str]:
        """Return the words of `data-show` that hold."""
        flags = {
            "ended": self.screen in ENDED,
            "leave": self.screen == "preparing",
            "attention": self.attention,
            "well": not self.attention,
            "news": self.confirming and not self.attention,
            "recorded": bool(self.connections),
            "done": self.done_url is not None,
        }
        return frozenset({self.screen, *(name for name, holds in flags.items() if holds)})


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """What every page has; `lang` is the language its sentences are written in, whatever was asked for."""

    template: ClassVar[str]
    lang: str = "en"


@dataclass(frozen=True, slots=True, kw_only=True)
class NamedPage(Page):
    """A page that says for whom an account is being connected; `user_label` is masked already."""

    company: str
    user_label: str | None = None
    support_url: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class FlowPage(NamedPage):
    """What the flow's script reads from the page; paths have no origin, origins no path. No `view`: not started yet."""

    session_id: str
    token_path: str
    live_path: str
    provider_origin: str
    host_origin: str = ""
    view: FlowView | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class EmbedPage(FlowPage):
    """The page inside the host page's frame: its script starts it and learns how things stand.

    An ended session may be shown it too (with status 410): the start says so, and the page offers to ask for another.
    """

    template: ClassVar[str] = "pages/embed.html"


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenPage(FlowPage):
    """The started redirect flow at top level, `view` included, so that it also works without a script."""

    template: ClassVar[str] = "pages/open.html"


@dataclass(frozen=True, slots=True, kw_only=True)
class ConnectPage(NamedPage):
    """The redirect flow before its start: one button that posts to `action`, and no word of how the session stands."""

    template: ClassVar[str] = "pages/connect.html"
    action: str
    mode: Literal["connect", "reconnect"] = "connect"


@dataclass(frozen=True, slots=True, kw_only=True)
class ElsewherePage(Page):
    """An embed URL opened outside its frame: says nothing of the session."""

    template: ClassVar[str] = "pages/elsewhere.html"


@dataclass(frozen=True, slots=True, kw_only=True)
class ConfirmPage(NamedPage):
    """Asks a page that holds no key whether to go on; its one button posts `hidden` to `action`."""

    template: ClassVar[str] = "pages/confirm.html"
    reason: Literal["callback", "takeover"]
    action: str
    hidden: Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class DonePage(NamedPage):
    """Where the redirect flow ends when the host gave no address to return to."""

    template: ClassVar[str] = "pages/done.html"
    outcome: Literal["connected", "attention", "confirming", "exited", "expired", "revoked", "failed"]
    connections: tuple[ConnectionView, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class HandoverPage(Page):
    """The way back inside the provider's frame: hands over to the page around it."""

    template: ClassVar[str] = "pages/handover.html"
    session_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ErrorPage(Page):
    """A refusal a person can act on; `code` chooses the words, an unknown one gets general words.

    `onward_url` is where the host makes a new link: its own page, told what became of this one.
    """

    template: ClassVar[str] = "pages/error.html"
    code: str
    request_id: str | None = None
    onward_url: str | None = None
    support_url: str | None = None


PAGES: tuple[type[Page], ...] = (
    EmbedPage,
    ConnectPage,
    OpenPage,
    ElsewherePage,
    ConfirmPage,
    DonePage,
    HandoverPage,
    ErrorPage,
)

"""The context of each page's template: one frozen dataclass per template, and the template uses nothing else.

The sentences are in the templates. An element of the flow's pages names in `data-show` the conditions under which it is
shown; they are decided here for the first rendering, and by `static/screen.js` in the browser.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import ClassVar, Literal

from service.domain.model import LinkStatus
from service.domain.page_view import Waiting
from service.domain.status_words import StatusWords, all_words
from service.domain.statuses import ConnectionState, needs_attention
from service.settings.utility_hints import UtilityHint
from service.web.pages.advice import AccountView
from service.web.pages.brand import PLAIN, Brand

ENDED = frozenset({"expired", "revoked", "failed"})


@dataclass(frozen=True, slots=True, kw_only=True)
class LinkView:
    """The provider's link as a started page may know it; the origin of `url` was checked."""

    status: LinkStatus
    url: str | None = None
    framable: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class ConnectionView:
    """One recorded connection, with the words for its status."""

    words: StatusWords
    provider: str | None = None

    @property
    def state(self) -> ConnectionState:
        """Return what its status means."""
        return self.words.state

    @property
    def needs_attention(self) -> bool:
        """Return whether only its user can mend it."""
        return needs_attention(self.state)


@dataclass(frozen=True, slots=True, kw_only=True)
class FlowView:
    """A session as its started page sees it."""

    status: str
    link: LinkView
    connections: tuple[ConnectionView, ...] = ()
    account: AccountView | None = None
    hints: tuple[UtilityHint, ...] = ()
    confirming: bool = False
    finished: bool = False
    waiting: Waiting | None = None
    unreachable_since: str | None = None
    seen: bool = False
    back: bool = False
    failure_code: str | None = None
    done_url: str | None = None

    @property
    def screen(self) -> str:
        """Return which of the flow's panels is shown."""
        # The same order of decisions as `screenOf` in static/screen.js.
        if self.status in ENDED or self.status == "connected":
            return self.status
        # Unless the provider refused everything while the secure page can still be used to correct it.
        if self.status == "submitted" and not (self._refused and self.link.url):
            return self.status
        if self.link.status is not LinkStatus.READY:
            return "failed" if self.link.status is LinkStatus.FAILED else "preparing"
        return "confirming" if self.finished and not self.attention and not self.back else "provider"

    @property
    def attention(self) -> bool:
        """Return whether a connection needs other credentials."""
        return any(connection.needs_attention for connection in self.connections)

    @property
    def _refused(self) -> bool:
        return self.attention and all(connection.needs_attention for connection in self.connections)

    @property
    def conditions(self) -> frozenset[str]:
        """Return the conditions of `data-show` that hold."""
        flags = {
            "ended": self.screen in ENDED,
            "leave": self.screen == "preparing",
            "attention": self.attention,
            "partly": self.attention and not self._refused,
            "works": self.screen == "connected" and not self._refused,
            "complete": self.screen == "connected" and not self.attention,
            "handed": self.screen == "submitted" and not self._refused,
            "attentive": self.screen in {"connected", "submitted"} and self._refused,
            "account": self.account is not None,
            "mend": self._mended is not None,
            "hinted": bool(self.hints),
            "ahead": self.screen == "provider" and not self.attention and self._mended is None,
            "seen": self.seen,
            "unconfirmed": self.confirming and not self.attention,
            "recorded": bool(self.connections),
            "done": self.done_url is not None,
            "unsigned": self.done_url is None,
        }
        known = {self.waiting.value} if self.waiting and not self.attention else set()
        told = {f"told-{one.words.status}" for one in self.connections}
        mend = {f"mend-{self._mended.words.status}"} if self._mended else set()
        return frozenset({self.screen, *known, *told, *mend, *(name for name, holds in flags.items() if holds)})

    @property
    def _mended(self) -> AccountView | None:
        """The account to mend, until its user has done so: from then on it is among the connections."""
        return None if self.connections else self.account


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """What every page has; `lang` is the language of its sentences, not the one that was asked for.

    `printed` names texts that the template prints as they are, and otherwise only asks whether they are there.
    `rendering` keeps the rest of such a page: its other fields are hashable, or mappings of what is.
    """

    template: ClassVar[str]
    printed: ClassVar[frozenset[str]] = frozenset()
    lang: str = "en"
    brand: Brand = PLAIN


@dataclass(frozen=True, slots=True, kw_only=True)
class NamedPage(Page):
    """A page that says for which company and user an account is connected; `user_label` is masked already."""

    company: str
    user_label: str | None = None
    support_url: str | None = None


_NAMES = frozenset({"company", "user_label", "support_url"})


@dataclass(frozen=True, slots=True, kw_only=True)
class HelpedPage(NamedPage):
    """A page that says what helps: `words` of every status, and the host's own pages of help by topic, "" for none."""

    words: tuple[StatusWords, ...] = all_words()
    help_urls: Mapping[str, str] = field(default_factory=lambda: {"login": "", "upload": "", "mfa": ""})


@dataclass(frozen=True, slots=True, kw_only=True)
class FlowPage(HelpedPage):
    """A page on which the flow's script runs; without a `view` it is not started yet.

    Fields named `*_path` have no origin, fields named `*_origin` no path.
    """

    session_id: str
    token_path: str
    live_path: str
    provider_origin: str
    host_origin: str = ""
    has_ancestors: bool = False
    view: FlowView | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class EmbedPage(FlowPage):
    """The page inside the host page's frame: its script starts it and receives the view.

    An ended session gets it too, with status 410: its start is refused, and the page offers to ask for a new link.
    """

    template: ClassVar[str] = "pages/embed.html"
    printed: ClassVar[frozenset[str]] = _NAMES | {
        *("session_id", "token_path", "live_path", "provider_origin", "host_origin")
    }


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenPage(FlowPage):
    """The started redirect flow at top level, `view` included, so that it also works without a script."""

    template: ClassVar[str] = "pages/open.html"


@dataclass(frozen=True, slots=True, kw_only=True)
class ConnectPage(HelpedPage):
    """The redirect flow before its start: one button that posts to `action`. It does not show the session's status."""

    template: ClassVar[str] = "pages/connect.html"
    printed: ClassVar[frozenset[str]] = _NAMES | {"action", "form_value"}
    action: str
    form_value: str
    mode: Literal["connect", "reconnect"] = "connect"
    account: AccountView | None = None
    hints: tuple[UtilityHint, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ElsewherePage(Page):
    """Shown for an embed URL that is loaded at top level; it shows nothing of the session."""

    template: ClassVar[str] = "pages/elsewhere.html"


@dataclass(frozen=True, slots=True, kw_only=True)
class FramedErrorPage(Page):
    """Shown in a frame for an embed URL without a session: constant, so that any page may frame it."""

    template: ClassVar[str] = "pages/framed-error.html"
    code: Literal["not_found", "unavailable"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ConfirmPage(NamedPage):
    """Asks the user of a browser without the page key whether to go on; its one button posts `hidden` to `action`."""

    template: ClassVar[str] = "pages/confirm.html"
    reason: Literal["callback", "takeover"]
    action: str
    hidden: Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class DonePage(HelpedPage):
    """The end of the redirect flow where the host gave no `returnUrl`, or a finished link that is opened once more.

    `can_open`: the session's link still leads to the secure page. `again_url` is its address, where it may be shown.
    With an `action` its button opens the flow, as that of a `ConnectPage` does.
    """

    template: ClassVar[str] = "pages/done.html"
    outcome: Literal[
        "submitted",
        "connected",
        "attention",
        "asking",
        "nothing",
        "unreachable",
        "used",
        "settling",
        "ambiguous",
        "arrived",
        "exited",
        "expired",
        "revoked",
        "failed",
    ]
    connections: tuple[ConnectionView, ...] = ()
    hints: tuple[UtilityHint, ...] = ()
    unreachable_since: str | None = None
    can_open: bool = False
    again_url: str | None = None
    action: str = ""
    form_value: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class HandoverPage(Page):
    """The callback inside the provider's frame: its script sends a message to our page, which is the frame's parent."""

    template: ClassVar[str] = "pages/handover.html"
    session_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ErrorPage(Page):
    """An error that the user can act on; `code` chooses the sentences, an unknown one gets general ones.

    `onward_url` is the host's page, with this session's result: there the user can ask for a new link.
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
    FramedErrorPage,
    ConfirmPage,
    DonePage,
    HandoverPage,
    ErrorPage,
)

"""The context of each page's template: one frozen dataclass per template, and the template uses nothing else.

The sentences are in the templates. An element of the flow's pages names in `data-show` the conditions under which it is
shown; they are decided in `flow_view` for the first rendering, and by `static/screen.js` in the browser.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar, Literal

from service.domain.languages import ENGLISH
from service.domain.status_words import StatusWords, all_words
from service.settings.utility_hints import UtilityHint
from service.web.pages.advice import AccountView
from service.web.pages.brand import PLAIN, Brand
from service.web.pages.flow_view import ConnectionView, FlowView


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """What every page has; `lang` is the language of its sentences, which may not be the one that was asked for.

    `printed` names texts that the template only prints, or tests for presence. `rendering` keeps the rest of such a
    page, so its other fields must be hashable, or mappings of hashable values.
    """

    template: ClassVar[str]
    printed: ClassVar[frozenset[str]] = frozenset()
    lang: str = ENGLISH
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
    """A page that says what helps: `words` of every status, and the addresses of the host's own pages of help."""

    words: tuple[StatusWords, ...] = all_words()
    help_login: str | None = None
    help_upload: str | None = None
    help_mfa: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class FlowPage(HelpedPage):
    """A page on which the flow's script runs; without a `view` it is not started yet.

    Fields named `*_path` have no origin, fields named `*_origin` no path.
    """

    session_id: str
    token_path: str
    live_path: str
    provider_origin: str
    mode: Literal["connect", "reconnect"] = "connect"
    allowed_features: str = "fullscreen"
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
        *("session_id", "token_path", "live_path", "provider_origin", "host_origin"),
        *("help_login", "help_upload", "help_mfa"),
    }


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenPage(FlowPage):
    """The started redirect flow at top level, `view` included, so that it also works without a script."""

    template: ClassVar[str] = "pages/open.html"


@dataclass(frozen=True, slots=True, kw_only=True)
class ConnectPage(NamedPage):
    """The redirect flow before its start: one button that posts to `action`. It does not show the session's status."""

    template: ClassVar[str] = "pages/connect.html"
    printed: ClassVar[frozenset[str]] = _NAMES | {"action", "form_value"}
    action: str
    form_value: str
    mode: Literal["connect", "reconnect"] = "connect"
    hints: tuple[UtilityHint, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ReconnectPage(HelpedPage):
    """The same for a reconnect: it says which account, why, and what to do before the sign-in."""

    template: ClassVar[str] = "pages/reconnect.html"
    action: str
    form_value: str
    account: AccountView
    mode: Literal["reconnect"] = "reconnect"
    hints: tuple[UtilityHint, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ElsewherePage(Page):
    """Shown for an embed URL or a status URL that is loaded at top level; it shows nothing of the user."""

    template: ClassVar[str] = "pages/elsewhere.html"
    made_for: Literal["flow", "status"] = "flow"


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
class HandoffPage(NamedPage):
    """Asks the user of the other device for the code that the offering page shows; `over`: the offer has ended."""

    template: ClassVar[str] = "pages/handoff.html"
    state: Literal["asking", "wrong", "over"]
    action: str
    form_value: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class DonePage(HelpedPage):
    """The end of the redirect flow where the host gave no `returnUrl`, or a finished link that is opened once more.

    `can_open`: the session's link still leads to the secure page. `again_url` is its address, where it may be shown.
    With an `action` its button opens the flow, as that of a `ConnectPage` does. `has_stopped`: no bills follow for an
    account that is not shown, until somebody acts.
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
    has_stopped: bool = False
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
    ReconnectPage,
    OpenPage,
    ElsewherePage,
    FramedErrorPage,
    ConfirmPage,
    HandoffPage,
    DonePage,
    HandoverPage,
    ErrorPage,
)

"""A session as its started page sees it: which panel is shown, and which conditions of `data-show` hold.

`static/screen.js` decides the same in the browser.
"""

from dataclasses import dataclass

from service.domain.model import LinkStatus
from service.domain.page_view import Waiting
from service.domain.status_words import StatusWords
from service.domain.statuses import ConnectionState, has_stopped, needs_attention
from service.settings.utility_hints import UtilityHint
from service.urls import origin_of
from service.web.pages.advice import AccountView
from service.web.pages.answers import ViewLinkJson

ENDED = frozenset({"expired", "revoked", "failed"})


@dataclass(frozen=True, slots=True, kw_only=True)
class LinkView:
    """The provider's link as a started page may know it; the origin of `url` was checked."""

    status: LinkStatus
    url: str | None = None
    framable: bool = True
    is_refused: bool = False


def checked_link(link: ViewLinkJson, provider_origin: str) -> LinkView:
    """Return the link, failed where it leads elsewhere: changed by an attacker it could imitate the sign-in form."""
    url = link["url"]
    if url is not None and origin_of(url) != provider_origin:
        return LinkView(status=LinkStatus.FAILED, is_refused=True)
    return LinkView(status=link["status"], url=url, framable=link["framable"])


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
    on_phone: bool = False
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
        if self.on_phone or self.link.status is not LinkStatus.READY:
            return "failed" if self.link.status is LinkStatus.FAILED else "phone" if self.on_phone else "preparing"
        finished = self.finished and not self.attention and not self.back
        return "confirming" if finished or self._is_link_over else "provider"

    @property
    def attention(self) -> bool:
        """Return whether a connection needs other credentials."""
        return any(connection.needs_attention for connection in self.connections)

    @property
    def _refused(self) -> bool:
        return self.attention and all(connection.needs_attention for connection in self.connections)

    @property
    def _is_link_over(self) -> bool:
        # Its time is over, and the session waits for an account that the provider does not list yet.
        return self.link.url is None and (self.finished or self.waiting is Waiting.USED)

    @property
    def _stopped(self) -> bool:
        # A session stays connected when its account is refused or removed later: its page must not promise bills then.
        return bool(self.connections) and all(has_stopped(connection.state) for connection in self.connections)

    @property
    def conditions(self) -> frozenset[str]:
        """Return the conditions of `data-show` that hold."""
        flags = {
            "ended": self.screen in ENDED,
            "leave": self.screen == "preparing",
            "attention": self.attention,
            "works": self.screen == "connected" and not self._stopped,
            "complete": self.screen == "connected" and not any(has_stopped(one.state) for one in self.connections),
            "handed": self.screen == "submitted" and not self._stopped,
            "attentive": self.screen in {"connected", "submitted"} and self._stopped,
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
        # The panel `confirming` has no other heading.
        is_shown = self.screen == "confirming" or not self.attention
        known = {self.waiting.value} if self.waiting and is_shown else set()
        told = {f"told-{one.words.status}" for one in self.connections}
        mend = {f"mend-{self._mended.words.status}"} if self._mended else set()
        return frozenset({self.screen, *known, *told, *mend, *(name for name, holds in flags.items() if holds)})

    @property
    def _mended(self) -> AccountView | None:
        """The account to mend, until its user has done so: from then on it is among the connections."""
        return None if self.connections else self.account

"""What the server remembers of a flow between two posts of its forms: no cookie, no password in a page.

Kept in memory only; a flow that outlives the process, its hour or ten thousand younger ones starts again.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from service.sandbox.world.records import Channel

LASTS_SECONDS = 3600.0
AT_MOST = 10_000


@dataclass(frozen=True)
class FlowEntry:
    """Which hand-off a flow goes through, and what it brings along. `key` is unique to the hand-off.

    `prefill` has the wire names of a connection: url, country, sites, initialDatasourceTypes and so on.
    """

    key: str
    company_id: str
    channel: Channel
    invitation_id: str | None = None
    token: str = ""
    connection_id: str | None = None
    prefill: dict[str, Any] = field(default_factory=dict)
    needs_email: bool = False
    redirect_uri: str | None = None
    state: str | None = None


@dataclass(slots=True)
class HostedFlow:
    """One person's way through the steps."""

    id: str
    key: str
    expires_at: float
    url: str = ""
    country: str = "US"
    is_chosen: bool = False
    username: str = ""
    password: str = field(default="", repr=False)
    signed_in: bool = False
    wants_code: bool = False
    code_given: bool = False
    proof: str | None = None
    connection_id: str | None = None
    submitted: bool = False


@dataclass(frozen=True, slots=True)
class FlowRequest:
    """One request of a flow: through which hand-off, to which address, with what was entered."""

    opening: FlowEntry
    action: str
    flow: HostedFlow
    form: Mapping[str, Sequence[str]] = field(default_factory=dict)

    def entered(self, name: str) -> str:
        """Return what a field of the form says; nothing reads as empty."""
        return next(iter(self.form.get(name, ())), "")

    @property
    def is_edit(self) -> bool:
        """Whether this hand-off is for a connection that was there before."""
        return self.opening.connection_id is not None


class HostedFlows:
    """All flows on their way."""

    def __init__(self, clock: Callable[[], float], token: Callable[[], str]) -> None:
        self._clock = clock
        self._token = token
        self._flows: dict[str, HostedFlow] = {}

    def draft(self, opening: FlowEntry) -> HostedFlow:
        """Return a flow that is not kept yet: what a page shows before its first post."""
        url, country = opening.prefill.get("url") or "", opening.prefill.get("country") or "US"
        expires_at = self._clock() + LASTS_SECONDS
        return HostedFlow("", opening.key, expires_at, url, country, bool(url), connection_id=opening.connection_id)

    def keep(self, flow: HostedFlow) -> None:
        """Remember it under a new id, and forget those that are over or too many."""
        flow.id = self._token()
        self._flows = {key: each for key, each in self._flows.items() if each.expires_at > self._clock()}
        while len(self._flows) >= AT_MOST:
            del self._flows[next(iter(self._flows))]
        self._flows[flow.id] = flow

    def find(self, flow_id: str, opening: FlowEntry) -> HostedFlow | None:
        """Return the flow, if it goes through that very hand-off and is not over."""
        flow = self._flows.get(flow_id)
        if flow is None or flow.key != opening.key or flow.expires_at <= self._clock():
            return None
        return flow

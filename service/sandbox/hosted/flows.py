"""The state of a connection flow between two posts of its forms: no cookie, and no password in a page.

It is in memory only: after a restart, an hour, or ten thousand newer flows, a flow starts again.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from service.sandbox.world.invitations import Via
from service.sandbox.world.records import Channel

LIFETIME_SECONDS = 3600.0
FLOWS_MOST = 10_000


@dataclass(frozen=True)
class FlowEntry:
    """The link, invitation or dashboard page that a flow is entered through, and its prefill. `key` identifies it.

    `prefill` has a connection's JSON names: url, country, sites, initialDatasourceTypes and so on.
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
    """One person's progress through the steps."""

    id: str
    key: str
    expires_at: float
    url: str = ""
    country: str = "US"
    is_chosen: bool = False
    username: str = ""
    password: str = field(default="", repr=False)
    provider_name: str = ""
    signed_in: bool = False
    asked: frozenset[str] = frozenset()
    given: frozenset[str] = frozenset()
    """The challenges of the utility, and those that were answered, by their troubles."""
    renews: bool = False
    """Whether only the MFA set-up of an existing connection is renewed."""
    forward_to: str = ""
    mfa_address: str = ""
    proof: str | None = None
    connection_id: str | None = None
    submitted: bool = False
    refused_step: str = ""
    errors: Mapping[str, str] = field(default_factory=dict)
    entered: Mapping[str, Sequence[str]] = field(default_factory=dict, repr=False)
    """What was wrong with the last form, and what was entered in it, for the page that is shown next."""


@dataclass(frozen=True, slots=True)
class FlowVisit:
    """One request of a flow: its entry, the address of its forms, and what was entered."""

    entry: FlowEntry
    action: str
    flow: HostedFlow
    form: Mapping[str, Sequence[str]] = field(default_factory=dict)

    def entered(self, name: str) -> str:
        """Return the value of a form field; empty for one that is absent."""
        return next(iter(self.form.get(name, ())), "")

    @property
    def is_edit(self) -> bool:
        """Tell whether the flow edits a connection that existed before it."""
        return self.entry.connection_id is not None


def via_of(visit: FlowVisit) -> Via:
    """Return how a visit's changes reach the world."""
    return Via(visit.entry.channel, visit.entry.invitation_id, visit.flow.proof)


class HostedFlows:
    """The flows that have not expired."""

    def __init__(self, clock: Callable[[], float], token: Callable[[], str]) -> None:
        self._clock = clock
        self._token = token
        self._flows: dict[str, HostedFlow] = {}

    def draft(self, entry: FlowEntry) -> HostedFlow:
        """Return a flow that is not stored yet: the state of a page before its first post."""
        url, country = entry.prefill.get("url") or "", entry.prefill.get("country") or "US"
        expires_at = self._clock() + LIFETIME_SECONDS
        return HostedFlow("", entry.key, expires_at, url, country, bool(url), connection_id=entry.connection_id)

    def keep(self, flow: HostedFlow) -> None:
        """Store a flow under a new id; drop the expired ones, and the oldest when there are too many."""
        flow.id = self._token()
        self._flows = {key: each for key, each in self._flows.items() if each.expires_at > self._clock()}
        # A limit, since anyone may open pages, and each takes memory.
        while len(self._flows) >= FLOWS_MOST:
            del self._flows[next(iter(self._flows))]
        self._flows[flow.id] = flow

    def find(self, flow_id: str, entry: FlowEntry) -> HostedFlow | None:
        """Return the flow with that id, if it has that entry and has not expired."""
        flow = self._flows.get(flow_id)
        # A flow id from another link's page opens nothing here.
        if flow is None or flow.key != entry.key or flow.expires_at <= self._clock():
            return None
        return flow

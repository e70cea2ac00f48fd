"""What really happened, which the service can only infer: who made which connection, with which link."""

from dataclasses import dataclass, field
from typing import Literal

Channel = Literal["invitation", "link", "dashboard", "foreign", "before"]


@dataclass
class IssuedSession:
    """A session as the person holds it for whom it was made; `urls` are the provider's links its pages showed."""

    id: str
    user: str
    company: str
    choice: str
    embed: str
    redirect: str
    reconnects: str | None = None
    urls: list[str] = field(default_factory=list)
    revoked_at: float | None = None


@dataclass(frozen=True)
class Made:
    """One connection at the provider. `session` is whose link was used, whoever the person was.

    `created_at` is what the provider says; `at` is when it was.
    """

    id: str
    channel: Channel
    company_id: str
    created_at: float
    at: float
    session: str | None = None
    user: str | None = None
    by: str = ""
    url: str = ""
    after_revocation: bool = False


@dataclass
class GroundTruth:
    """Kept by the history, hidden from the service."""

    sessions: dict[str, IssuedSession] = field(default_factory=dict)
    owners: dict[str, str] = field(default_factory=dict)
    made: dict[str, Made] = field(default_factory=dict)
    removed: set[str] = field(default_factory=set)
    checks: list[tuple[float, str, str]] = field(
        default_factory=list
    )  # until when, of which connection, its status then
    claims: dict[str, list[str]] = field(default_factory=dict)
    reconnected: set[tuple[str, str]] = field(default_factory=set)
    statuses: dict[str, list[tuple[float, str]]] = field(default_factory=dict)  # of each connection: from when, which
    lived_until: float = 0.0
    clock_went_back: bool = False
    links_lied: bool = False
    stalled: bool = False

    def issue(self, issued: IssuedSession) -> None:
        self.sessions[issued.id] = issued

    def reveal(self, session_id: str, url: str) -> None:
        """A page of the session showed the provider's link: from now on anybody may hold it."""
        issued = self.sessions[session_id]
        if url not in issued.urls:
            issued.urls.append(url)
        self.owners[url] = session_id

    def make(self, made: Made) -> None:
        self.made[made.id] = made

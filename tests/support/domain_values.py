"""Domain values for tests that name only what they are about. All provider times count from `CREATED_AT`."""

from dataclasses import replace
from typing import Any

from service.domain.changes import CompanyRecords, Fact, FactKind, StoredFact
from service.domain.evidence import ConnectionFacts, NamedByInvitation, Reveal
from service.domain.model import (
    Candidate,
    Company,
    CompanyRef,
    Connection,
    ConnectionId,
    InvitationId,
    Link,
    LinkChoice,
    LinkKind,
    LinkStatus,
    Mode,
    ProviderCompanyId,
    ProviderSiteId,
    ProviderSnapshot,
    ReportedConnection,
    ReportedInvitation,
    Session,
    SessionId,
    Site,
    SiteRef,
    Tenant,
    UserId,
    UserRef,
    Verdict,
)
from service.domain.session_status import Progress, SessionStatus

NOW = 1_800_000_000.0
CREATED_AT = 1_700_000_000.0
TENANT = Tenant("default")
COMPANY = Company(CompanyRef("cmp_1"), TENANT, "acme", "Acme Ltd", ProviderCompanyId("company-1"), CREATED_AT - 600)
SITE = Site(SiteRef("sit_1"), "hq", "Headquarters", "1 Main St", ProviderSiteId("site-1"))
CONNECTION = ConnectionId("connection-1")


def who(user: str, session: str | None = None, tenant: str = "default") -> Candidate:
    return Candidate(SessionId(session or f"ses_{user}"), Tenant(tenant), UserRef(f"usr_{user}"))


ADA = who("ada")
BOB = who("bob")


def revealed(candidate: Candidate, after: float, revoked_after: float | None = None) -> Reveal:
    """Shown so many seconds after the connection was created (negative: before), and perhaps withdrawn."""
    return Reveal(candidate, CREATED_AT + after, None if revoked_after is None else CREATED_AT + revoked_after)


def named(candidate: Candidate | None, invitation: str = "inv_1") -> NamedByInvitation:
    return NamedByInvitation(InvitationId(invitation), candidate)


def history(**facts: Any) -> ConnectionFacts:
    sets: dict[str, Any] = {
        name: value if isinstance(value, bool) else frozenset(value) for name, value in facts.items()
    }
    return ConnectionFacts(CONNECTION, CREATED_AT, **sets)


def seen(
    connection: str = CONNECTION, status: str = "CONNECTED", after: float = 0.0, **fields: Any
) -> ReportedConnection:
    """A connection created so many seconds after `CREATED_AT`."""
    times = {"provider_created_at": CREATED_AT + after, "provider_updated_at": CREATED_AT + after}
    return ReportedConnection(ConnectionId(connection), status, **(times | fields))


def invitation(name: str = "inv_1", *created: str, after: float = -60.0, uses: int | None = None) -> ReportedInvitation:
    """An invitation that made these connections, itself made so many seconds after `CREATED_AT`."""
    ids = frozenset(map(ConnectionId, created))
    count = len(ids) if uses is None else uses
    return ReportedInvitation(InvitationId(name), "ACTIVE", count, ids, CREATED_AT + after)


def reading(*things: ReportedConnection | ReportedInvitation, after: float = 1.0) -> ProviderSnapshot:
    """Both lists, read so many seconds after `CREATED_AT`."""
    connections = tuple(thing for thing in things if isinstance(thing, ReportedConnection))
    invitations = tuple(thing for thing in things if isinstance(thing, ReportedInvitation))
    return ProviderSnapshot(CREATED_AT + after, connections, invitations)


def session(user: str = "ada", name: str | None = None, **fields: Any) -> Session:
    plain: dict[str, Any] = {
        "tenant": TENANT,
        "company": COMPANY,
        "sites": (SITE,),
        "mode": Mode.CONNECT,
        "link_choice": LinkChoice.AUTO,
        "link_kind": LinkKind.INVITATION,
        "link_status": LinkStatus.READY,
        "created_at": NOW,
        "expires_at": NOW + 3600,
        "serial": 1,
        "issued_at": int(NOW),
        "key_id": "k1",
        "opened_at": NOW,
    }
    status = fields.pop("status", None)
    tenant = fields.get("tenant", TENANT)
    ref = f"usr_{user}" if tenant == TENANT else f"usr_{tenant}_{user}"
    named = {"user": UserRef(ref), "user_id": UserId(user)}
    made = Session(id=SessionId(name or f"ses_{user}"), **(named | plain | fields))
    return with_status(made, status) if status is not None else made


def with_status(one: Session, status: SessionStatus, **fields: Any) -> Session:
    """The session after what gives it this status, with other fields changed too."""
    opened_at = None if status is SessionStatus.CREATED else one.opened_at or NOW
    plain = replace(one, opened_at=opened_at, left_at=None, over_at=None, revoked_at=None, failure=None)
    return replace(plain, **({"progress": Progress.NONE} | _LIVES.get(status, {}) | fields))


_LIVES: dict[SessionStatus, dict[str, Any]] = {
    SessionStatus.SUBMITTED: {"progress": Progress.SUBMITTED},
    SessionStatus.CONNECTED: {"progress": Progress.CONNECTED},
    SessionStatus.EXITED: {"left_at": NOW},
    SessionStatus.EXPIRED: {"over_at": NOW},
    SessionStatus.REVOKED: {"revoked_at": NOW},
    SessionStatus.FAILED: {"failure": "provider_error"},
}


def link(kind: LinkKind = LinkKind.INVITATION, invitation_id: str | None = "inv_1", given: float = -120.0) -> Link:
    """The provider's URL; a magic link has no invitation."""
    exact = InvitationId(invitation_id) if kind is LinkKind.INVITATION and invitation_id else None
    return Link(kind, "https://pages.example.com/p/connect/c/s", CREATED_AT + given, exact)


MAGIC = link(LinkKind.MAGIC_LINK)


def connection(verdict: Verdict | None = None, **fields: Any) -> Connection:
    plain: dict[str, Any] = {"reported": seen(), "recorded_at": NOW, "updated_at": NOW}
    values = plain | fields
    return Connection(values["reported"].id, COMPANY.ref, TENANT, verdict=verdict or Verdict(), **values)


def row(fact: Fact, owner: Session | None = None, recorded_at: float = NOW) -> StoredFact:
    return StoredFact(fact, recorded_at, owner.tenant if owner else None, owner.user if owner else None)


def reveal_row(owner: Session, after: float, edits: ConnectionId | None = None) -> StoredFact:
    return row(Fact(FactKind.REVEALED, edits, owner.id, provider_at=CREATED_AT + after), owner)


def records(*sessions: Session, **fields: Any) -> CompanyRecords:
    """What is known of `COMPANY`: these sessions, nothing recorded, no facts."""
    plain: dict[str, Any] = {
        "company": COMPANY,
        "facts": (),
        "connections": {},
        "sessions": {one.id: one for one in sessions},
        "by_invitation": {
            one.link.invitation_id: one.id for one in sessions if one.link and one.link.invitation_id is not None
        },
        "attached": {},
    }
    return CompanyRecords(**(plain | fields))


def with_link(one: Session, given: Link = MAGIC, **fields: Any) -> Session:
    return replace(one, link=given, link_kind=given.kind, **fields)

"""Decides whose a connection is, from its facts. Pure; the facts are sets, so their order cannot matter.

Invitations are exact: the provider lists what each one created. Magic links are not: the provider never reports which
link created a connection. So its owner is only presumed, and only where one user alone could have created it.

Reference: docs/attribution.md states every rule with the scenario that makes it necessary.
"""

from collections.abc import Iterable, Mapping
from types import MappingProxyType

from service.domain.changes import OwnInvitation
from service.domain.evidence import Claim, ConnectionFacts, Reveal
from service.domain.model import (
    Candidate,
    EvidenceKind,
    InvitationId,
    ProviderSnapshot,
    ReportedConnection,
    ReportedInvitation,
    Verdict,
)
from service.domain.timing import SETTLE_SECONDS, UNCERTAINTY_SECONDS, UNDECIDED_SECONDS

_NONE: Mapping[InvitationId, float] = MappingProxyType({})


def judge(facts: ConnectionFacts) -> Verdict:
    """The verdict that all facts together give."""
    named = frozenset(naming.candidate for naming in facts.namings)
    ours = frozenset(candidate for candidate in named if candidate is not None)
    if len(ours) == len(named) == 1:
        return Verdict(EvidenceKind.INVITATION, next(iter(ours)))
    claim = _standing_claim(facts)
    if claim is not None and ours <= {claim.candidate}:
        return Verdict(EvidenceKind.CLAIMED, claim.candidate)
    # The connection came by an invitation that we did not send, or by two that disagree. It did not come by a
    # magic link, so the sessions with a magic link are not considered.
    return Verdict(candidates=ours) if named else _sole_candidate(facts)


def judge_again(before: Verdict | None, facts: ConnectionFacts) -> Verdict:
    """Judge, but keep a presumed user who was announced: only an invitation or a claim overturns that.

    Otherwise a page started within the uncertainty after a connection was recorded would take it from its owner. Among
    that user's own sessions it may still move, to the one in which they say that they have finished.
    """
    now = judge(facts)
    if before is None or before.owner is None or not before.presumed:
        return now
    if facts.namings or now.kind is EvidenceKind.CLAIMED:
        return now
    moved = now.owner != before.owner and is_of_same_user(now.owner, before.owner)
    return now if moved else before


def is_of_same_user(one: Candidate | None, other: Candidate | None) -> bool:
    """Whether both are there and belong to one user of one tenant."""
    return one is not None and other is not None and _user_of(one) == _user_of(other)


def rules_out_invitations(
    connection: ReportedConnection,
    snapshot: ProviderSnapshot,
    unlisted: Iterable[OwnInvitation] = (),
    ended: Mapping[InvitationId, float] = _NONE,
) -> bool:
    """Whether this complete snapshot shows that no invitation can still name the connection.

    An invitation is used first and names what it created later. In between, somebody else's magic link would look like
    the only candidate. So where any invitation (ours or not) could have been used, only a snapshot well after the
    creation counts, in which every such invitation has named as many connections as it has uses. An invitation of ours
    that the list leaves out (`unlisted`) proves nothing until it appears, unless it had ended before.

    An invitation that cannot be read may have made anything. `ended`: since when it is known that an invitation had
    ended with unexplained uses. A connection that was created a day after that is not its work: otherwise one such
    invitation would leave every later connection of the company without an owner.
    """
    if snapshot.unread_invitations or any(_was_usable(invitation, connection) for invitation in unlisted):
        return False
    usable = [
        one
        for one in snapshot.invitations
        if _could_have_created(one, connection) and not _had_ended(ended.get(one.id), connection)
    ]
    if not usable:
        return snapshot.provider_at >= connection.provider_created_at - UNCERTAINTY_SECONDS
    if snapshot.provider_at < connection.provider_created_at + SETTLE_SECONDS:
        return False
    return all(one.is_explained and connection.id not in one.created for one in usable)


def is_wait_over(connection: ReportedConnection, snapshot: ProviderSnapshot) -> bool:
    """Whether no more evidence is waited for. A connection without an owner is then announced as ambiguous."""
    return snapshot.provider_at >= connection.provider_created_at + UNDECIDED_SECONDS


def claim_refusal(facts: ConnectionFacts, candidate: Candidate) -> str | None:
    """Why the host may not claim the connection for this session, or None if it may."""
    verdict = judge(facts)
    if any(naming.candidate not in {None, candidate} for naming in facts.namings):
        return "an invitation shows that another session made this connection"
    if verdict.owner is not None and not verdict.presumed and verdict.owner != candidate:
        return "this connection is already attributed"
    return None


def _standing_claim(facts: ConnectionFacts) -> Claim | None:
    standing = [claim for claim in facts.claims if not claim.undone]
    return min(standing, key=lambda claim: (claim.at, claim.candidate.session_id), default=None)


def _sole_candidate(facts: ConnectionFacts) -> Verdict:
    reveals = [r for r in facts.reveals if r.provider_at <= facts.provider_created_at + UNCERTAINTY_SECONDS]
    candidates = frozenset(reveal.candidate for reveal in reveals)
    able = [reveal for reveal in reveals if not _revoked_before(reveal, facts.provider_created_at)]
    users = {_user_of(candidate) for candidate in candidates}
    # A revoked link still makes its user a candidate: it may have been copied before, and a second user rules out both.
    if not able or len(users) > 1 or not facts.cleared:
        return Verdict(candidates=candidates, waiting=not (facts.cleared or facts.unclear))
    owner = _session_used(able, facts.provider_created_at)
    return Verdict(EvidenceKind.SOLE_CANDIDATE, owner, presumed=True, candidates=candidates)


def _session_used(reveals: list[Reveal], created_at: float) -> Candidate:
    """Which of one user's sessions made the connection: the one finished next after it, else the one opened last."""
    finished = [
        (at, reveal.candidate.session_id, reveal)
        for reveal in reveals
        for at in reveal.provider_finished_at
        if at >= created_at - UNCERTAINTY_SECONDS
    ]
    if finished:
        return min(finished, key=lambda one: one[:2])[2].candidate
    before = [reveal for reveal in reveals if reveal.provider_at <= created_at]
    # All within the uncertainty after the creation: the earliest, so that a page opened afterwards changes nothing.
    latest = max(before, key=_opened, default=None) or min(reveals, key=_opened)
    return latest.candidate


def _opened(reveal: Reveal) -> tuple[float, str]:
    return reveal.provider_at, reveal.candidate.session_id


def _user_of(candidate: Candidate) -> tuple[str, str]:
    return candidate.tenant, candidate.user


def _revoked_before(reveal: Reveal, created_at: float) -> bool:
    # A connection created within the clocks' uncertainty of the revocation counts as created after it, so that a
    # revoked link never makes its user the owner.
    return reveal.provider_revoked_at is not None and reveal.provider_revoked_at <= created_at + UNCERTAINTY_SECONDS


def _was_usable(invitation: OwnInvitation, connection: ReportedConnection) -> bool:
    from_at = invitation.provider_given_at - UNCERTAINTY_SECONDS
    return from_at <= connection.provider_created_at <= invitation.provider_ends_at + UNCERTAINTY_SECONDS


def _had_ended(ended_at: float | None, connection: ReportedConnection) -> bool:
    # A day, because a flow that was under way when the invitation ended may still have been finished.
    return ended_at is not None and ended_at + UNDECIDED_SECONDS <= connection.provider_created_at


def _could_have_created(invitation: ReportedInvitation, connection: ReportedConnection) -> bool:
    if invitation.edits is not None:
        return False
    return invitation.provider_created_at <= connection.provider_created_at + UNCERTAINTY_SECONDS

"""Whose connection is it: facts in, verdict out. Pure; every input is a set, so order cannot matter.

Invitations are exact: the provider lists what each one made. Magic links are not: the provider never says which link
made a connection, so that one is only ever presumed, and only when nobody else could have made it.
"""

from collections.abc import Iterable

from service.ledger import OwnInvitation
from service.model import (
    Candidate,
    Claim,
    EvidenceKind,
    History,
    Reading,
    Reveal,
    SeenConnection,
    SeenInvitation,
    Verdict,
)

# The provider's clocks may disagree by this much; it widens the set of candidates and never narrows it.
UNCERTAINTY_SECONDS = 5.0
# How long an invitation may have been used without yet naming what it made.
SETTLE_SECONDS = 120.0
# A use that is not explained by then never will be: its connection is gone. What it leaves open is told as it is.
UNCLEAR_SECONDS = 86400.0


def judge(history: History) -> Verdict:
    """The verdict that all facts together give."""
    named = frozenset(naming.who for naming in history.namings)
    ours = frozenset(who for who in named if who is not None)
    if len(ours) == len(named) == 1:
        return Verdict(EvidenceKind.INVITATION, next(iter(ours)))
    claim = _standing_claim(history)
    if claim is not None and ours <= {claim.who}:
        return Verdict(EvidenceKind.CLAIMED, claim.who)
    # An invitation made elsewhere, or two that contradict each other: certainly not a magic link's, and nobody's here.
    return Verdict(candidates=ours) if named else _sole_candidate(history)


def settle(before: Verdict | None, history: History) -> Verdict:
    """Judge, and keep what was announced: a presumed owner is overturned by an invitation or a claim, by nothing else.

    A page started within the uncertainty after a connection was recorded would otherwise take it from its owner.
    """
    now = judge(history)
    better = bool(history.namings) or now.kind is EvidenceKind.CLAIMED
    return now if before is None or not before.presumed or better else before


def clears(connection: SeenConnection, reading: Reading, unlisted: Iterable[OwnInvitation] = ()) -> bool:
    """Whether this complete reading shows that no invitation can still claim the connection.

    An invitation is used first and names what it made later; in between, a magic link of somebody else would look like
    the only candidate. So where any invitation (ours or not) could have been used, only a reading well after the
    creation counts, in which every one has named as many connections as it has uses. One of ours that the list leaves
    out (`unlisted`) shows nothing: the list will have it, or its time was over before.
    """
    if any(_was_usable(invitation, connection) for invitation in unlisted):
        return False
    usable = [invitation for invitation in reading.invitations if _could_have_made(invitation, connection)]
    if not usable:
        return reading.provider_at >= connection.provider_created_at - UNCERTAINTY_SECONDS
    if reading.provider_at < connection.provider_created_at + SETTLE_SECONDS:
        return False
    return all(len(i.created) >= i.use_count and connection.id not in i.created for i in usable)


def stays_unclear(connection: SeenConnection, reading: Reading) -> bool:
    """Whether it has been waited for long enough: nobody is presumed, and nobody waits any longer."""
    return reading.provider_at >= connection.provider_created_at + UNCLEAR_SECONDS


def claim_refusal(history: History, who: Candidate) -> str | None:
    """Why the host may not settle the connection for this session, or None if it may."""
    verdict = judge(history)
    if any(naming.who not in {None, who} for naming in history.namings):
        return "an invitation shows that another session made this connection"
    if verdict.who is not None and not verdict.presumed and verdict.who != who:
        return "this connection is already attributed"
    return None


def _standing_claim(history: History) -> Claim | None:
    standing = [claim for claim in history.claims if not claim.undone]
    return min(standing, key=lambda claim: (claim.at, claim.who.session_id), default=None)


def _sole_candidate(history: History) -> Verdict:
    reveals = [r for r in history.reveals if r.provider_at <= history.provider_created_at + UNCERTAINTY_SECONDS]
    candidates = frozenset(reveal.who for reveal in reveals)
    able = [reveal for reveal in reveals if not _revoked_before(reveal, history.provider_created_at)]
    users = {(who.tenant, who.user_id) for who in candidates}
    if not able or len(users) > 1 or not history.cleared:
        return Verdict(candidates=candidates, waiting=not (history.cleared or history.unclear))
    latest = max(able, key=lambda reveal: (reveal.provider_at, reveal.who.session_id))
    return Verdict(EvidenceKind.SOLE_CANDIDATE, latest.who, presumed=True, candidates=candidates)


def _revoked_before(reveal: Reveal, created_at: float) -> bool:
    # Within the uncertainty the revocation wins: what may have come through a withdrawn link is nobody's.
    return reveal.provider_revoked_at is not None and reveal.provider_revoked_at <= created_at + UNCERTAINTY_SECONDS


def _was_usable(invitation: OwnInvitation, connection: SeenConnection) -> bool:
    from_at = invitation.provider_given_at - UNCERTAINTY_SECONDS
    return from_at <= connection.provider_created_at <= invitation.provider_ends_at + UNCERTAINTY_SECONDS


def _could_have_made(invitation: SeenInvitation, connection: SeenConnection) -> bool:
    if invitation.edits is not None:
        return False
    return invitation.provider_created_at <= connection.provider_created_at + UNCERTAINTY_SECONDS

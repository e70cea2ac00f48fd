"""Revokes invitations that must not be used: those of a closed session, and those whose answers were lost.

The provider stores nothing of ours with an invitation. So one whose answer was lost is recognised by its lifetime,
which only its session's invitations have. It is revoked, and never used.
"""

import hashlib
import logging
from dataclasses import replace

from service.domain.model import InvitationId, ReportedInvitation, Session, SessionId
from service.domain.timing import (
    ANSWER_SECONDS,
    GRACE_SECONDS,
    INVITATION_EXTRA_SECONDS,
    LOST_SECONDS,
    UNCERTAINTY_SECONDS,
)
from service.errors import ProviderBroken, ProviderNotFound, ProviderRefused
from service.provider import Provider
from service.store import Store

_log = logging.getLogger(__name__)


class Withdrawals:
    """The jobs that revoke invitations, and the call that does it."""

    def __init__(self, store: Store, provider: Provider) -> None:
        self._store = store
        self._provider = provider

    async def revoke_invitations(self, session_id: SessionId) -> None:
        """Revoke every invitation that the session ever had, except the one that it still uses."""
        # Read the invitations before the session: one that is created in between is then not among them.
        created = await self._store.sessions.invitations(session_id)
        session = await self._store.sessions.get(session_id)
        used = session.link.invitation_id if session.link and not session.closed else None
        for invitation_id, given_at in created.items():
            if invitation_id != used:
                await self.revoke(invitation_id, given_at)

    async def sweep(self, session_id: SessionId) -> float | None:
        """Revoke the session's invitations whose answers were lost; return in how many seconds to check again."""
        intents = await self._store.intents.restarted_intents(session_id)
        over = [one for one in intents if one.age_seconds >= ANSWER_SECONDS]
        session = await self._store.sessions.get(session_id)
        lost = {invitation_seconds(replace(session, serial=one.serial)) for one in over}
        complete = not lost or await self._revoke_lost(session, lost)
        # The provider's lists may show a lost invitation late, so an intent stays open for LOST_SECONDS.
        done = [one for one in over if complete and one.age_seconds >= LOST_SECONDS]
        for one in done:
            await self._store.intents.complete(one.ref)
        return ANSWER_SECONDS if len(done) < len(intents) else None

    async def _revoke_lost(self, session: Session, lifetimes: set[int]) -> bool:
        """Return False where a matching invitation may belong to a call that is being answered at this moment."""
        if session.company.provider_id is None:
            return True
        try:
            listed = await self._provider.links.invitations(session.company.provider_id)
        except ProviderRefused as exc:
            # A list of a new company may come late, so it is asked for as long as an intent stays open, and no longer:
            # a provider without invitations refuses it for ever.
            _log.warning("a lost invitation is not found: %s", exc.detail, extra={"session": session.id})
            return True
        intents = await self._store.intents.open_intents(session.id)
        under_way = any(one.age_seconds < ANSWER_SECONDS for one in intents)
        known = await self._store.sessions.known_invitations({one.id for one in listed})
        unknown = [one for one in listed if one.id not in known and one.edits == session.connection_id]
        matching = [one for one in unknown if _matches(one, lifetimes)]
        provider_now = self._provider.provider_now()
        lost = [one for one in matching if not under_way and not _may_be_answered_now(one, provider_now)]
        for one in lost:
            _log.warning("revoking an invitation whose answer was lost", extra={"session": session.id})
            await self.revoke(one.id)
        return len(lost) == len(matching)

    async def revoke(self, invitation_id: InvitationId, given_at: float | None = None) -> None:
        """Revoke an invitation; where it was given moments ago (provider time), a 404 means "not yet".

        Raises ProviderFailure, but no refusal: what the provider does not revoke has ended already.
        """
        try:
            await self._provider.links.revoke_invitation(invitation_id)
        except ProviderRefused as exc:
            now = self._provider.provider_now()
            is_young = None not in (given_at, now) and (now or 0.0) - (given_at or 0.0) < LOST_SECONDS
            if isinstance(exc, ProviderNotFound) and is_young:
                raise ProviderBroken("The provider does not know this invitation yet; retry later") from exc
            _log.info("the provider does not revoke an invitation; it has ended already")


def invitation_seconds(session: Session) -> int:
    """How long its invitation is valid: longer than the session, so that a flow under way can be finished.

    The extra seconds are derived from the session: by them an invitation whose answer was lost is recognised.
    """
    return invitation_lifetime(session.id, session.serial, session.expires_at - session.issued_at)


def invitation_lifetime(session_id: str, serial: int, session_seconds: float) -> int:
    """For how many seconds an invitation is valid whose session lasts `session_seconds`."""
    digest = hashlib.sha256(f"{session_id}.{serial}".encode()).digest()
    extra = int.from_bytes(digest[:4]) % INVITATION_EXTRA_SECONDS
    return int(session_seconds + GRACE_SECONDS) + extra


def _matches(invitation: ReportedInvitation, lifetimes: set[int]) -> bool:
    ours = any(abs((invitation.lifetime_seconds or 0.0) - seconds) < 2.0 for seconds in lifetimes)
    return ours and invitation.status == "ACTIVE"


def _may_be_answered_now(invitation: ReportedInvitation, provider_now: float | None) -> bool:
    """Whether it is so young that another call may be receiving it now. False while the provider's time is unknown."""
    age = ANSWER_SECONDS if provider_now is None else provider_now - invitation.provider_created_at
    return -UNCERTAINTY_SECONDS <= age < ANSWER_SECONDS

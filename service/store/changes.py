"""Writes `Changes` inside an open transaction: rows, facts, events and jobs. Every method with a decision uses it."""

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from service.domain.changes import Attachment, Changes, CompletedIntent, Fact, FactKind, RefusedResult
from service.domain.erasure import without_personal_data
from service.domain.events import NewEvent
from service.domain.model import Clock, Connection, Session, SessionId, Tenant
from service.domain.timing import ANSWER_SECONDS
from service.errors import GivenUp, RepeatedLink
from service.store.encryption import Cipher
from service.store.engine import Transaction
from service.store.jobs import end_jobs, enqueue
from service.store.rows import assignments, connection_values
from service.store.session_rows import session_values

_FINISHED_MOST = 100  # facts of one session, whose user presses the button once for each account
_SESSION_FIXED = {"id", "tenant", "user_ref", "company_ref", "site_refs", "mode", "link_choice", "created_at"}


@dataclass(frozen=True, slots=True)
class WriteContext:
    """What writing needs beside the transaction: this service's clock, new ids ("prefix_…"), and the cipher."""

    clock: Clock
    new_id: Callable[[str], str]
    cipher: Cipher


def apply(
    tx: Transaction,
    context: WriteContext,
    changes: Changes,
    tenant: Tenant,
    company_ref: str,
    *,
    before: Mapping[SessionId, Session] = MappingProxyType({}),
) -> None:
    """Write all changes; the caller's transaction commits all of them or none.

    `before` are the sessions that the transaction read and locked: of these only what differs is written. So what none
    of this process's keys can decrypt stays as it is stored.

    With `completed_intent`, raises GivenUp where the intent may no longer be answered, and RepeatedLink where the
    provider gave an invitation that it had given before.
    """
    now = context.clock()
    # First, so that an answer that is too late writes nothing.
    if changes.completed_intent is not None:
        _complete_intent(tx, changes.completed_intent)
    for session in changes.sessions:
        save_session(tx, context, session, before.get(session.id))
    for connection in changes.connections:
        _save_connection(tx, connection)
    _write_company(tx, changes, company_ref, now)
    _attach_and_detach(tx, changes, now)
    _add_refused_results(tx, changes.refused_results, now)
    for event in changes.events:
        add_event(tx, context, event, tenant, company_ref)
    end_jobs(tx, *changes.ended_jobs)
    enqueue(tx, *changes.jobs)


def _write_company(tx: Transaction, changes: Changes, ref: str, now: float) -> None:
    for fact in changes.facts:
        add_fact(tx, fact, ref, now)
    if changes.polled_at is not None:  # an answered poll: none fails any more
        tx.run("UPDATE companies SET polled_at = :at, failed_at = NULL WHERE ref = :ref", at=changes.polled_at, ref=ref)


def save_session(tx: Transaction, context: WriteContext, session: Session, before: Session | None = None) -> None:
    """Update the columns of a session that may change; with `before`, which is what is stored, those that differ.

    One of an erased user is written whole, without personal data.
    """
    if session.user_id is None:
        session, before = without_personal_data(session), None
    values = {
        name: value for name, value in session_values(session, context.cipher).items() if name not in _SESSION_FIXED
    }
    if before is not None:
        values = _changed_values(values, context, session, before)
    tx.run(f"UPDATE sessions SET {assignments(values)} WHERE id = :id", id=session.id, **values)


def _changed_values(values: dict[str, Any], context: WriteContext, session: Session, before: Session) -> dict[str, Any]:
    # SQLite writes every index that has a column of the UPDATE, changed or not: a heartbeat changes one column of 60.
    stored = session_values(before, context.cipher)
    # The same text is encrypted differently each time, so these are compared as they are.
    kept = {"link_url"} if session.link == before.link else set[str]()
    kept |= {"user_email"} if session.user_email == before.user_email else set()
    # The stored status may be older than the rules by which a session that is read has its status now.
    return {
        name: value
        for name, value in values.items()
        if name == "status" or (name not in kept and value != stored[name])
    }


def _complete_intent(tx: Transaction, completed: CompletedIntent) -> None:
    link = completed.link
    # The intent is the right to use the answer, for ANSWER_SECONDS: afterwards the sweep may revoke the invitation.
    # An intent of a future time was written before the clock was set back, so its age is unknown.
    sql = "DELETE FROM intents WHERE ref = :ref AND called_at > :database_now - :seconds AND called_at <= :database_now"
    if not tx.run(sql, ref=completed.ref, seconds=ANSWER_SECONDS):
        raise GivenUp("The provider's answer came too late; repeat")
    inserted = tx.run(
        "INSERT INTO invitations (id, session_id, given_at, ends_at) VALUES (:id, :session, :given, :ends) "
        "ON CONFLICT (id) DO NOTHING",
        id=link.invitation_id,
        session=completed.session_id,
        given=link.provider_given_at,
        # Without a provider time (0), the invitation counts as usable at all times.
        ends=link.provider_given_at + completed.lifetime_seconds if link.provider_given_at else float("inf"),
    )
    # An invitation belongs to one session: one id in two answers would attribute a connection to the wrong user.
    if not inserted:
        raise RepeatedLink


_EVENT = (
    "INSERT INTO events (id, seq, drawn, tenant, type, at, session_id, connection_id, user_ref, data) VALUES "
    "(:id, {next_seq}, {drawn}, :tenant, :type, :at, :session, :connection, :user, :data)"
)
# A delivery for each enabled endpoint that wants this type and company, and one for the session's own address beneath
# an endpoint's. Its id follows from both ids. An endpoint gets no event about itself. Without endpoints it writes
# nothing.
# The pattern of LIKE is an expression. If it were a parameter, SQLite would plan the statement again for each value.
_DELIVERIES = """
INSERT INTO deliveries (id, tenant, endpoint_id, event_id, kind, url, lane, aside, status, next_at, drawn, created_at)
SELECT 'whd_' || :stem || SUBSTR(p.id, 5), p.tenant, p.id, :id, 'event', NULL, :lane, 0, 'pending', 0, {last_draw}, :at
FROM endpoints p WHERE p.tenant = :tenant AND p.status = 'enabled' AND p.id <> :about
AND (p.types = '' OR p.types LIKE '%,' || :type || ',%')
AND (p.company_id IS NULL OR p.company_id = (SELECT c.provider_id FROM companies c WHERE c.ref = :company))
UNION ALL
SELECT 'whd_' || :stem || SUBSTR(p.id, 5) || 'own', p.tenant, p.id, :id, 'own', s.webhook_url, 'own ' || s.id, 1,
'pending', 0, {last_draw}, :at
FROM sessions s JOIN endpoints p ON p.id = s.webhook_endpoint WHERE s.id = :session
AND p.tenant = :tenant AND p.status = 'enabled' AND (p.types = '' OR p.types LIKE '%,' || :type || ',%')
"""


def add_event(tx: Transaction, context: WriteContext, event: NewEvent, tenant: Tenant, company_ref: str = "") -> None:
    """Append an event to the log with its deliveries, and notify its listeners after the commit.

    It gets its position here (SQLite) or from the sequencer after the commit (PostgreSQL). `company_ref` is whose event
    it is, for endpoints that want those of one company.
    """
    event_id = context.new_id("evt")
    tx.run_both(
        _EVENT.format(next_seq=tx.dialect.next_seq, drawn=tx.dialect.drawn),
        _DELIVERIES.format(last_draw=tx.dialect.last_draw),
        id=event_id,
        tenant=tenant,
        type=event.type,
        at=context.clock(),
        session=event.session_id,
        connection=event.connection_id,
        user=event.user,
        data=json.dumps(dict(event.data)),
        stem=event_id.partition("_")[2],
        lane=event.session_id or event.connection_id or event.about_endpoint or event_id,
        about=event.about_endpoint,
        company=company_ref,
    )
    tx.notify(event.session_id)
    for session_id in event.also_of:
        sql = "INSERT INTO event_sessions (session_id, event_id) VALUES (:session, :event)"
        tx.run(sql, session=session_id, event=event_id)
        tx.notify(session_id)


def _save_connection(tx: Transaction, connection: Connection) -> None:
    values = connection_values(connection)
    names = ", ".join(values)
    marks = ", ".join(f":{name}" for name in values)
    # A recorded connection is overwritten, except for when it was recorded first: lists are sorted by that.
    rest = ", ".join(f"{name} = excluded.{name}" for name in values if name not in {"account", "id", "recorded_at"})
    tx.run(
        f"INSERT INTO connections ({names}) VALUES ({marks}) ON CONFLICT (account, id) DO UPDATE SET {rest}",
        **values,
    )
    _save_candidates(tx, connection)


def _save_candidates(tx: Transaction, connection: Connection) -> None:
    tx.run("DELETE FROM connection_candidates WHERE connection_id = :id", id=connection.id)
    verdict = connection.verdict
    for candidate in verdict.candidates if verdict.owner is None else ():
        tx.run(
            "INSERT INTO connection_candidates (connection_id, session_id, tenant, user_ref) VALUES "
            "(:id, :session, :tenant, :user)",
            id=connection.id,
            session=candidate.session_id,
            tenant=candidate.tenant,
            user=candidate.user,
        )


def add_fact(tx: Transaction, fact: Fact, company_ref: str, now: float) -> None:
    """Append a fact about the company. The same fact (see `Fact`) written before keeps its first time and actor."""
    if fact.kind is FactKind.FINISHED and _has_finished_often(tx, fact.session_id):
        return
    identity = [company_ref, fact.kind, fact.connection_id, fact.session_id, fact.invitation_id, fact.nonce]
    # The id is a digest of the identity, so ON CONFLICT makes writing a fact twice the same as writing it once.
    tx.run(
        "INSERT INTO facts (id, company_ref, kind, connection_id, session_id, invitation_id, provider_at, nonce, "
        "actor, recorded_at) VALUES (:id, :company, :kind, :connection, :session, :invitation, :provider_at, :nonce, "
        ":actor, :now) "
        "ON CONFLICT (id) DO NOTHING",
        id=hashlib.sha256(json.dumps(identity).encode()).hexdigest()[:40],
        company=company_ref,
        kind=fact.kind.value,
        connection=fact.connection_id,
        session=fact.session_id,
        invitation=fact.invitation_id,
        provider_at=fact.provider_at,
        nonce=fact.nonce,
        actor=fact.actor,
        now=now,
    )


def _has_finished_often(tx: Transaction, session_id: SessionId | None) -> bool:
    # Every poll of the company reads these facts: a page that says so all the time must not make polls slow.
    rows = tx.all(
        "SELECT id FROM facts WHERE session_id = :session AND kind = 'finished' LIMIT :most",
        session=session_id,
        most=_FINISHED_MOST,
    )
    return len(rows) == _FINISHED_MOST


def _add_refused_results(tx: Transaction, refused: Sequence[RefusedResult], now: float) -> None:
    for each in refused:
        tx.run(
            "INSERT INTO refused_results (session_id, user_ref, at) VALUES (:session, :user, :now)",
            session=each.session_id,
            user=each.user,
            now=now,
        )


def _attach_and_detach(tx: Transaction, changes: Changes, now: float) -> None:
    for detachment in changes.detachments:
        tx.run(
            "DELETE FROM session_connections WHERE session_id = :session AND connection_id = :connection",
            session=detachment.session_id,
            connection=detachment.connection_id,
        )
    for attachment in changes.attachments:
        _attach(tx, attachment, now)
    for advance in changes.advances:
        tx.run(
            "UPDATE session_connections SET progress = :progress WHERE session_id = :session "
            "AND connection_id = :connection",
            progress=int(advance.progress),
            session=advance.session_id,
            connection=advance.connection_id,
        )


def _attach(tx: Transaction, attachment: Attachment, now: float) -> None:
    # A connection that is attached already keeps its place in the session's list; its kind of evidence may change.
    tx.run(
        "INSERT INTO session_connections (session_id, connection_id, kind, at) "
        "VALUES (:session, :connection, :kind, :at) "
        "ON CONFLICT (session_id, connection_id) DO UPDATE SET kind = excluded.kind",
        session=attachment.session_id,
        connection=attachment.connection_id,
        kind=attachment.kind.value,
        at=now,
    )

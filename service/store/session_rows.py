"""Maps rows of sessions to domain values and back."""

import json
from collections.abc import Mapping, Sequence
from operator import itemgetter
from typing import Any

from service.domain.model import (
    Company,
    InvitationId,
    Link,
    LinkChoice,
    LinkKind,
    LinkStatus,
    Mode,
    Session,
    Site,
)
from service.domain.provider_steps import LogStep
from service.domain.session_status import Progress
from service.domain.theme import Theme
from service.store.encryption import Cipher
from service.store.engine import Row
from service.store.rows import company_of, optional


def sessions_of(rows: Sequence[Row], sites: Mapping[str, Site], cipher: Cipher) -> list[Session]:
    """Return the sessions in rows of SESSION_COLUMNS. `sites` are the stored sites by ref, theirs among them."""
    companies: dict[str, Company] = {}
    for row in rows:
        if row["company_ref"] not in companies:
            companies[row["company_ref"]] = company_of(row, "company_")
    return [_session_of(row, companies[row["company_ref"]], sites, cipher) for row in rows]


def site_refs_of(row: Row) -> list[str]:
    """Return the refs of the sites of a session, in its order."""
    refs: list[str] = json.loads(row["site_refs"])
    return refs


def _session_of(row: Row, company: Company, sites: Mapping[str, Site], cipher: Cipher) -> Session:
    # A list page has a hundred of these, so nothing is called that most rows do not need, and the fields are given by
    # their places: sixty names took the constructor twice as long.
    steps, theme, ancestors = row["provider_steps"], row["theme"], row["ancestors"]
    converted = {
        "user": row["user_ref"],
        "company": company,
        "sites": tuple([sites[ref] for ref in site_refs_of(row) if ref in sites]),
        "mode": MODES[row["mode"]],
        "link_choice": _LINK_CHOICES[row["link_choice"]],
        "link_kind": LINK_KINDS[row["link_kind"]],
        "link_status": LINK_STATUSES[row["link_status"]],
        "link": _link_of(row, cipher),
        "prefill": object_of(row["prefill"]),
        "metadata": object_of(row["metadata"]),
        "help_urls": object_of(row["help_urls"]),
        "progress": PROGRESS[row["progress"]],
        "user_email": _email_of(row, cipher),
        "provider_steps": _steps_of(steps) if steps else (),
        "theme": _PLAIN if theme == "{}" else _theme_of(theme),
        "ancestors": () if ancestors == "[]" else tuple(json.loads(ancestors)),
        "taken_over": bool(row["taken_over"]),
        "resume_by_host": bool(row["resume_by_host"]),
        "resumed_by_host": bool(row["resumed_by_host"]),
    }
    return Session(*_fields_of({**row, **converted}))


def object_of(text: str) -> dict[str, Any]:
    """Return the stored JSON object; most are empty."""
    return {} if text == "{}" else json.loads(text)


# During an upgrade a newer version may store steps and parts of a theme that this one does not know: they are left out.
def _steps_of(stored: str) -> tuple[LogStep, ...]:
    return tuple([_STEPS[word] for word in stored.split() if word in _STEPS])


def _theme_of(stored: str) -> Theme:
    return Theme(**{name: value for name, value in json.loads(stored).items() if name in Theme.__dataclass_fields__})


# A lookup takes a fifth of the time that the call of an enum takes.
MODES = {each.value: each for each in Mode}
_LINK_CHOICES = {each.value: each for each in LinkChoice}
LINK_KINDS = {each.value: each for each in LinkKind}
LINK_STATUSES = {each.value: each for each in LinkStatus}
PROGRESS = {each.value: each for each in Progress}
_STEPS = {each.value: each for each in LogStep}
_PLAIN = Theme()

_UNCONVERTED = (
    *("id", "tenant", "connection_id", "created_at", "expires_at", "serial", "issued_at", "key_id", "origin"),
    *("return_url", "locale", "user_label"),
    *("support_url", "failure", "page_hash", "page_serial", "resume_hash", "opened_at", "revealed_at"),
    *("finished_at", "seen_at", "revoked_at", "left_at", "over_at", "settled_at", "link_used_at", "invitation_uses"),
    *("webhook_url", "webhook_endpoint", "max_connections", "more_asked"),
    *("handoff_hash", "handoff_tries", "follower_hash", "follower_resume_hash"),
)
_fields_of = itemgetter(*Session.__dataclass_fields__)
_FLAGS = ("taken_over", "resume_by_host", "resumed_by_host")

# The tables and columns of a SELECT whose rows `sessions_of` reads.
SESSION_TABLES = "sessions s JOIN companies c ON c.ref = s.company_ref JOIN users u ON u.ref = s.user_ref"
SESSION_COLUMNS = """
  s.*, u.user_id, c.ref AS company_ref, c.external_id AS company_external_id, c.name AS company_name,
  c.provider_id AS company_provider_id, c.provider_since_at AS company_provider_since_at,
  c.polled_at AS company_polled_at, c.failed_at AS company_failed_at
"""


def session_values(session: Session, cipher: Cipher) -> dict[str, Any]:
    """Return every column of a session with its value, `company_ref` and `site_refs` included."""
    link = session.link
    flags = {name: int(getattr(session, name)) for name in _FLAGS}
    return (
        {name: getattr(session, name) for name in _UNCONVERTED}
        | flags
        | {
            "user_ref": session.user,
            "company_ref": session.company.ref,
            "site_refs": json.dumps([site.ref for site in session.sites]),
            "mode": session.mode.value,
            # Only lists read this column: a session that is read computes its status from the others.
            "status": session.status.value,
            "link_choice": session.link_choice.value,
            "link_kind": session.link_kind.value,
            "link_status": session.link_status.value,
            "user_email": cipher.encrypt(session.user_email, _email_row(session.id)) if session.user_email else None,
            # A copied database must contain no usable link: its URL lets anyone connect an account for this user.
            "link_url": cipher.encrypt(link.url, session.id) if link else None,
            "link_given_at": link.provider_given_at if link else None,
            "invitation_id": link.invitation_id if link else None,
            "prefill": json.dumps(dict(session.prefill)),
            "metadata": json.dumps(dict(session.metadata)),
            "help_urls": json.dumps(dict(session.help_urls)),
            "progress": int(session.progress),
            "provider_steps": " ".join(session.provider_steps),
            "theme": json.dumps(session.theme.as_stored()),
            "ancestors": json.dumps(session.ancestors),
        }
    )


def _link_of(row: Row, cipher: Cipher) -> Link | None:
    if row["link_url"] is None:
        return None
    return Link(
        LinkKind(row["link_kind"]),
        cipher.decrypt(row["link_url"], row["id"]),
        row["link_given_at"],
        optional(InvitationId, row["invitation_id"]),
    )


def _email_of(row: Row, cipher: Cipher) -> str | None:
    stored = row["user_email"]
    # Versions until 0.2.0 stored it as it is; a job encrypts those (`UserStore.encrypt_emails`).
    if stored is None or "@" in stored:
        return stored
    # "" where no key decrypts it: then no link may be made as if no address had been given.
    return cipher.decrypt(stored, _email_row(row["id"]))


def _email_row(session_id: str) -> str:
    # Not the id alone, with which the link is encrypted: one must not decrypt in the other's column.
    return f"{session_id}/email"


def encrypted_email(row: Row, cipher: Cipher) -> str:
    """Return the e-mail address of a row of `sessions`, which is stored as it is, encrypted."""
    return cipher.encrypt(row["user_email"], _email_row(row["id"]))

"""The fields of pages' contexts that a session gives: whose it is, what helps, and what became of it."""

from typing import Any

from service.domain.model import Session
from service.domain.page_view import PageSnapshot, waiting_for
from service.domain.statuses import has_stopped, needs_attention
from service.web.languages import Language
from service.web.pages.advice import words_of
from service.web.pages.brand import brand_of, masked
from service.web.pages.flow_view import ConnectionView


def named_fields(session: Session, language: Language) -> dict[str, Any]:
    """The fields of a NamedPage."""
    return {
        "lang": language.code,
        "brand": brand_of(session.theme),
        "company": session.company.name or session.company.external_id or language.say("your organisation"),
        "user_label": masked(session.user_label or session.user_email or "") or None,
        "support_url": session.support_url,
    }


def helped_fields(session: Session, language: Language) -> dict[str, Any]:
    """The fields of a HelpedPage."""
    help_urls = {f"help_{topic}": session.help_urls.get(topic) for topic in ("login", "upload", "mfa")}
    return named_fields(session, language) | help_urls


def connection_views(snapshot: PageSnapshot) -> tuple[ConnectionView, ...]:
    """The recorded connections, as the templates use them."""
    return tuple(
        ConnectionView(words=words_of(one), provider=one.reported.provider_name) for one in snapshot.connections
    )


def outcome_of(snapshot: PageSnapshot) -> Any:
    """Return the word of `DonePage.outcome` for this state of the session."""
    session, states = snapshot.session, [connection.state for connection in snapshot.connections]
    status = session.status.value
    # A session stays connected or submitted when the provider refuses or removes its account later.
    if status in {"connected", "submitted"}:
        return "attention" if states and all(map(has_stopped, states)) else status
    # `exited` may also mean that the session's time is over while its account asks something: then no user has left.
    if status == "exited" and session.over_at is not None:
        return "attention" if any(map(needs_attention, states)) else "expired"
    if status in {"exited", "expired", "revoked", "failed"}:
        return status
    return "attention" if any(map(needs_attention, states)) else waiting_for(snapshot).value

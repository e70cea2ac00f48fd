"""Webhook events: their types, and how a connection or a document is shown in one."""

from typing import Any

CREATED = "connection.created.v2"
UPDATED = "connection.updated.v2"
VALIDATED = "connection.validated.v2"
DOCUMENT_CREATED = "document.created.v2"
# The secrets of a connection's links are for API callers only. Since 2025 the events of a connection name neither its
# company nor its utility either: a receiver asks for the connection that `id` names.
NOT_IN_EVENTS = frozenset(
    {"publicCompanyId", "connectionMagicLinkSecret", "externalId", "isActive", "company", "datasource"}
)


def connection_event(event_type: str, shown: dict[str, Any]) -> dict[str, Any]:
    """Return the body of a connection's event, from the connection as the API shows it."""
    kept = {name: value for name, value in shown.items() if name not in NOT_IN_EVENTS}
    return {"eventType": event_type, **_with_naive_times(kept)}


def document_event(event_type: str, shown: dict[str, Any]) -> dict[str, Any]:
    """Return the body of a document's event; like the provider's it names its company and no connection."""
    return {"eventType": event_type, **_with_naive_times(shown)}


def _with_naive_times(shown: dict[str, Any]) -> dict[str, Any]:
    """Write the times without a zone suffix, as the provider's webhooks do."""
    return shown | {name: str(shown[name]).removesuffix("Z") for name in ("created", "updated")}

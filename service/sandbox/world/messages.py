"""Webhook messages: what waits to be sent, and how connections and documents look in one."""

from dataclasses import dataclass
from typing import Any

from service.sandbox.wire.times import naive_time
from service.sandbox.world.companies import Company
from service.sandbox.world.connections import Connection
from service.sandbox.world.rows import Noun

CREATED = "connection.created.v2"
UPDATED = "connection.updated.v2"
VALIDATED = "connection.validated.v2"
DOCUMENT_CREATED = "document.created.v2"
KEPT_FROM_EVENTS = ("publicCompanyId", "connectionMagicLinkSecret", "externalId", "isActive")


@dataclass(frozen=True)
class Message(Noun):
    """One webhook on its way; `body` is a snapshot, but for documents, whose body is made when it is sent."""

    event_type: str
    company_id: str
    connection_id: str
    due_at: float
    body: dict[str, Any] | None = None
    document_id: str | None = None
    attempt: int = 0
    copies: int = 1
    is_first: bool = False
    """To be sent before the API answers the call that caused it."""
    is_shuffled: bool = False


def connection_body(connection: Connection, company: Company, event_type: str) -> dict[str, Any]:
    """The body of a connection's event: the connection without the secrets of its links."""
    shown = {name: value for name, value in connection.as_wire(company).items() if name not in KEPT_FROM_EVENTS}
    times = {"created": naive_time(connection.created_at), "updated": naive_time(connection.updated_at)}
    return {"eventType": event_type, **shown, **times}


def document_body(document: dict[str, Any], event_type: str) -> dict[str, Any]:
    """The body of a document's event; it names its company and no connection, as the provider's does."""
    times = {name: str(document[name]).removesuffix("Z") for name in ("created", "updated")}
    return {"eventType": event_type, **document, **times}

"""Verifies the provider's webhooks and parses their events. Pure; raises only BadWebhook, whatever the bytes are.

A webhook event says that something happened to an id. The provider is then polled for what is true, so only ids and the
type are read from a body: an old or repeated webhook causes a poll and nothing else.
"""

import base64
import hashlib
import hmac
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NoReturn

from service.domain.model import JsonObject
from service.errors import BadBody, BadSignature

# Reference: the Standard Webhooks specification. A captured webhook can be replayed for this long; its id then repeats.
TOLERANCE_SECONDS = 300

_ID = re.compile(r"[A-Za-z0-9_-]{1,100}")
_TYPE = re.compile(r"[A-Za-z0-9_.-]{1,100}")
_MESSAGE_ID = re.compile(r"[\x21-\x7e]{1,255}")
_SIGNATURE = re.compile(r"v1,[A-Za-z0-9+/]{43}=")  # of one secret, in Base64
_UNKNOWN_SIGNATURE = "The webhook's signature is not by any secret that we know"
_CONNECTION_FIELDS = frozenset({"sitesRelations", "initialSites", "accounts", "datasource"})
_DOCUMENT_FIELDS = frozenset({"billDate", "lineItems", "usageData"})


@dataclass(frozen=True, slots=True)
class WebhookEvent:
    """A webhook event. `id` is the connection's or document's, as `type` begins; None where it has none of that form.

    An event of a connection always has its id; one of a document has an id or a company.
    """

    type: str
    id: str | None
    company_id: str | None

    def text(self) -> str:
        """Return what `parse_event` reads as an equal event: a body has megabytes, and the names of users."""
        return json.dumps({"eventType": self.type, "id": self.id, "company": self.company_id})


@dataclass(frozen=True, slots=True)
class GivenSignature:
    """What a webhook's headers say of its signature; the body may still be anybody's."""

    message_id: str
    timestamp: str
    signatures: Sequence[bytes]


def verify(secrets: Sequence[str], headers: Mapping[str, str], body: bytes, now: float) -> str:
    """Verify the signature and return the message id, which is the same at every retry. Raises BadSignature.

    `secrets` are "whsec_…", any of which may have signed; `now` is this service's clock.

    Reference: docs.svix.com/receiving/verifying-payloads/how-manual and the Standard Webhooks specification.
    """
    given = given_signature(headers, now)
    # The signature covers id and time, so an attacker cannot replay a body with another id or time.
    content = f"{given.message_id}.{given.timestamp}.".encode() + body
    for secret in secrets:
        expected = _signature(secret, content)
        if any([hmac.compare_digest(expected, each) for each in given.signatures]):  # noqa: C419 - all, in even time
            return given.message_id
    raise BadSignature(_UNKNOWN_SIGNATURE)


def given_signature(headers: Mapping[str, str], now: float) -> GivenSignature:
    """Return the headers that a signature needs, in their form and time. Raises BadSignature.

    It needs no body: one without these headers is not worth its memory.
    """
    message_id, timestamp, signatures = _of_one_family(headers)
    if not _MESSAGE_ID.fullmatch(message_id) or not re.fullmatch(r"[0-9]{1,12}", timestamp):
        raise BadSignature("The webhook is not signed")
    if abs(now - int(timestamp)) > TOLERANCE_SECONDS:
        raise BadSignature("The webhook's timestamp is more than five minutes off")
    given = [entry[3:].encode() for entry in signatures.split() if _SIGNATURE.fullmatch(entry)]
    if not given:
        raise BadSignature(_UNKNOWN_SIGNATURE)
    return GivenSignature(message_id, timestamp, given)


def parse_event(body: bytes) -> WebhookEvent:
    """Parse the body of a verified webhook; an unknown type is an event too. Raises BadBody."""
    event = _event(body)
    type_ = _type(event)
    identifier, company = _id(event.get("id")), _company_id(event.get("company"))
    # Reference: docs/provider.md, 11: the payload of a document is only inferred, and its company is all that is used.
    is_usable = identifier or (company and type_.startswith("document."))
    if not is_usable and type_.startswith(("connection.", "document.")):
        raise BadBody("The webhook's body has no id")
    return WebhookEvent(type_, identifier, company)


def _of_one_family(headers: Mapping[str, str]) -> tuple[str, str, str]:
    # All three headers of one family, Svix's names or the Standard Webhooks' names: an attacker must not mix them.
    lower = {name.lower(): value for name, value in headers.items()}
    family = "svix" if "svix-id" in lower else "webhook"
    return lower.get(f"{family}-id", ""), lower.get(f"{family}-timestamp", ""), lower.get(f"{family}-signature", "")


def _signature(secret: str, content: bytes) -> bytes:
    key = base64.b64decode(secret.removeprefix("whsec_"))
    return base64.b64encode(hmac.digest(key, content, hashlib.sha256))


def _event(body: bytes) -> JsonObject:
    try:
        found = json.loads(body.decode(), parse_constant=_no_constant)
    except (ValueError, RecursionError) as exc:
        raise BadBody("The webhook's body is not JSON") from exc
    if not isinstance(found, dict):
        raise BadBody("The webhook's body is not an event")
    inner = found.get("data")
    # No envelope is documented, but the catalogue is Svix's, whose customers often send {type, timestamp, data}.
    if isinstance(inner, dict) and "id" not in found:
        return {"eventType": found.get("type"), **inner}
    return found


def _no_constant(name: str) -> NoReturn:
    raise ValueError(name)


def _type(event: JsonObject) -> str:
    named = event.get("eventType") or event.get("type")
    if isinstance(named, str) and _TYPE.fullmatch(named):
        return named
    # The payloads of 2024 do not name their event, but no other has these fields.
    if named is None and _CONNECTION_FIELDS & event.keys():
        return "connection.unnamed"
    if named is None and _DOCUMENT_FIELDS & event.keys():
        return "document.unnamed"
    raise BadBody("The webhook's body does not say what happened")


def _id(value: Any) -> str | None:
    return value if isinstance(value, str) and _ID.fullmatch(value) else None


def _company_id(company: Any) -> str | None:
    # An object in a connection's payload, the bare id in a document's, and missing from the newest payloads.
    return _id(company.get("id")) if isinstance(company, dict) else _id(company)

"""The types of events, as they are documented: the only list of them.

It feeds the API's description, the reference page, the README's table and the tests. `events` makes the events.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class EventType:
    """A type as it is documented; `data` maps each field of the event's `data` to its JSON type.

    The fields of `users` are ids of users: null once that user was erased, and in the export of another user. A type
    that is not `on_pages` is for the host alone: no page, stream or message to a host page has it.
    """

    name: str
    description: str
    data: Mapping[str, str] = field(default_factory=dict)
    on_pages: bool = True
    users: frozenset[str] = frozenset()


EVENT_TYPES = (
    EventType("session.created", "A session was created."),
    EventType(
        "session.opened",
        "A page was started, or its user came back (`back`). `crossDevice`: another page was started before. "
        "`resumedBy` is `host` where only a value that the host's page kept shows that it is the same page.",
        {"crossDevice": "boolean", "resumedBy": "string", "back": "boolean"},
    ),
    EventType("session.link_ready", "The provider has given the link.", {"kind": "string"}),
    EventType("session.link_expired", "The link ended at the provider before it was used; another is made."),
    EventType("session.finished", 'The user said "I have finished". That is not evidence.'),
    EventType(
        "session.submitted",
        "A connection of the session is recorded, and the provider checks it: the user's part is done.",
        {"status": "string", "state": "string"},
    ),
    EventType("session.connected", "A connection of the session works.", {"status": "string", "state": "string"}),
    EventType(
        "session.reopened",
        "The connection that made its status was taken from it, because it belongs to another session (`reassigned`) "
        "or because its owner is unknown again (`unattributed`). `status` is the session's status without it.",
        {"reason": "string", "status": "string"},
    ),
    EventType(
        "session.progress",
        "The provider's log of its invitation names a `step` of its user: `viewed` (the page was opened), `verified` "
        "(an e-mail address), `submitted` or `revoked`. Each once; `providerAt` is the provider's time of it.",
        {"step": "string", "providerAt": "string"},
    ),
    EventType(
        "session.verify_failed",
        "Its signed result was presented to `POST /v1/verify` for another user (`presentedFor`): somebody else may "
        "have finished the flow. Nothing else changes. Once for each such user, for five of them at most. "
        "`presentedFor` is null once that user was erased.",
        {"presentedFor": "string"},
        on_pages=False,
        users=frozenset({"presentedFor"}),
    ),
    EventType(
        "session.exited",
        "The user left, or a page that had reported its presence was gone for a minute: the user may come back. Or, "
        'with `reason` "time", its time is over and its connection still asks something of the user. `stage` is '
        "`provider_viewed`, `provider_verified` or `provider_submitted` where the provider's log tells that much.",
        {"stage": "string", "reason": "string"},
    ),
    EventType(
        "session.expired",
        "Its time is over, and nothing was recorded for it. `linkUsed`: its link was used nevertheless, and the "
        "provider named nothing that came of it within a day.",
        {"linkUsed": "boolean"},
    ),
    EventType("session.revoked", "You ended it."),
    EventType("session.failed", "There is no link, or no longer one; `code` says why.", {"code": "string"}),
    EventType(
        "connection.recorded",
        "A connection was recorded for a user.",
        {"evidence": "string", "presumed": "boolean", "status": "string", "state": "string"},
    ),
    EventType(
        "connection.updated",
        "Its status changed, or a claim on it was made or undone.",
        {"status": "string", "state": "string", "from": "string", "claim": "string", "by": "string"},
    ),
    EventType(
        "connection.needs_attention",
        "Only the end user can mend it; `reconnect` names the call to make. Once until it works; where no page is "
        "present, after a second poll.",
        {"status": "string", "state": "string", "reconnect": "string"},
    ),
    EventType(
        "connection.reminder",
        "It began to need attention `day` days ago (1, 3, 10 or 30), has not worked since, and needs it now; "
        "`reconnect` names the call to make.",
        {"status": "string", "state": "string", "day": "integer", "reconnect": "string"},
    ),
    EventType(
        "connection.ambiguous",
        "Several users, or none, could have made it; see `candidates`, then claim it.",
        {"candidates": "array"},
    ),
    EventType(
        "connection.reassigned",
        "Another session than the one presumed made it; `from` and `to` name both sessions and their users.",
        {
            "evidence": "string",
            "presumed": "boolean",
            "status": "string",
            "state": "string",
            "from": "object",
            "to": "object",
        },
    ),
    EventType("connection.removed", "The provider no longer has it."),
    EventType(
        "endpoint.failing",
        "Every delivery to a webhook endpoint has failed for `percent` (50 or 90) percent of the five days after which "
        "it is disabled.",
        {"endpointId": "string", "percent": "integer"},
        on_pages=False,
    ),
    EventType(
        "endpoint.disabled",
        "A webhook endpoint gets no deliveries any more: it has answered 410 (`gone`) or nothing but failures for five "
        "days (`failing`).",
        {"endpointId": "string", "reason": "string"},
        on_pages=False,
    ),
    EventType(
        "document.available",
        "New bills can be read: `documentIds` names them, each once for its connection. `documents` is how many have "
        "been named until now. Without a connection: bills that were uploaded for the company `companyId`.",
        {"documents": "integer", "documentIds": "array", "companyId": "string"},
    ),
    EventType("user.exported", "What is stored about a user was exported, with the API key `by`.", {"by": "string"}),
    EventType(
        "user.erased",
        "A user was erased, with the API key `by`. After this, neither it nor any earlier event names a user.",
        {"by": "string"},
    ),
)


def event_names() -> Sequence[str]:
    """The names of all types, in the order of their documentation."""
    return [one.name for one in EVENT_TYPES]


def hidden_from_pages() -> Sequence[str]:
    """The names of the types that are for the host alone."""
    return [one.name for one in EVENT_TYPES if not one.on_pages]

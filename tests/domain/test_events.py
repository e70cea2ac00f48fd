"""Events: every type is documented, made by one function, and carries no more than its documentation says."""

import inspect
from collections.abc import Callable

import pytest

from service.domain import events
from service.domain.event_types import EVENT_TYPES, event_names
from service.domain.events import NewEvent
from service.domain.model import Candidate, EvidenceKind, LinkKind, UserRef, Verdict
from service.domain.provider_steps import LogEntry, LogStep
from tests.support.domain_values import COMPANY, connection, session

JSON_TYPES = {dict: "object", str: "string", bool: "boolean", int: "integer", list: "array"}
ADA = session()
OWNED = connection(Verdict(EvidenceKind.INVITATION, Candidate(ADA.id, ADA.tenant, ADA.user)))
AMBIGUOUS = Verdict(candidates=frozenset({Candidate(ADA.id, ADA.tenant, ADA.user)}))

BOB = Candidate(session("bob").id, ADA.tenant, session("bob").user)

MADE: dict[str, Callable[[], NewEvent]] = {
    "session_created": lambda: events.session_created(ADA),
    "session_opened": lambda: events.session_opened(ADA, cross_device=True),
    "session_reopened_by_user": lambda: events.session_reopened_by_user(ADA),
    "session_link_ready": lambda: events.session_link_ready(ADA, LinkKind.INVITATION),
    "session_link_expired": lambda: events.session_link_expired(ADA),
    "session_finished": lambda: events.session_finished(ADA),
    "session_submitted": lambda: events.session_submitted(ADA, OWNED),
    "session_connected": lambda: events.session_connected(ADA, OWNED),
    "session_reopened": lambda: events.session_reopened(ADA, "reassigned"),
    "session_progress": lambda: events.session_progress(ADA, LogEntry(LogStep.VIEWED, 1_700_000_000.0)),
    "session_verify_failed": lambda: events.session_verify_failed(ADA, UserRef("usr_mallory")),
    "session_exited": lambda: events.session_exited(ADA, "provider", "closed"),
    "session_expired": lambda: events.session_expired(ADA),
    "session_revoked": lambda: events.session_revoked(ADA),
    "session_failed": lambda: events.session_failed(ADA, "provider_refused"),
    "connection_recorded": lambda: events.connection_recorded(OWNED),
    "connection_reassigned": lambda: events.connection_reassigned(OWNED, BOB),
    "connection_status_changed": lambda: events.connection_status_changed(OWNED, "PENDING"),
    "connection_claimed": lambda: events.connection_claimed(OWNED.id, ADA.id, ADA.user, "key_1"),
    "connection_claim_undone": lambda: events.connection_claim_undone(OWNED, "key_1"),
    "connection_needs_attention": lambda: events.connection_needs_attention(OWNED),
    "connection_ambiguous": lambda: events.connection_ambiguous(OWNED, AMBIGUOUS),
    "connection_removed": lambda: events.connection_removed(OWNED),
    "connection_reminder": lambda: events.connection_reminder(OWNED, 3),
    "endpoint_failing": lambda: events.endpoint_failing("whe_1", 50),
    "endpoint_disabled": lambda: events.endpoint_disabled("whe_1", "gone"),
    "document_available": lambda: events.document_available(OWNED, 3, ["d1"]),
    "user_exported": lambda: events.user_exported(ADA.user, "key_1"),
    "user_erased": lambda: events.user_erased(ADA.user, "key_1"),
    "upload_available": lambda: events.upload_available(COMPANY, 1, ["d2"]),
}


def test_every_function_that_makes_an_event_is_tried_here() -> None:
    functions = {
        name
        for name, found in inspect.getmembers(events, inspect.isfunction)
        if found.__module__ == events.__name__ and inspect.signature(found).return_annotation is NewEvent
    }
    assert {name for name in functions if not name.startswith("_")} == MADE.keys()


@pytest.mark.parametrize("name", MADE)
def test_an_event_carries_what_its_type_documents(name: str) -> None:
    event = MADE[name]()
    documented = {one.name: one.data for one in EVENT_TYPES}[event.type]
    assert {field: JSON_TYPES[type(value)] for field, value in event.data.items()}.items() <= documented.items()


def test_every_documented_type_is_made_and_described_once() -> None:
    assert sorted({make().type for make in MADE.values()}) == sorted(event_names())


def test_an_event_of_an_owned_connection_names_its_session_and_user() -> None:
    event = events.connection_removed(OWNED)
    assert (event.session_id, event.user, event.connection_id) == (ADA.id, ADA.user, OWNED.id)


def test_candidates_of_another_tenant_are_not_named() -> None:
    foreign = Candidate(ADA.id, type(ADA.tenant)("elsewhere"), ADA.user)
    assert events.connection_ambiguous(OWNED, Verdict(candidates=frozenset({foreign}))).data == {"candidates": []}

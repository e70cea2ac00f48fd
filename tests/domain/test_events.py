"""Every function that makes an event makes a documented type with documented fields, and every type has one."""

import inspect
from collections.abc import Callable
from typing import Any

import pytest

from service.domain import events
from service.domain.events import EVENT_TYPES, NewEvent, event_names
from service.domain.model import Connection, EvidenceKind, LinkKind, Tenant, Verdict
from tests.support.company_records import RecordedCompany
from tests.support.domain_values import CONNECTION, invitation, link, seen, session, who, with_link

ADA = with_link(session("ada"), link())
DOCUMENTED = {one.name: one for one in EVENT_TYPES}
JSON_TYPES = {"boolean": bool, "string": str, "integer": int, "array": list}


def connection_of_ada() -> Connection:
    company = RecordedCompany(ADA)
    company.take(seen(), invitation("inv_1", CONNECTION))
    return company.connections[CONNECTION]


CANDIDATES = Verdict(None, None, candidates=frozenset({who("ada"), who("bob"), who("eve", tenant="another")}))
MADE: dict[str, Callable[[], NewEvent]] = {
    "session_created": lambda: events.session_created(ADA),
    "session_opened": lambda: events.session_opened(ADA, cross_device=True),
    "session_reopened_by_user": lambda: events.session_reopened_by_user(ADA),
    "session_link_ready": lambda: events.session_link_ready(ADA, LinkKind.INVITATION),
    "session_submitted": lambda: events.session_submitted(ADA),
    "session_connected": lambda: events.session_connected(ADA, connection_of_ada()),
    "session_exited": lambda: events.session_exited(ADA, "provider", "gone"),
    "session_expired": lambda: events.session_expired(ADA),
    "session_revoked": lambda: events.session_revoked(ADA),
    "session_failed": lambda: events.session_failed(ADA, "provider_refused"),
    "connection_recorded": lambda: events.connection_recorded(connection_of_ada()),
    "connection_reassigned": lambda: events.connection_reassigned(connection_of_ada()),
    "connection_status_changed": lambda: events.connection_status_changed(connection_of_ada(), "PENDING"),
    "connection_claimed": lambda: events.connection_claimed(CONNECTION, ADA.id, ADA.user_id, "key_1"),
    "connection_claim_undone": lambda: events.connection_claim_undone(connection_of_ada(), "key_1"),
    "connection_needs_attention": lambda: events.connection_needs_attention(connection_of_ada()),
    "connection_ambiguous": lambda: events.connection_ambiguous(connection_of_ada(), CANDIDATES),
    "connection_removed": lambda: events.connection_removed(connection_of_ada()),
    "document_available": lambda: events.document_available(connection_of_ada(), 3),
}


def test_a_candidate_of_another_tenant_is_left_out() -> None:
    made = events.connection_ambiguous(connection_of_ada(), CANDIDATES)
    assert (made.session_id, made.user_id, made.data) == (None, None, {"candidates": ["ses_ada", "ses_bob"]})
    assert Tenant("another") in {one.tenant for one in CANDIDATES.candidates}


def test_no_event_holds_a_url() -> None:
    assert [name for name, make in MADE.items() if "://" in str(make().data)] == []


def test_every_function_that_makes_an_event_is_tested_here() -> None:
    def makes_event(value: Any) -> bool:
        return inspect.isfunction(value) and inspect.signature(value).return_annotation is NewEvent

    found = {name for name, _ in inspect.getmembers(events, makes_event) if not name.startswith("_")}
    assert found == MADE.keys()


@pytest.mark.parametrize("name", MADE)
def test_an_event_has_a_documented_type_and_documented_fields(name: str) -> None:
    made = MADE[name]()
    documented = DOCUMENTED[made.type].data
    assert made.data.keys() <= documented.keys()
    assert all(type(value) is JSON_TYPES[documented[field]] for field, value in made.data.items())


def test_every_documented_type_and_field_is_made_by_a_function() -> None:
    fields: dict[str, set[str]] = {name: set() for name in DOCUMENTED}
    for make in MADE.values():
        fields[make().type] |= make().data.keys()
    assert fields == {name: set(one.data) for name, one in DOCUMENTED.items()}
    assert {make().type for make in MADE.values()} == DOCUMENTED.keys()


def test_the_names_are_in_the_order_of_the_documentation() -> None:
    assert list(event_names()) == list(DOCUMENTED)


def test_the_evidence_of_a_recorded_connection_is_named() -> None:
    made = events.connection_recorded(connection_of_ada())
    assert made.data == {"evidence": EvidenceKind.INVITATION.value, "presumed": False, "status": "CONNECTED"}
    assert (made.session_id, made.connection_id, made.user_id) == (ADA.id, CONNECTION, ADA.user_id)

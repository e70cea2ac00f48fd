"""The list of event types: each is described once, and some are for the host alone."""

from service.domain.event_types import EVENT_TYPES, event_names, hidden_from_pages


def test_every_type_is_listed_once_and_described_in_sentences() -> None:
    assert len(set(event_names())) == len(EVENT_TYPES)
    assert all(one.description.endswith((".", ")")) for one in EVENT_TYPES)


def test_pages_may_have_every_event_but_those_of_endpoints_and_of_a_result_presented_for_another_user() -> None:
    assert hidden_from_pages() == ["session.verify_failed", "endpoint.failing", "endpoint.disabled"]

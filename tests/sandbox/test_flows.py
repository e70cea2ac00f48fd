"""The stored state of a flow."""

import itertools

from service.sandbox.hosted.flows import FLOWS_MOST, LIFETIME_SECONDS, FlowEntry, FlowVisit, HostedFlows
from tests.support.clock import Clock

OPENING = FlowEntry("link/a", "company", "link", prefill={"url": "https://nectarclimate.com", "country": "GB"})


def flows_with(clock: Clock) -> HostedFlows:
    numbers = itertools.count()
    return HostedFlows(clock.now, lambda: f"flow-{next(numbers)}")


def test_a_flow_is_not_found_through_another_link(clock: Clock) -> None:
    flows = flows_with(clock)
    flow = flows.draft(OPENING)
    flows.keep(flow)
    assert flows.find(flow.id, OPENING) is flow
    assert flows.find(flow.id, FlowEntry("link/b", "company", "link")) is None
    assert flows.find("", OPENING) is None


def test_a_flow_expires_after_an_hour(clock: Clock) -> None:
    flows = flows_with(clock)
    flow = flows.draft(OPENING)
    flows.keep(flow)
    clock.advance(LIFETIME_SECONDS - 1)
    assert flows.find(flow.id, OPENING) is flow
    clock.advance(1)
    assert flows.find(flow.id, OPENING) is None


def test_the_oldest_flow_is_dropped_for_a_new_one(clock: Clock) -> None:
    flows = flows_with(clock)
    kept = [flows.draft(OPENING) for _ in range(3)]
    flows.keep(kept[0])
    flows._flows |= {f"filler-{number}": kept[0] for number in range(FLOWS_MOST - 1)}  # noqa: SLF001 - filling by hand
    flows.keep(kept[1])
    flows.keep(kept[2])
    assert flows.find("flow-0", OPENING) is None
    assert flows.find("flow-2", OPENING) is kept[2]


def test_a_draft_has_the_links_prefill_and_is_not_stored(clock: Clock) -> None:
    flow = flows_with(clock).draft(OPENING)
    assert (flow.id, flow.url, flow.country, flow.is_chosen) == ("", "https://nectarclimate.com", "GB", True)
    bare = flows_with(clock).draft(FlowEntry("link/b", "company", "link"))
    assert (bare.url, bare.country, bare.is_chosen) == ("", "US", False)


def test_a_flow_does_not_show_its_password_when_printed(clock: Clock) -> None:
    flow = flows_with(clock).draft(OPENING)
    flow.password = "do-not-print"
    assert "do-not-print" not in repr(flow)


def test_an_absent_field_reads_as_empty(clock: Clock) -> None:
    visit = FlowVisit(OPENING, "/p", flows_with(clock).draft(OPENING), {"url": ["a", "b"], "none": []})
    assert (visit.entered("url"), visit.entered("none"), visit.entered("other")) == ("a", "", "")

"""The connection flow without its pages: what it keeps between a form and the page that follows."""

import itertools

import pytest

from service.sandbox.hosted.flows import FlowEntry, HostedFlow, HostedFlows
from service.sandbox.hosted.wizard import ORDER, SHOWN_MOST, ConnectionWizard, WizardResult
from service.sandbox.settings import SandboxSettings
from service.sandbox.world.world import SandboxWorld
from tests.support.clock import Clock


@pytest.mark.parametrize(
    ("action", "address"),
    [("/p/i/t", "/p/i/t?flow=f&step=mfa"), ("/p/i/t?trouble=slow", "/p/i/t?trouble=slow&flow=f&step=mfa")],
)
def test_a_steps_address_keeps_the_query_of_the_first_page(action: str, address: str) -> None:
    assert WizardResult("f", "mfa").address(action) == address


def refused_flow(clock: Clock, entered: dict[str, list[str]]) -> HostedFlow:
    """The flow of somebody whose sign-in was refused."""
    world = SandboxWorld(SandboxSettings(), clock.now)
    company = world.companies.create({"name": "Acme"})
    numbers = itertools.count()
    wizard = ConnectionWizard(world, HostedFlows(clock.now, lambda: f"flow-{next(numbers)}"))
    entry = FlowEntry("link/a", company.id, "link", prefill={"url": "https://nectarclimate.com"})
    form = {"step": ["credentials"], "username": ["ada"], "password": ["wrong"], **entered}
    result = wizard.submit(entry, form)
    flow = wizard.flow_of(entry, result.flow_id)
    assert flow is not None
    assert (result.step, flow.refused_step) == ("credentials", "credentials")
    return flow


@pytest.mark.parametrize("field", ["password", "code", "answer1", "answer2", "no-field-of-the-page"])
def test_a_refused_form_is_kept_without_its_secrets_and_without_what_no_page_shows(clock: Clock, field: str) -> None:
    flow = refused_flow(clock, {field: ["a secret"]})
    assert flow.entered == {"step": ["credentials"], "username": ["ada"]}


def test_of_a_refused_form_no_more_is_kept_than_ten_thousand_flows_may_take(clock: Clock) -> None:
    flow = refused_flow(clock, {"url": ["x" * (SHOWN_MOST + 1)]})
    assert flow.entered == {}


def test_the_steps_have_one_order() -> None:
    assert len(set(ORDER)) == len(ORDER)
    assert (ORDER[0], ORDER[-1]) == ("email", "done")

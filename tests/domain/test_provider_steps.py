"""The stage of an exit: what the provider's log tells, and never more."""

import pytest

from service.domain.provider_steps import LogStep, exit_stage, furthest_step


@pytest.mark.parametrize("stage", ["confirming", "preparing", "attention", "left"])
def test_a_page_that_showed_another_screen_keeps_its_own_word(stage: str) -> None:
    assert exit_stage(stage, [LogStep.VIEWED]) == stage


@pytest.mark.parametrize("stage", ["provider", "page"])
@pytest.mark.parametrize("steps", [(), (LogStep.REVOKED,)])
def test_a_log_that_tells_nothing_of_the_user_changes_nothing(stage: str, steps: tuple[LogStep, ...]) -> None:
    assert exit_stage(stage, steps) == stage
    assert furthest_step(steps) is None


@pytest.mark.parametrize("stage", ["provider", "page"])
def test_the_furthest_step_is_the_stage(stage: str) -> None:
    assert exit_stage(stage, [LogStep.VIEWED]) == "provider_viewed"
    assert exit_stage(stage, [LogStep.VERIFIED, LogStep.VIEWED]) == "provider_verified"
    assert exit_stage(stage, [LogStep.VIEWED, LogStep.SUBMITTED, LogStep.REVOKED]) == "provider_submitted"

"""The steps that the provider's log of an invitation names, and the stage of an exit that follows from them."""

from collections.abc import Collection
from dataclasses import dataclass
from enum import StrEnum


class LogStep(StrEnum):
    """A step that the log names, as `data.step` of an event; a user takes them in this order."""

    VIEWED = "viewed"
    VERIFIED = "verified"
    SUBMITTED = "submitted"
    REVOKED = "revoked"


@dataclass(frozen=True, slots=True)
class LogEntry:
    """One entry of an invitation's log; `provider_at` is None where its time cannot be read."""

    step: LogStep
    provider_at: float | None


# A log can refine these stages of a page: the provider's page was shown, or the page disappeared.
_AT_PROVIDER = frozenset({"provider", "page"})
_FURTHEST = (LogStep.SUBMITTED, LogStep.VERIFIED, LogStep.VIEWED)


def furthest_step(steps: Collection[LogStep]) -> LogStep | None:
    """The furthest step that the user took; None where the log names none. REVOKED is not a step of the user."""
    return next((step for step in _FURTHEST if step in steps), None)


def exit_stage(stage: str, steps: Collection[LogStep]) -> str:
    """Where the user left: `provider_viewed` and the like where the log tells it, otherwise the page's own word.

    Between a view and a submission the log is silent: a user who left at the sign-in and one who left at a code look
    alike, so no stage says more than the log does.
    """
    furthest = furthest_step(steps)
    return f"provider_{furthest}" if furthest is not None and stage in _AT_PROVIDER else stage

"""Reminders of connections that need attention: at most one per step of an episode, none after its end."""

from dataclasses import dataclass

from service.domain.timing import REMINDER_DAYS

DAY_SECONDS = 86400.0


@dataclass(frozen=True, slots=True)
class ReminderStep:
    """What the job of an episode does now: remind for `day`, or nothing; and in how many seconds it runs again.

    `told` is how many steps are over then. A step that was missed, as by a service that was down, is told late; of
    several missed steps only the last is.
    """

    day: int | None
    told: int
    again_in_seconds: float | None


def reminder_step(attention_at: float | None, told: int, now: float) -> ReminderStep:
    """Decide for an episode that began at `attention_at`, None where the connection needs no attention any more."""
    if attention_at is None:
        return ReminderStep(None, 0, None)
    days = (now - attention_at) / DAY_SECONDS
    over = sum(day <= days for day in REMINDER_DAYS)
    day = REMINDER_DAYS[over - 1] if over > told else None
    told = max(told, over)
    following = REMINDER_DAYS[told] if told < len(REMINDER_DAYS) else None
    wait = None if following is None else max(1.0, attention_at + following * DAY_SECONDS - now)
    return ReminderStep(day, told, wait)

"""Reminders of connections that need attention: at most one per step of an episode, none after its end."""

from dataclasses import dataclass

from service.domain.timing import CONFIRMED_SECONDS, REMINDER_DAYS, REMINDER_RETRY_SECONDS

DAY_SECONDS = 86400.0


@dataclass(frozen=True, slots=True)
class ReminderStep:
    """What the job of an episode does now: remind for `day`, or nothing; and in how many seconds it runs again.

    `steps_done` is how many steps are over after that. A step that was missed, because the service or the provider was
    down, is made up for; of several missed steps only the last one is.
    """

    day: int | None
    steps_done: int
    again_in_seconds: float | None


def reminder_step(attention_at: float | None, steps_done: int, now: float, polled_at: float | None) -> ReminderStep:
    """Decide for an episode that began at `attention_at`; None where the connection needs no attention any more.

    `polled_at` is when the last poll began that the provider answered. Without a recent poll a step that is due waits:
    the account may have been mended since.
    """
    if attention_at is None:
        return ReminderStep(None, 0, None)
    days = (now - attention_at) / DAY_SECONDS
    over = sum(day <= days for day in REMINDER_DAYS)
    day = REMINDER_DAYS[over - 1] if over > steps_done else None
    # A poll of a later time than now was made before this clock was set back: it may be hours old.
    if day is not None and (polled_at is None or not 0 <= now - polled_at <= CONFIRMED_SECONDS):
        return ReminderStep(None, steps_done, _retry_seconds(now - attention_at - day * DAY_SECONDS))
    steps_done = max(steps_done, over)
    following = REMINDER_DAYS[steps_done] if steps_done < len(REMINDER_DAYS) else None
    wait = None if following is None else max(1.0, attention_at + following * DAY_SECONDS - now)
    return ReminderStep(day, steps_done, wait)


def _retry_seconds(late_seconds: float) -> float:
    shortest, longest = REMINDER_RETRY_SECONDS
    return min(max(shortest, late_seconds / 2), longest)

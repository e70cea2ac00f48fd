"""What one seed decides before anything happens: who is there, and how bad the world is to them."""

import random
from dataclasses import dataclass

from tests.simulation.provider import Behaviour

USERS = ("ada", "bob", "carol", "mallory")
COMPANIES = ("acme", "globex")

_FLOW = ("create", "work", "start", "work", "poll_page", "use_link", "deliver", "finish", "work", "listen")
_AGAIN = ("reconnect", "work", "start", "work", "poll_page", "use_link", "finish", "deliver", "work")
# Twice: which of the links that are known is used is left to chance.
_ANOTHER = ("another", "work", "poll_page", "use_link", "use_link", "use_link", "deliver", "work")
SCENARIOS = {
    "invitation": (("invitation",), 1, _FLOW),
    "magic-link": (("magic_link",), 1, _FLOW),
    "reconnect": (("auto",), 1, _FLOW + _AGAIN),
    "wrong-password": (("auto",), 2, (*_FLOW[:6], "wait", "work", "correct", "deliver", "work")),
    "another-account": (("invitation",), 1, (*_FLOW, *_ANOTHER)),
    "two-of-one-company": (("auto", "magic_link"), 2, ("create", *_FLOW, *_FLOW[2:])),
    "renewed-and-revoked": (
        ("auto",),
        2,
        (*_FLOW[:5], "renew", "work", "poll_page", "use_link", "revoke", "work", "poll_page"),
    ),
    "webhooks": (
        ("auto",),
        2,
        (
            "impair",
            "create",
            "impair",
            "work",
            "start",
            "send",
            "wait",
            "send",
            "renew",
            "wait",
            "mend",
            "send",
            "send",
        ),
    ),
}
_RECEIVERS = {"webhooks": 2}


@dataclass(frozen=True)
class Plan:
    """The circumstances of one history."""

    users: tuple[str, ...]
    companies: tuple[str, ...]
    choices: tuple[str, ...]
    processes: int
    steps: int
    crash_rate: float
    behaviour: Behaviour
    ours_off: float
    database_off: float
    skews: tuple[float, ...]
    webhooks: str
    troubles: bool
    outsiders: bool
    jumps: bool
    before: bool = False
    receivers: int = 0  # the host's webhook endpoints
    checks: bool = False  # the provider checks what is handed over, for up to three days, and finds any status
    script: tuple[str, ...] = ()

    @classmethod
    def scripted(cls, scenario: str) -> "Plan":
        """One of the scenarios: without troubles, its actions are known beforehand."""
        choices, processes, script = SCENARIOS[scenario]
        return cls(
            users=USERS[:1],
            companies=COMPANIES[:1],
            choices=choices,
            processes=processes,
            steps=len(script),
            crash_rate=0.0,
            behaviour=Behaviour(),
            ours_off=0.0,
            database_off=0.0,
            skews=(0.0,) * processes,
            webhooks="prompt",
            troubles=False,
            outsiders=False,
            jumps=False,
            receivers=_RECEIVERS.get(scenario, 0),
            script=script,
        )

    @classmethod
    def of(cls, rng: random.Random) -> "Plan":
        processes = rng.choices((1, 2, 3), (6, 3, 1))[0]
        many_machines = processes > 1 and rng.random() < 0.5
        return cls(
            users=USERS[: rng.choices((1, 2, 3, 4), (3, 4, 2, 1))[0]],
            companies=COMPANIES[: rng.choices((1, 2), (4, 1))[0]],
            choices=rng.choice((("auto",), ("magic_link",), ("auto", "magic_link"), ("auto", "magic_link"))),
            processes=processes,
            steps=rng.randrange(15, 60),
            crash_rate=rng.choices((0.0, 0.004, 0.015, 0.05), (3, 3, 3, 1))[0],
            behaviour=_behaviour(rng),
            ours_off=rng.choice((0.0, 0.0, 0.0, 600.0, -600.0, 2.0)),
            database_off=rng.choice((0.0, 0.0, -30.0, 600.0)),
            skews=tuple(rng.choice((0.0, -2.0, 30.0)) if many_machines else 0.0 for _ in range(processes)),
            webhooks=rng.choice(("prompt", "never", "chaos", "chaos")),
            troubles=rng.random() < 0.5,
            outsiders=rng.random() < 0.4,
            jumps=rng.random() < 0.3,
            before=rng.random() < 0.2,
            checks=rng.random() < 0.4,
            receivers=rng.choices((0, 1, 2), (4, 3, 2))[0],
        )


def _behaviour(rng: random.Random) -> Behaviour:
    return Behaviour(
        lag_seconds=rng.choice((0.0, 0.0, 0.0, 5.0, 40.0, 100.0, 110.0, 400.0)),
        late_seconds=rng.choice((0.0, 0.0, 0.0, 5.0, 30.0, 100.0)),
        page_size=rng.choice((500, 500, 2)),
        redirects=rng.random() < 0.5,
        bills=rng.random() < 0.03,
        untidy_rate=rng.choice((0.0, 0.0, 0.0, 0.3)),
    )

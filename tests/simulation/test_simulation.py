"""A short run of the simulation; `make simulate` runs the long one."""

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from tests.simulation.history import Runner
from tests.simulation.plan import SCENARIOS
from tests.simulation.runs import Sums, every_moment, run_scenario, runner_at

PARTS = range(3)
HISTORIES = 25  # of each part
EPISODES = 8  # of each part
MOMENTS = 6  # parts of a scenario's moments: every sixth moment runs here, `make soak` runs the others


@pytest.fixture
def memory() -> Iterator[Runner]:
    with closing(runner_at("")) as runner:
        yield runner


def live(runner: Runner, first: int, histories: int) -> Sums:
    sums = Sums()
    for seed in range(first, first + histories):
        sums.add(runner.run(seed))
    return sums


def check(sums: Sums, database: str) -> None:
    assert not sums.failed, "\n\n".join(run_scenario(outcome, database) for outcome in sums.failed[:2])


@pytest.mark.parametrize("part", PARTS)
def test_whatever_happens_nothing_is_lost_or_doubled_or_given_to_somebody_else(memory: Runner, part: int) -> None:
    sums = live(memory, 1 + part * HISTORIES, HISTORIES)
    check(sums, "memory")
    assert sums.crashes > HISTORIES
    assert min(sums.counts.exact, sums.counts.presumed, sums.counts.unattributed) > HISTORIES / 20


@pytest.mark.parametrize("part", PARTS)
def test_of_each_episode_every_reminder_comes_once_and_none_after_the_repair(memory: Runner, part: int) -> None:
    sums = Sums()
    for seed in range(1 + part * EPISODES, 1 + (part + 1) * EPISODES):
        sums.add(memory.run_episodes(seed))
    check(sums, "memory")
    assert sums.crashes > EPISODES


@pytest.mark.parametrize("part", [0, *(pytest.param(part, marks=pytest.mark.soak) for part in range(1, MOMENTS))])
@pytest.mark.parametrize("scenario", SCENARIOS)
def test_a_process_may_end_at_any_single_moment_of_a_scenario(memory: Runner, scenario: str, part: int) -> None:
    check(every_moment(memory, scenario, part, MOMENTS), "memory")


def test_the_same_histories_on_the_services_own_sqlite_engine(tmp_path: Path) -> None:
    with closing(runner_at(str(tmp_path))) as runner:
        check(live(runner, 1, 12), "sqlite")


def test_the_same_histories_on_postgresql(migrated_postgres_url: str) -> None:
    with closing(runner_at(migrated_postgres_url)) as runner:
        check(live(runner, 1, 6), "postgresql")


def test_a_seed_runs_the_same_history_twice(memory: Runner) -> None:
    assert memory.run(7).trace == memory.run(7).trace

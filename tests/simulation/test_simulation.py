"""A short run of the simulation; `make simulate` runs the long one."""

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from tests.simulation.history import Historian
from tests.simulation.plan import STORIES
from tests.simulation.runs import Sums, every_moment, historian_at, tell

PARTS = range(6)
HISTORIES = 25  # of each part


@pytest.fixture
def memory() -> Iterator[Historian]:
    with closing(historian_at("")) as historian:
        yield historian


def live(historian: Historian, first: int, histories: int) -> Sums:
    sums = Sums()
    for seed in range(first, first + histories):
        sums.add(historian.run(seed))
    return sums


def check(sums: Sums, database: str) -> None:
    assert not sums.failed, "\n\n".join(tell(outcome, database) for outcome in sums.failed[:2])


@pytest.mark.parametrize("part", PARTS)
def test_whatever_happens_nothing_is_lost_or_doubled_or_given_to_somebody_else(memory: Historian, part: int) -> None:
    sums = live(memory, 1 + part * HISTORIES, HISTORIES)
    check(sums, "memory")
    assert sums.crashes > HISTORIES
    assert min(sums.tally.exact, sums.tally.presumed, sums.tally.unattributed) > HISTORIES / 10


@pytest.mark.parametrize("part", PARTS)
@pytest.mark.parametrize("story", STORIES)
def test_a_process_may_end_at_any_single_moment_of_a_story(memory: Historian, story: str, part: int) -> None:
    check(every_moment(memory, story, part, len(PARTS)), "memory")


def test_the_same_histories_on_the_services_own_sqlite_engine(tmp_path: Path) -> None:
    with closing(historian_at(str(tmp_path))) as historian:
        check(live(historian, 1, 12), "sqlite")


def test_the_same_histories_on_postgresql(migrated_postgres_url: str) -> None:
    with closing(historian_at(migrated_postgres_url)) as historian:
        check(live(historian, 1, 12), "postgresql")


def test_a_seed_tells_the_same_history_twice(memory: Historian) -> None:
    assert memory.run(7).trace == memory.run(7).trace

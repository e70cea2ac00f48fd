"""A short run of the standstills; `make kill` runs the long one."""

import pytest

from tests.load.standstill import Plan, run


@pytest.mark.parametrize(("database", "workers"), [("sqlite", 1), ("postgresql", 3)])
def test_what_a_page_waits_for_goes_on_within_ten_seconds_of_its_workers_end(database: str, workers: int) -> None:
    found = run(Plan(rounds=3, database=database, workers=workers, people=4))
    assert found.faults == []
    assert found.jobs

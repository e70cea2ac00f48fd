"""A short run of the standstills; `make kill` runs the long one, with the limit of ten seconds."""

import pytest

from tests.load.standstill import Plan, run

# Other tests share the processors, so a new worker takes seconds to start. A lost lease used to cost 85 s and more.
_BUSY_SECONDS = 30.0
IN_SOAK = pytest.mark.soak


@pytest.mark.parametrize(("database", "workers"), [("sqlite", 1), pytest.param("postgresql", 3, marks=IN_SOAK)])
def test_what_a_page_waits_for_goes_on_soon_after_its_workers_end(database: str, workers: int) -> None:
    found = run(Plan(rounds=3, database=database, workers=workers, people=4, limit_seconds=_BUSY_SECONDS))
    assert found.faults == []
    assert found.jobs

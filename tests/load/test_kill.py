"""A short run of the killing; `make kill` runs the long one."""

import pytest

from tests.load.kill import Plan, run

IN_SOAK = pytest.mark.soak


@pytest.mark.parametrize(("database", "workers"), [pytest.param("sqlite", 1, marks=IN_SOAK), ("postgresql", 3)])
def test_workers_killed_under_load_lose_nothing_and_double_nothing(database: str, workers: int) -> None:
    findings = run(Plan(rounds=3, database=database, workers=workers, people=4, speed=30.0))
    assert findings.faults == []
    assert findings.exact
    assert findings.connections > findings.exact
    assert findings.submitted
    assert findings.checked
    assert findings.delivered > findings.connections

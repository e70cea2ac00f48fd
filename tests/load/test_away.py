"""Short troubles of the database under load; `make away` makes them half a minute long."""

import pytest

from tests.load.away import Plan, run

IN_SOAK = pytest.mark.soak


@pytest.mark.parametrize(("database", "seconds"), [("postgresql", 9.0), pytest.param("sqlite", 8.0, marks=IN_SOAK)])
def test_a_database_in_trouble_is_a_clear_refusal_and_all_goes_on_afterwards(database: str, seconds: float) -> None:
    # Long enough for an answer: a PostgreSQL that stands still is given up after 7 s, and SQLite waits 5 s for a lock.
    # Not faster: at 60, a machine that is busy for two seconds holds a call for longer than a lost one is waited for.
    findings, watch = run(Plan(database=database, seconds=seconds, people=2, speed=30.0))
    assert watch.faults == []
    assert findings.faults == []
    assert findings.exact

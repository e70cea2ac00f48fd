"""The parts of a request are parts of it: a figure for each, and together with the rest they make the whole."""

import pytest

from tests.load.bench_targets import SQLITE
from tests.load.request_parts import Measure, run


def test_each_request_has_its_parts_the_rest_and_its_floor() -> None:
    table = run(SQLITE, Measure(rounds=1, calls=32))
    assert list(table) == ["GET /embed/{token}", "GET /v1/sessions/{id}", "POST /v1/sessions"]
    for costs in table.values():
        whole, *parts, floor = costs.values()
        assert next(iter(costs)) == "whole"
        assert list(costs)[-2:] == ["the rest", "its floor"]
        assert sum(parts) == pytest.approx(whole)
        assert min(whole, floor, *parts[:-1]) > 0

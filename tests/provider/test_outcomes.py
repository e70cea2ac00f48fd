"""The names of outcomes in the metric of calls to the provider."""

import re
from pathlib import Path

from service.errors import (
    ProviderBroken,
    ProviderBusy,
    ProviderNotFound,
    ProviderRefused,
    ProviderTimeout,
    ProviderUnauthorized,
    ProviderUnreachable,
)
from service.provider.account import ProviderMethodRefused
from service.provider.outcomes import OK, outcome_of


def test_the_names_of_outcomes_are_those_that_dashboards_use() -> None:
    failures = [
        *(ProviderRefused(), ProviderNotFound(), ProviderMethodRefused(), ProviderUnauthorized(), ProviderBusy()),
        *(ProviderUnreachable(), ProviderTimeout(), ProviderBroken()),
    ]
    names = [
        *("refused", "not_found", "not_found", "unauthorized", "busy"),
        *("unreachable", "timed_out", "failed"),
    ]
    assert [outcome_of(failure) for failure in failures] == names
    operating = (Path(__file__).parents[2] / "docs" / "operating.md").read_text("utf-8")
    (row,) = [line for line in operating.splitlines() if line.startswith("| `magiclink_provider_calls_total`")]
    assert set(re.findall(r"`([a-z_]+)`", row)) - {"magiclink_provider_calls_total", "outcome"} == {OK, *names}

"""How `make soak-load` judges its samples, and what it finds of an overload; the long run itself is no test."""

from dataclasses import replace
from pathlib import Path
from typing import cast

import pytest

from tests.load.overload import Overload
from tests.load.processes import LoadServices
from tests.load.soak import Soak, SoakSample
from tests.load.stream_clients import Refusal

QUIET = SoakSample(80, 30, 15, 12, 0, 0, 0, 0, 0)


def judged(samples: list[SoakSample]) -> list[str]:
    soak = Soak(cast("LoadServices", None), Path(), samples)
    soak.judge()
    return soak.faults


def test_figures_that_stay_where_they_are_are_no_fault() -> None:
    assert judged([replace(QUIET, tasks=15 + number % 20) for number in range(60)]) == []


@pytest.mark.parametrize(("name", "by"), [("megabytes", 1), ("handles", 3), ("tasks", 5), ("late_jobs", 4)])
def test_what_grows_from_sample_to_sample_is_a_fault(name: str, by: int) -> None:
    (fault,) = judged([replace(QUIET, **{name: getattr(QUIET, name) + by * number}) for number in range(60)])
    assert fault.startswith(f"{name} grew")


def test_caches_that_fill_in_the_first_sixth_are_no_fault() -> None:
    assert judged([replace(QUIET, megabytes=60 + min(number, 10) * 4) for number in range(60)]) == []


def test_a_refusal_without_a_time_to_come_back_is_a_fault() -> None:
    overload = Overload("http://127.0.0.1:1", 1)
    overload.note_refusal(Refusal(503, "http/1.1 503 service unavailable\r\nretry-after: 2\r\n\r\n", b""))
    assert overload.faults == []
    overload.note_refusal(Refusal(503, "http/1.1 503 service unavailable\r\n\r\n", b""))
    overload.note_refusal(Refusal(500, "http/1.1 500 internal server error\r\nretry-after: 2\r\n\r\n", b""))
    assert len(overload.faults) == 2


def test_a_session_that_was_accepted_and_is_not_stored_is_a_fault() -> None:
    overload = Overload("http://127.0.0.1:1", 1, accepted=["ses_1", "ses_2"])
    assert overload.lost({"ses_1", "ses_2", "ses_3"}) == []
    assert overload.lost({"ses_1"}) == ["1 accepted sessions are not stored"]

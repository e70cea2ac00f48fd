"""Counting, and the text that a scraper reads."""

import re
from concurrent.futures import ThreadPoolExecutor

import pytest

from service.metrics import Counter, Gauge, Histogram, Metrics


def test_a_counter_without_labels_begins_at_nought() -> None:
    counter = Counter("things_total", "Things.")
    assert list(counter.lines()) == ["# HELP things_total Things.\n# TYPE things_total counter", "things_total 0"]


def test_a_counter_has_one_line_for_each_set_of_labels() -> None:
    counter = Counter("things_total", "Things.", "kind", "outcome")
    counter.inc("b", "ok")
    counter.inc("a", 'say "no"\n\\')
    counter.inc("b", "ok", by=2.5)
    assert list(counter.lines())[1:] == [
        'things_total{kind="a",outcome="say \\"no\\"\\n\\\\"} 1',
        'things_total{kind="b",outcome="ok"} 3.5',
    ]


def test_labels_must_be_all_of_them() -> None:
    counter = Counter("things_total", "Things.", "kind")
    counter.inc("a", "b")
    with pytest.raises(ValueError, match="zip"):
        list(counter.lines())


def test_a_gauge_rises_and_falls() -> None:
    gauge = Gauge("open_things", "Open things.")
    gauge.inc(by=3)
    gauge.inc(by=-1)
    assert list(gauge.lines()) == ["# HELP open_things Open things.\n# TYPE open_things gauge", "open_things 2"]
    gauge.set(1_234_567_890.5)
    assert list(gauge.lines())[-1] == "open_things 1234567890.5"


def test_a_histogram_counts_up_to_and_including_each_bound() -> None:
    histogram = Histogram("took_seconds", "Time.", "route", bounds=(0.1, 1.0))
    for seconds in (0.05, 0.1, 0.5, 7.0):
        histogram.observe(seconds, "/a")
    assert list(histogram.lines())[1:] == [
        'took_seconds_bucket{route="/a",le="0.1"} 2',
        'took_seconds_bucket{route="/a",le="1"} 3',
        'took_seconds_bucket{route="/a",le="+Inf"} 4',
        'took_seconds_sum{route="/a"} 7.65',
        'took_seconds_count{route="/a"} 4',
    ]


def test_the_page_is_in_the_exposition_format() -> None:
    metrics = Metrics()
    metrics.requests.inc("GET", "/v1/sessions", "200")
    metrics.request_seconds.observe(0.004, "/v1/sessions")
    metrics.streams.set(7)
    page = metrics.render()
    assert page.endswith("\n")
    line = re.compile(r'# (HELP|TYPE) [a-z_]+ .+|[a-z_]+({([a-z]+="[^"\n]*",?)+})? (\+Inf|[0-9.e+-]+)')
    assert [each for each in page.splitlines() if not line.fullmatch(each)] == []
    assert 'magiclink_requests_total{method="GET",route="/v1/sessions",status="200"} 1' in page.splitlines()
    assert "magiclink_streams 7" in page.splitlines()


def test_no_count_is_lost_between_threads() -> None:
    counter = Counter("things_total", "Things.", "kind")
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda _: counter.inc("a"), range(2000)))
    assert list(counter.lines())[-1] == 'things_total{kind="a"} 2000'

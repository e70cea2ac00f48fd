"""Metrics, and the text that Prometheus scrapes."""

import re
from concurrent.futures import ThreadPoolExecutor

import pytest

from service.telemetry.metrics import Metrics

LINE = re.compile(r'# (HELP|TYPE) [a-z_]+ .+|[a-z_]+({([a-z]+="(\\.|[^"\\\n])*",?)+})? (\+Inf|[0-9.e+-]+)')


def test_the_page_is_in_the_exposition_format() -> None:
    metrics = Metrics()
    metrics.request_answered("GET", "/v1/sessions", 200)
    metrics.request_timed("/v1/sessions", 0.004)
    page = metrics.render(streams=7)
    assert page.endswith("\n")
    assert [each for each in page.splitlines() if not LINE.fullmatch(each)] == []
    assert 'magiclink_requests_total{method="GET",route="/v1/sessions",status="200"} 1.0' in page.splitlines()
    assert 'magiclink_request_seconds_bucket{le="0.005",route="/v1/sessions"} 1.0' in page.splitlines()
    assert "magiclink_streams 7.0" in page.splitlines()


def test_the_names_of_the_metrics_are_those_that_dashboards_use() -> None:
    metrics = Metrics()
    metrics.request_answered("GET", "/docs", 200)
    metrics.request_timed("/docs", 0.1)
    metrics.provider_call("ok", 0.2)
    metrics.provider_item_unreadable("invitation")
    metrics.webhook_received("kept")
    metrics.result_verified("confirmed")
    metrics.job_ended("reconcile", "done")
    types = dict(re.findall(r"^# TYPE (\S+) (\S+)$", metrics.render(streams=0), re.MULTILINE))
    assert types == {
        "magiclink_requests_total": "counter",
        "magiclink_request_seconds": "histogram",
        "magiclink_provider_calls_total": "counter",
        "magiclink_provider_call_seconds": "histogram",
        "magiclink_provider_unread_items_total": "counter",
        "magiclink_webhooks_total": "counter",
        "magiclink_verifications_total": "counter",
        "magiclink_work_total": "counter",
        "magiclink_deliveries_total": "counter",
        "magiclink_delivery_seconds": "histogram",
        "magiclink_streams": "gauge",
    }


@pytest.mark.parametrize("outcome", ['say "no"', "two\nlines", "back\\slash"])
def test_a_label_cannot_break_its_line(outcome: str) -> None:
    metrics = Metrics()
    metrics.webhook_received(outcome)
    assert [each for each in metrics.render(streams=0).splitlines() if not LINE.fullmatch(each)] == []


def test_two_processes_in_one_count_apart() -> None:
    first, second = Metrics(), Metrics()
    first.webhook_received("kept")
    assert "magiclink_webhooks_total{" not in second.render(streams=0)


def test_no_count_is_lost_between_threads() -> None:
    metrics = Metrics()
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda _: metrics.webhook_received("kept"), range(2000)))
    assert 'magiclink_webhooks_total{outcome="kept"} 2000.0' in metrics.render(streams=0).splitlines()

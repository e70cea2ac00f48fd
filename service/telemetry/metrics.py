"""The metrics of one process, for Prometheus to scrape.

Labels hold words of this code (routes, outcomes), never ids or anything that a stranger writes, so that the series
stay few.
"""

from functools import lru_cache

import prometheus_client
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
_BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)

# Otherwise every counter has a second series with the time at which it began.
prometheus_client.disable_created_metrics()  # type: ignore[no-untyped-call]


class Metrics:
    """Counts in a registry of its own; any thread may count."""

    def __init__(self) -> None:
        registry = self._registry = CollectorRegistry()
        self._requests = Counter(
            "magiclink_requests", "Requests answered.", ("method", "route", "status"), registry=registry
        )
        self._request_seconds = Histogram(
            "magiclink_request_seconds", "Time to answer a request.", ("route",), registry=registry, buckets=_BUCKETS
        )
        self._provider_calls = Counter(
            "magiclink_provider_calls", "Calls to the provider, by outcome.", ("outcome",), registry=registry
        )
        self._provider_seconds = Histogram(
            "magiclink_provider_call_seconds", "Time of a call with its retries.", registry=registry, buckets=_BUCKETS
        )
        self._unreadable = Counter(
            "magiclink_provider_unread_items",
            "Items of the provider's lists that could not be read whole, each time their list was read.",
            ("kind",),
            registry=registry,
        )
        self._webhooks = Counter(
            "magiclink_webhooks", "Webhooks received from the provider.", ("outcome",), registry=registry
        )
        self._verifications = Counter(
            "magiclink_verifications", "Signed results that hosts asked about.", ("outcome",), registry=registry
        )
        self._jobs = Counter("magiclink_work", "Background jobs that ended.", ("kind", "outcome"), registry=registry)
        self._deliveries = Counter(
            "magiclink_deliveries", "Attempts at deliveries to hosts, by outcome.", ("outcome",), registry=registry
        )
        self._delivery_seconds = Histogram(
            "magiclink_delivery_seconds", "Time of an attempt at a delivery.", registry=registry, buckets=_BUCKETS
        )
        self._streams = Gauge("magiclink_streams", "Live streams that are open.", registry=registry)
        # Looking a child up by its labels takes a lock and builds a tuple of strings; each is looked up once.
        self._request_counter = lru_cache(maxsize=4096)(self._requests.labels)
        self._request_histogram = lru_cache(maxsize=1024)(self._request_seconds.labels)

    def request_answered(self, method: str, route: str, status: int) -> None:
        """Count one request."""
        self._request_counter(method, route, str(status)).inc()

    def request_timed(self, route: str, seconds: float) -> None:
        """Note how long one request took; a stream's length says nothing and is left out."""
        self._request_histogram(route).observe(seconds)

    def provider_call(self, outcome: str, seconds: float) -> None:
        """Count one call to the provider, with its retries."""
        self._provider_calls.labels(outcome).inc()
        self._provider_seconds.observe(seconds)

    def provider_item_unreadable(self, kind: str) -> None:
        """Count one item of a provider's list that could not be read, or not whole."""
        self._unreadable.labels(kind).inc()

    def webhook_received(self, outcome: str) -> None:
        """Count one webhook: `kept`, or the code of the refusal."""
        self._webhooks.labels(outcome).inc()

    def result_verified(self, outcome: str) -> None:
        """Count one signed result: `confirmed`, `refused`, or `other_user` where it was presented for another user."""
        self._verifications.labels(outcome).inc()

    def job_ended(self, kind: str, outcome: str) -> None:
        """Count one job: `done`, `put_off` or `dropped`."""
        self._jobs.labels(kind, outcome).inc()

    def delivery_attempted(self, outcome: str, seconds: float) -> None:
        """Count one attempt: `delivered`, `retried` or `failed`."""
        self._deliveries.labels(outcome).inc()
        self._delivery_seconds.observe(seconds)

    def render(self, streams: int) -> str:
        """Return the scraper's text; `streams` is how many are open now."""
        self._streams.set(streams)
        return prometheus_client.generate_latest(self._registry).decode()

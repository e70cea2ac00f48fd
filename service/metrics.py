"""What is counted and timed, and its text for a scraper.

Labels hold words of ours (routes, outcomes), never ids or what a stranger writes, so that the series stay few.
Reference: prometheus.io/docs/instrumenting/exposition_formats, text format 0.0.4.
"""

import math
from bisect import bisect_left
from collections.abc import Iterator
from itertools import accumulate
from threading import Lock

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)

Labels = tuple[str, ...]


class Counter:
    """Only rises. Values of labels come in the order of their names; any thread may count."""

    kind = "counter"

    def __init__(self, name: str, text: str, *labels: str) -> None:
        self.name = name
        self._text = text
        self._labels = labels
        self._lock = Lock()
        self._values: dict[Labels, float] = {} if labels else {(): 0.0}

    def inc(self, *labels: str, by: float = 1.0) -> None:
        """One more, or `by`."""
        with self._lock:
            self._values[labels] = self._values.get(labels, 0.0) + by

    def lines(self) -> Iterator[str]:
        """Its part of the page."""
        yield f"# HELP {self.name} {self._text}\n# TYPE {self.name} {self.kind}"
        with self._lock:
            values = sorted(self._values.items())
        for labels, value in values:
            yield f"{self.name}{_label_set(self._labels, labels)} {_number(value)}"


class Gauge(Counter):
    """Rises and falls."""

    kind = "gauge"

    def set(self, value: float, *labels: str) -> None:
        """What it is now."""
        with self._lock:
            self._values[labels] = value


class Histogram:
    """How often something took how many seconds."""

    def __init__(self, name: str, text: str, *labels: str, bounds: tuple[float, ...] = SECONDS) -> None:
        self.name = name
        self._text = text
        self._labels = labels
        self._bounds = (*bounds, math.inf)
        self._lock = Lock()
        self._counts: dict[Labels, list[int]] = {}
        self._sums: dict[Labels, float] = {}

    def observe(self, seconds: float, *labels: str) -> None:
        """It took so long once more."""
        with self._lock:
            counts = self._counts.setdefault(labels, [0] * len(self._bounds))
            counts[bisect_left(self._bounds, seconds)] += 1
            self._sums[labels] = self._sums.get(labels, 0.0) + seconds

    def lines(self) -> Iterator[str]:
        """Its part of the page."""
        yield f"# HELP {self.name} {self._text}\n# TYPE {self.name} histogram"
        with self._lock:
            rows = sorted(
                (labels, list(accumulate(counts)), self._sums[labels]) for labels, counts in self._counts.items()
            )
        names = (*self._labels, "le")
        for labels, counts, total in rows:
            for bound, count in zip(self._bounds, counts, strict=True):
                yield f"{self.name}_bucket{_label_set(names, (*labels, _number(bound)))} {count}"
            yield f"{self.name}_sum{_label_set(self._labels, labels)} {_number(total)}"
            yield f"{self.name}_count{_label_set(self._labels, labels)} {counts[-1]}"


class Metrics:
    """Everything that one process counts."""

    def __init__(self) -> None:
        self.requests = Counter("magiclink_requests_total", "Requests answered.", "method", "route", "status")
        self.request_seconds = Histogram("magiclink_request_seconds", "Time to answer a request.", "route")
        self.provider_calls = Counter("magiclink_provider_calls_total", "Calls to the provider, by outcome.", "outcome")
        self.provider_seconds = Histogram("magiclink_provider_call_seconds", "Time of a call with its repeats.")
        self.webhooks = Counter("magiclink_webhooks_total", "Webhooks received from the provider.", "outcome")
        self.work = Counter("magiclink_work_total", "Pieces of background work done.", "kind", "outcome")
        self.streams = Gauge("magiclink_streams", "Live streams that are open.")

    def provider_call(self, outcome: str, seconds: float) -> None:
        """One call to the provider, its repeats included."""
        self.provider_calls.inc(outcome)
        self.provider_seconds.observe(seconds)

    def render(self) -> str:
        """The page."""
        families = (each for each in vars(self).values() if isinstance(each, Counter | Histogram))
        return "".join(f"{line}\n" for family in families for line in family.lines())


def _label_set(names: Labels, values: Labels) -> str:
    pairs = [f'{name}="{_escaped(value)}"' for name, value in zip(names, values, strict=True)]
    return f"{{{','.join(pairs)}}}" if pairs else ""


def _escaped(value: str) -> str:
    return value.replace("\\", "\\\\").replace("\n", "\\n").replace('"', '\\"')


def _number(value: float) -> str:
    return "+Inf" if math.isinf(value) else f"{value:.15g}"

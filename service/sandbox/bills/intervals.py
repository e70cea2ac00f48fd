"""Smart-meter intervals: the hourly usage of the electricity meters in the days before the sample data came."""

import random
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

from service.sandbox.bills.bill import BillSource
from service.sandbox.bills.documents import identifiers_of
from service.sandbox.bills.metering import meters_of
from service.sandbox.wire.times import rest_time

DAYS = 14
HOURS = 24
KIND = "ELECTRICITY"


def intervals_for(source: BillSource) -> Iterator[dict[str, Any]]:
    """Yield the intervals, newest first; equal sources have equal intervals."""
    midnight = datetime.fromtimestamp(source.created_at, UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    meters = [meter for meter in meters_of(source) if meter.kind == KIND]
    for hour in range(DAYS * HOURS):
        end = midnight - timedelta(hours=hour)
        for meter in meters:
            # From the meter and the hour, so that no interval depends on another one.
            numbers = random.Random(f"{meter.id}/{end.isoformat()}")  # noqa: S311 - repeatable sample data
            by_day = 1.0 + 0.6 * (7 < end.hour <= 21)
            yield {
                "id": _uuid(numbers),
                "created": rest_time(source.created_at),
                "updated": rest_time(source.created_at),
                "identifiers": identifiers_of(meter),
                "account": meter.account_id,
                "start": rest_time((end - timedelta(hours=1)).timestamp()),
                "end": rest_time(end.timestamp()),
                "usage": f"{numbers.uniform(0.4, 1.1) * by_day:.3f}",
                "usageUnits": "kWh",
                "quality": "ACTUAL",
            }


def _uuid(numbers: random.Random) -> str:
    digits = f"{numbers.getrandbits(128):032x}"
    return f"{digits[:8]}-{digits[8:12]}-4{digits[13:16]}-a{digits[17:20]}-{digits[20:]}"

"""The types of fields that several bodies have, with their limits."""

from datetime import date
from typing import Annotated

from pydantic import AfterValidator, StringConstraints, WithJsonSchema

from service.web.request_body import DAY, NAME, PRINTABLE, UUID

Uuid = Annotated[str, StringConstraints(pattern=UUID, to_lower=True)]
Text = Annotated[str, StringConstraints(min_length=1, max_length=255, pattern=PRINTABLE)]
# The provider may refuse a blank name, for most sessions only after they were created: they would fail.
Name = Annotated[str, StringConstraints(min_length=1, max_length=255, pattern=NAME)]
Url = Annotated[str, StringConstraints(min_length=1, max_length=2048)]
MetadataKey = Annotated[str, StringConstraints(min_length=1, max_length=40)]
MetadataValue = Annotated[str, StringConstraints(max_length=500)]


def _in_the_calendar(day: str) -> str:
    # The provider refuses such a day too, but for most sessions only after the answer: they would be created, and fail.
    try:
        date.fromisoformat(day)
    except ValueError:
        raise ValueError("is not a day of the calendar") from None
    return day


Day = Annotated[
    str,
    StringConstraints(pattern=DAY),
    AfterValidator(_in_the_calendar),
    WithJsonSchema({"type": "string", "format": "date", "pattern": DAY}),
]

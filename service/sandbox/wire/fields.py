"""Checks of single JSON fields, with messages in the provider's style.

Unknown fields are ignored, as the provider's framework does. Every check raises `ValueError`, whatever is wrong.
"""

import re
from collections.abc import Callable, Collection, Mapping
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID

from service.sandbox.wire.errors import InvalidFields

Check = Callable[[Any], Any]

EMAIL = re.compile(r"[^@\s,;<>]+@[^@\s,;<>]+\.[^@\s.,;<>]+")


def read(body: Mapping[str, Any], checks: Mapping[str, Check], required: Collection[str] = ()) -> dict[str, Any]:
    """Return the checked values of the fields that are present; raises `InvalidFields` naming every wrong one."""
    # All wrong fields at once, so that a caller needs one attempt to correct them.
    errors: dict[str, list[str]] = {}
    values: dict[str, Any] = {}
    for name, check in checks.items():
        if name not in body:
            if name in required:
                errors[name] = ["This field is required."]
            continue
        try:
            values[name] = check(body[name])
        except ValueError as wrong:
            errors[name] = [str(wrong)]
    if errors:
        raise InvalidFields(errors)
    return values


def nullable(check: Check) -> Check:
    """Return the same check with null allowed."""
    return lambda value: None if value is None else check(value)


def text(least: int = 0, most: int = 1000) -> Check:
    """Return a check of a string, which is trimmed, and of its length."""

    def check(value: object) -> str:
        if not isinstance(value, str):
            raise ValueError("Not a valid string.")  # noqa: TRY004 - one exception for every wrong value
        trimmed = value.strip()
        if len(trimmed) < least:
            raise ValueError("This field may not be blank.")
        if len(trimmed) > most:
            raise ValueError(f"Ensure this field has no more than {most} characters.")
        # Neither can be stored as UTF-8 text in every database.
        if "\x00" in trimmed or any("\ud800" <= each <= "\udfff" for each in trimmed):
            raise ValueError("Null characters and lone surrogates are not allowed.")
        return trimmed

    return check


def secret(value: object) -> str:
    """Check a string and keep its spaces: a password may begin or end with one."""
    if not isinstance(value, str) or not 1 <= len(value) <= 1000:
        raise ValueError("This field may not be blank.")
    return value


def boolean(value: object) -> bool:
    """Check a JSON boolean."""
    if not isinstance(value, bool):
        raise ValueError("Must be a valid boolean.")  # noqa: TRY004 - one exception for every wrong value
    return value


def whole(least: int, most: int) -> Check:
    """Return a check of a JSON integer within limits; a boolean is not one."""

    def check(value: object) -> int:
        # In Python a boolean is an int.
        if not isinstance(value, int) or isinstance(value, bool):
            raise ValueError("A valid integer is required.")  # noqa: TRY004 - one exception for every wrong value
        if not least <= value <= most:
            raise ValueError(f"Ensure this value is between {least} and {most}.")
        return value

    return check


def pattern(expression: str, message: str) -> Check:
    """Return a check of a string that matches the whole expression."""

    def check(value: object) -> str:
        if not isinstance(value, str) or not re.fullmatch(expression, value, re.ASCII):
            raise ValueError(message)
        return value

    return check


def decimal(expression: str, most: int | None = None) -> Check:
    """Return a check of a decimal string of this form; with `most` it is between 0 and that."""
    form = pattern(expression, "A valid number is required.")

    def check(value: object) -> str:
        checked: str = form(value)
        # The provider's forms also fit a sign or a point alone, and the empty string.
        if not re.search(r"\d", checked):
            raise ValueError("A valid number is required.")
        if most is not None and not 0 <= Decimal(checked) <= most:
            raise ValueError(f"Ensure this value is between 0 and {most}.")
        return checked

    return check


def email(value: object) -> str:
    """Check an e-mail address: one @, a dot in the domain, no separators."""
    if not isinstance(value, str) or len(value) > 254 or not EMAIL.fullmatch(value):
        raise ValueError("Enter a valid email address.")
    return value


def iso_day(value: object) -> str:
    """Check a date `YYYY-MM-DD`."""
    if isinstance(value, str) and re.fullmatch(r"\d{4}-\d{2}-\d{2}", value, re.ASCII):
        return date.fromisoformat(value).isoformat()
    raise ValueError("Date has wrong format. Use one of these formats instead: YYYY-MM-DD.")


def moment(value: object) -> float:
    """Check an ISO date-time, or a date; without a zone it is UTC."""
    try:
        read = datetime.fromisoformat(value if isinstance(value, str) else "")
    except ValueError:
        raise ValueError("Datetime has wrong format. Use one of these formats instead: ISO 8601.") from None
    return (read if read.tzinfo else read.replace(tzinfo=UTC)).timestamp()


def uuid(value: object) -> str:
    """Check a UUID, and write it in lower case with hyphens."""
    try:
        return str(UUID(value if isinstance(value, str) else ""))
    except ValueError:
        raise ValueError("Must be a valid UUID.") from None


def web_url(value: object) -> str:
    """Check an http or https address with a host."""
    # Browsers read a backslash as a slash, so the host could be another one than it seems.
    if isinstance(value, str) and len(value) <= 2000 and not re.search(r"[\s\\\x00-\x1f]", value):
        try:
            parts = urlsplit(value)
        except ValueError:
            parts = urlsplit("")
        if parts.scheme in {"http", "https"} and parts.hostname:
            return value
    raise ValueError("Enter a valid URL.")


def country(value: object) -> str:
    """Check any two letters, and write them in capitals."""
    if isinstance(value, str) and re.fullmatch("[A-Za-z]{2}", value):
        return value.upper()
    raise ValueError("Must be a two-letter country code.")


def choice(options: Collection[str]) -> Check:
    """Return a check of one of the options."""

    def check(value: object) -> str:
        if isinstance(value, str) and value in options:
            return value
        raise ValueError(f'"{value}" is not a valid choice.')

    return check


def listing(item: Check, most: int, *, once: bool = True) -> Check:
    """Return a check of a list, in its order; repeated items are removed, unless `once` is off."""

    def check(value: object) -> list[Any]:
        if not isinstance(value, list):
            raise ValueError("Expected a list of items.")  # noqa: TRY004 - one exception for every wrong value
        if len(value) > most:
            raise ValueError(f"Ensure this field has no more than {most} elements.")
        # The limit comes first: an endless list is not checked item by item.
        checked = [item(entry) for entry in value]
        return list(dict.fromkeys(checked)) if once else checked

    return check

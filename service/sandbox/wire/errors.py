"""What can go wrong in the sandbox; each entry point turns it into its own answer."""

from collections.abc import Mapping, Sequence
from typing import Literal, TypeVar

ClosedReason = Literal["expired", "revoked", "fulfilled"]
T = TypeVar("T")


class SandboxError(Exception):
    """The root, so that an entry point can catch all of them at once."""


class RecordMissing(SandboxError):
    """No such object, or not one of the company in the path."""


class InvalidFields(SandboxError):
    """Refused input: JSON field names with their messages, in the style of Django REST framework."""

    def __init__(self, errors: Mapping[str, Sequence[str]]) -> None:
        super().__init__("; ".join(f"{name}: {' '.join(texts)}" for name, texts in errors.items()))
        self.errors = {name: list(texts) for name, texts in errors.items()}


class UnusableData(SandboxError):
    """The file of the data folder cannot be read or written; the text says why."""


class CompanyInactive(SandboxError):
    """The company was deactivated, so that it takes no uploads."""


class ClosedLink(SandboxError):
    """The link or invitation is known and no longer usable; `reason` says why."""

    def __init__(self, reason: ClosedReason) -> None:
        super().__init__(reason)
        self.reason: ClosedReason = reason


class EmailNotVerified(SandboxError):
    """The invitation is for certain e-mail addresses only, and this page has not verified one of them."""


def found(value: T | None) -> T:
    """Return the value itself; raises `RecordMissing` for None."""
    if value is None:
        raise RecordMissing
    return value

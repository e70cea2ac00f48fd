"""What can go wrong in the sandbox's world, before any door has chosen how to say it."""

from collections.abc import Mapping, Sequence
from typing import Literal

Closing = Literal["expired", "revoked", "fulfilled"]


class SandboxError(Exception):
    """The root, so that a door can catch all of them at once."""


class Missing(SandboxError):
    """No such object, or not below the company that was asked."""


class Invalid(SandboxError):
    """Refused input: wire field names with their messages, in the style of Django REST framework."""

    def __init__(self, errors: Mapping[str, Sequence[str]]) -> None:
        super().__init__("; ".join(f"{name}: {' '.join(texts)}" for name, texts in errors.items()))
        self.errors = {name: list(texts) for name, texts in errors.items()}


class ClosedLink(SandboxError):
    """The link or invitation is known and no longer usable; `reason` says why."""

    def __init__(self, reason: Closing) -> None:
        super().__init__(reason)
        self.reason: Closing = reason


class EmailNotVerified(SandboxError):
    """The invitation is for some e-mail addresses only, and none of them has been verified on this page."""

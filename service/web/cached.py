"""Answers that are the same for every caller: made once, kept in memory, and cached by browsers for five minutes."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property

from starlette.requests import Request
from starlette.responses import Response

# Five minutes: hosts never change the address `/embed.js`, and a corrected script must reach their users soon.
_CACHE = "public, max-age=300"
# For an address that names its content. Reference: RFC 8246.
IMMUTABLE = "public, max-age=31536000, immutable"
_MAX_TAGS = 20


@dataclass(frozen=True)
class CachedAnswer:
    """One answer. Sending it needs no file, and it has no byte ranges: a caller could ask for thousands of them."""

    content: bytes
    media_type: str
    headers: Mapping[str, str] = field(default_factory=dict)
    cache: str = _CACHE

    @cached_property
    def tag(self) -> str:
        """The entity tag, which changes with the content."""
        return f'"{hashlib.sha256(self.content).hexdigest()[:32]}"'

    def to(self, request: Request) -> Response:
        """Return the answer: 304 where the browser has it."""
        tag = self.tag
        headers = {"X-Content-Type-Options": "nosniff", **self.headers, "Cache-Control": self.cache, "ETag": tag}
        # Reference: RFC 9110, section 13.1.2: If-None-Match compares weakly.
        tags = request.headers.get("if-none-match", "").split(",", _MAX_TAGS)[:_MAX_TAGS]
        if {one.strip().removeprefix("W/") for one in tags} & {tag, "*"}:
            return Response(status_code=304, headers=headers)
        return Response(self.content, headers=headers, media_type=self.media_type)

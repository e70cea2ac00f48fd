"""Routes for integrators: the OpenAPI document, and the reference page made from it."""

import hashlib
import json
from collections.abc import Mapping
from functools import cached_property

from jinja2 import Environment
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from service.web.docs.openapi import document
from service.web.docs.reference_page import reference_page
from service.web.docs.schemas import Json
from service.web.headers import FramePolicy, page_headers

_CACHE = "public, max-age=300"


class DocsRoutes:
    """The handlers; each answer is made at its first request and then kept in memory."""

    def __init__(self, environment: Environment, public_url: str) -> None:
        self._environment = environment
        self._public_url = public_url

    def routes(self) -> list[Route]:
        """Return the table of routes."""
        return [Route("/openapi.json", self.openapi), Route("/docs", self.docs)]

    async def openapi(self, request: Request) -> Response:
        """GET /openapi.json."""
        return _cached(request, self._json, "application/json", {"X-Content-Type-Options": "nosniff"})

    async def docs(self, request: Request) -> Response:
        """GET /docs."""
        return _cached(request, self._html, "text/html", page_headers(FramePolicy()))

    @cached_property
    def _document(self) -> Json:
        return document(self._public_url)

    @cached_property
    def _json(self) -> bytes:
        return json.dumps(self._document, separators=(",", ":"), ensure_ascii=False).encode()

    @cached_property
    def _html(self) -> bytes:
        page = reference_page(self._document)
        fields = {name: getattr(page, name) for name in type(page).__dataclass_fields__}
        return self._environment.get_template(page.template).render(fields).encode()


def _cached(request: Request, content: bytes, media_type: str, headers: Mapping[str, str]) -> Response:
    tag = f'"{hashlib.sha256(content).hexdigest()[:32]}"'
    fields = {**headers, "Cache-Control": _CACHE, "ETag": tag}
    # Reference: RFC 9110, section 13.1.2: If-None-Match compares weakly.
    given = {one.strip().removeprefix("W/") for one in request.headers.get("if-none-match", "").split(",")}
    if given & {tag, "*"}:
        return Response(status_code=304, headers=fields)
    return Response(content, headers=fields, media_type=media_type)

"""Routes for integrators: the OpenAPI document, and the reference page made from it."""

import json
from functools import cached_property

from jinja2 import Environment
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from service.web.cached import CachedAnswer
from service.web.docs.openapi import document
from service.web.docs.reference_page import HomePage, reference_page
from service.web.docs.schemas import Json
from service.web.headers import FramePolicy, page_headers
from service.web.pages.contexts import Page


class DocsRoutes:
    """The handlers; each answer is made at its first request and then kept in memory."""

    def __init__(self, environment: Environment, public_url: str) -> None:
        self._environment = environment
        self._public_url = public_url

    def routes(self) -> list[Route]:
        """Return the table of routes."""
        return [
            Route("/", self.home),
            Route("/openapi.json", self.openapi),
            Route("/docs", self.docs),
        ]

    async def home(self, request: Request) -> Response:
        """GET /: what this service is, and where its documentation is."""
        return self._home.to(request)

    async def openapi(self, request: Request) -> Response:
        """GET /openapi.json."""
        return self._json.to(request)

    async def docs(self, request: Request) -> Response:
        """GET /docs."""
        return self._html.to(request)

    @cached_property
    def _document(self) -> Json:
        return document(self._public_url)

    @cached_property
    def _json(self) -> CachedAnswer:
        text = json.dumps(self._document, separators=(",", ":"), ensure_ascii=False)
        return CachedAnswer(text.encode(), "application/json")

    @cached_property
    def _html(self) -> CachedAnswer:
        return self._page(reference_page(self._document))

    @cached_property
    def _home(self) -> CachedAnswer:
        return self._page(HomePage())

    def _page(self, page: Page) -> CachedAnswer:
        fields = {name: getattr(page, name) for name in type(page).__dataclass_fields__}
        html = self._environment.get_template(page.template).render(fields)
        return CachedAnswer(html.encode(), "text/html", page_headers(FramePolicy()))

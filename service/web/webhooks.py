"""The route for the provider's webhook events: verified, stored, acknowledged, and processed later by a job."""

from collections.abc import Callable
from functools import partial

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from service.errors import MagiclinkError, NotFound
from service.usecases.webhooks_in import IncomingWebhooks
from service.web.api.problems import HANDLERS
from service.web.audience import AudienceApp
from service.web.request_body import read_raw


class WebhookRoutes:
    """`enabled` is whether a secret is set: without one nothing could be verified, so the route answers 404."""

    def __init__(self, webhooks: IncomingWebhooks, count: Callable[[str], None], *, enabled: bool) -> None:
        self._count = count
        self._webhooks = webhooks
        self._enabled = enabled

    def app(self) -> AudienceApp:
        """Return the app with its one route."""
        return AudienceApp([Route("/nectar", self.receive, methods=["POST"])], HANDLERS)

    async def receive(self, request: Request) -> Response:
        """POST /webhooks/nectar: 204 once it is stored; 401, 400 or 413 where it is refused; 404 where disabled."""
        if not self._enabled:
            raise NotFound
        # The raw bytes: the signature covers them, and JSON that is parsed and written again may differ.
        try:
            await self._webhooks.accept(dict(request.headers), partial(read_raw, request))
        except MagiclinkError as exc:
            self._count(exc.code)
            raise
        self._count("kept")
        return Response(status_code=204)

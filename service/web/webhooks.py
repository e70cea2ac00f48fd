"""The route for the provider's webhook events: verified, stored, acknowledged, and processed later by a job."""

import logging
from collections.abc import Callable

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from service.errors import BadSignature, MagiclinkError, NotFound
from service.telemetry.repeats import Repeats
from service.usecases.webhooks_in import IncomingWebhooks
from service.web.api.problems import HANDLERS
from service.web.audience import AudienceApp
from service.web.body_room import BodyRoom
from service.web.request_body import read_raw

_log = logging.getLogger(__name__)

# An event carries a whole object: a connection with hundreds of accounts, and how they were before, has 400 KB.
MAX_WEBHOOK_BYTES = 4 * 1024 * 1024
# A body is read before its signature can be verified, so an attacker's bodies must not fill the memory either.
MOST_BYTES_AT_ONCE = 64 * 1024 * 1024


class WebhookRoutes:
    """`enabled` is whether a secret is set: without one nothing could be verified, so the route answers 404.

    `monotonic` is a clock of seconds that only rises.
    """

    def __init__(
        self,
        webhooks: IncomingWebhooks,
        count: Callable[[str], None],
        monotonic: Callable[[], float],
        *,
        enabled: bool,
    ) -> None:
        self._count = count
        self._webhooks = webhooks
        self._enabled = enabled
        self._repeats = Repeats(monotonic)
        self._room = BodyRoom(MOST_BYTES_AT_ONCE, monotonic)

    def app(self) -> AudienceApp:
        """Return the app with its one route."""
        return AudienceApp([Route("/nectar", self.receive, methods=["POST"])], HANDLERS)

    async def receive(self, request: Request) -> Response:
        """POST /webhooks/nectar: 204 once it is stored; 401, 400 or 413 where it is refused; 404 where disabled.

        503 while more bodies are being read than there is room for, or where a slow one gave way to another.
        """
        if not self._enabled:
            raise NotFound

        # The raw bytes: the signature covers them, and JSON that is parsed and written again may differ.
        async def read_body() -> bytes:
            async with self._room.reading() as take:
                return await read_raw(request, MAX_WEBHOOK_BYTES, take)

        try:
            await self._webhooks.accept(dict(request.headers), read_body)
        except MagiclinkError as exc:
            self._count(exc.code)
            if isinstance(exc, BadSignature):
                self._report(exc.detail)
            raise
        self._count("kept")
        return Response(status_code=204)

    def _report(self, cause: str) -> None:
        # Anybody can post here, so a line for each refusal could be made to fill the disk.
        if not self._repeats.is_due(cause):
            return
        _log.warning(
            "a webhook event is refused: %s. If it is the provider's, compare MAGICLINK_PROVIDER_WEBHOOK_SECRETS with "
            "its portal, and this machine's clock with the time; otherwise somebody else posts to this address",
            cause,
        )

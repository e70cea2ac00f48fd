"""The routes of `/v1/webhook-endpoints` and `/v1/deliveries`."""

import re
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from service.domain.deliveries import DeliveryStatus
from service.domain.endpoints import EndpointSecret
from service.domain.event_json import iso
from service.domain.model import Tenant
from service.domain.requests import KeptAnswer, KeyLease, SessionRequest
from service.errors import InvalidRequest, NotFound, Problem
from service.usecases.webhooks_out import EndpointDetails, KeepDelivery, KeepEndpoint, OutgoingWebhooks
from service.web.api.bodies import NoFields
from service.web.api.endpoint_answers import (
    DeliveryListJson,
    EndpointListJson,
    ReplayJson,
    delivery_json,
    endpoint_json,
)
from service.web.api.endpoint_bodies import ChangeEndpoint, CreateEndpoint, ReplaySince
from service.web.api.idempotency import Answer, IdempotentRoutes, Rendering, kept_answer
from service.web.api.query import PAGING, next_cursor, paging_of, query_of
from service.web.request_body import parse, read_json, read_optional_json

# A stored answer holds this in place of a secret: the id of its row. A stolen table of answers gives no secret away.
_SECRET = "_secret"  # noqa: S105 - the name of a field

Handler = Callable[[Request, Tenant], Awaitable[Response]]


class EndpointRoutes:
    """The handlers; each is one call of the API."""

    def __init__(self, webhooks: OutgoingWebhooks, idempotent: IdempotentRoutes) -> None:
        self._webhooks = webhooks
        self._idempotent = idempotent

    def table(self) -> Sequence[tuple[str, str, Handler]]:
        """The routes: path, method and handler."""
        return [
            ("/webhook-endpoints", "POST", self.create),
            ("/webhook-endpoints", "GET", self.list_endpoints),
            ("/webhook-endpoints/{id}", "GET", self.get),
            ("/webhook-endpoints/{id}", "PATCH", self.change),
            ("/webhook-endpoints/{id}", "DELETE", self.delete),
            ("/webhook-endpoints/{id}/rotate-secret", "POST", self.rotate),
            ("/webhook-endpoints/{id}/test", "POST", self.test),
            ("/webhook-endpoints/{id}/replay", "POST", self.replay),
            ("/webhook-endpoints/{id}/deliveries", "GET", self.list_deliveries),
            ("/deliveries/{id}", "GET", self.get_delivery),
            ("/deliveries/{id}/replay", "POST", self.replay_delivery),
        ]

    async def create(self, request: Request, tenant: Tenant) -> Response:
        """POST /v1/webhook-endpoints."""
        raw = await read_json(request)
        body: CreateEndpoint = parse(CreateEndpoint, raw)
        wanted = body.to_request()

        async def run(key: KeyLease | None) -> Answer:
            keep = _keep_made(key)
            return _made(*await self._webhooks.create(tenant, wanted, request.state.key_id, keep))

        return await self._idempotent.run(request, tenant, raw, run, Rendering(201, self._with_secret))

    async def list_endpoints(self, request: Request, tenant: Tenant) -> Response:
        """GET /v1/webhook-endpoints."""
        query_of(request, PAGING)
        after, limit = paging_of(request)
        found = await self._webhooks.list_page(tenant, after, limit + 1)
        following = next_cursor([(one.endpoint.id, one.endpoint.created_at) for one in found], limit)
        page: EndpointListJson = {"data": [endpoint_json(one) for one in found[:limit]], "next": following}
        return JSONResponse(page)

    async def get(self, request: Request, tenant: Tenant) -> Response:
        """GET /v1/webhook-endpoints/{id}."""
        query_of(request, set())
        return JSONResponse(endpoint_json(await self._webhooks.get(tenant, _endpoint_id(request))))

    async def change(self, request: Request, tenant: Tenant) -> Response:
        """PATCH /v1/webhook-endpoints/{id}."""
        body: ChangeEndpoint = parse(ChangeEndpoint, await read_json(request))
        endpoint_id = _endpoint_id(request)
        _, secret = await self._webhooks.change(tenant, endpoint_id, body.to_request(), request.state.key_id)
        answer = endpoint_json(await self._webhooks.get(tenant, endpoint_id))
        return JSONResponse(answer if secret is None else {**answer, "secret": secret.key})

    async def delete(self, request: Request, tenant: Tenant) -> Response:
        """DELETE /v1/webhook-endpoints/{id}."""
        await self._webhooks.delete(tenant, _endpoint_id(request), request.state.key_id)
        return Response(status_code=204)

    async def rotate(self, request: Request, tenant: Tenant) -> Response:
        """POST /v1/webhook-endpoints/{id}/rotate-secret."""
        raw = await read_optional_json(request)
        parse(NoFields, raw)

        async def run(key: KeyLease | None) -> Answer:
            keep = _keep_made(key)
            return _made(*await self._webhooks.rotate(tenant, _endpoint_id(request), request.state.key_id, keep))

        return await self._idempotent.run(request, tenant, raw, run, Rendering(200, self._with_secret))

    async def test(self, request: Request, tenant: Tenant) -> Response:
        """POST /v1/webhook-endpoints/{id}/test."""
        raw = await read_optional_json(request)
        parse(NoFields, raw)

        async def run(key: KeyLease | None) -> Answer:
            return delivery_json(await self._webhooks.test(tenant, _endpoint_id(request), _keep_delivery(key)))

        return await self._idempotent.run(request, tenant, raw, run, Rendering(202))

    async def replay(self, request: Request, tenant: Tenant) -> Response:
        """POST /v1/webhook-endpoints/{id}/replay."""
        raw = await read_json(request)
        body: ReplaySince = parse(ReplaySince, raw)
        since, endpoint_id = body.since_at(), _endpoint_id(request)

        def answer(replay_id: str) -> ReplayJson:
            return {"id": replay_id, "endpointId": endpoint_id, "since": iso(since)}

        async def run(key: KeyLease | None) -> Answer:
            def keep(replay_id: str) -> KeptAnswer | None:
                return kept_answer(key, answer(replay_id))

            return answer(await self._webhooks.replay(tenant, endpoint_id, since, keep))

        return await self._idempotent.run(request, tenant, raw, run, Rendering(202))

    async def list_deliveries(self, request: Request, tenant: Tenant) -> Response:
        """GET /v1/webhook-endpoints/{id}/deliveries."""
        query = query_of(request, PAGING | {"status"})
        status = query.get("status")
        if status is not None and status not in set(DeliveryStatus):
            raise InvalidRequest([Problem("/status", "is not the status of a delivery")])
        after, limit = paging_of(request)
        found = await self._webhooks.deliveries(tenant, _endpoint_id(request), status, after, limit + 1)
        following = next_cursor([(one.id, one.created_at) for one in found], limit)
        page: DeliveryListJson = {"data": [delivery_json(one) for one in found[:limit]], "next": following}
        return JSONResponse(page)

    async def get_delivery(self, request: Request, tenant: Tenant) -> Response:
        """GET /v1/deliveries/{id}."""
        query_of(request, set())
        return JSONResponse(delivery_json(await self._webhooks.delivery(tenant, _delivery_id(request))))

    async def replay_delivery(self, request: Request, tenant: Tenant) -> Response:
        """POST /v1/deliveries/{id}/replay."""
        raw = await read_optional_json(request)
        parse(NoFields, raw)

        async def run(key: KeyLease | None) -> Answer:
            keep = _keep_delivery(key)
            return delivery_json(await self._webhooks.replay_delivery(tenant, _delivery_id(request), keep))

        return await self._idempotent.run(request, tenant, raw, run, Rendering(202))

    async def with_own_address(self, tenant: Tenant, wanted: SessionRequest) -> SessionRequest:
        """The request with the endpoint above the session's own address. Raises InvalidRequest."""
        if wanted.webhook_url is None:
            return wanted
        return replace(wanted, webhook_endpoint=await self._webhooks.endpoint_above(tenant, wanted.webhook_url))

    async def _with_secret(self, stored: Answer) -> Answer:
        secret = await self._webhooks.secret(str(stored[_SECRET]))
        return {**{name: value for name, value in stored.items() if name != _SECRET}, "secret": secret.key}


def _made(details: EndpointDetails, secret: EndpointSecret) -> Answer:
    return {**endpoint_json(details), _SECRET: secret.id}


def _keep_made(key: KeyLease | None) -> KeepEndpoint:
    return lambda details, secret: kept_answer(key, _made(details, secret))


def _keep_delivery(key: KeyLease | None) -> KeepDelivery:
    return lambda delivery: kept_answer(key, delivery_json(delivery))


def _endpoint_id(request: Request) -> str:
    return _id(request, "whe")


def _delivery_id(request: Request) -> str:
    return _id(request, "whd")


def _id(request: Request, prefix: str) -> str:
    text = str(request.path_params["id"])
    if not re.fullmatch(rf"{prefix}_[0-9A-Za-z]{{8,64}}", text, re.ASCII):
        raise NotFound
    return text

"""What every call of `/v1` has in common: the API key is checked first, and no cache may store the answer."""

from collections.abc import Awaitable, Callable, Mapping

from starlette.requests import Request
from starlette.responses import Response

from service.domain.model import Tenant
from service.usecases.api_keys import ApiKeys
from service.web.api.query import query_of

Handler = Callable[[Request, Tenant], Awaitable[Response]]


def api_endpoint(keys: ApiKeys, handlers: Mapping[str, Handler]) -> Callable[[Request], Awaitable[Response]]:
    """Return the endpoint of one path; `handlers` are its methods. The key's id is in `request.state.key_id`."""

    async def endpoint(request: Request) -> Response:
        caller = await keys.caller_of(request.headers.get("authorization"))
        request.state.key_id = caller.key_id  # claims, exports and erasures are audited
        method = "GET" if request.method == "HEAD" else request.method
        # A misspelled parameter of a call that changes something must not be ignored.
        if method != "GET":
            query_of(request, set())
        response = await handlers[method](request, caller.tenant)
        response.headers["Cache-Control"] = "no-store"
        return response

    return endpoint

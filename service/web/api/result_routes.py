"""The route by which a host confirms the result that a browser brought."""

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from service.domain.model import Tenant, UserId
from service.errors import BadState, InvalidRequest, Problem
from service.usecases.results import Results
from service.web.api.bodies import VerifyResult
from service.web.api.json import verified_json
from service.web.request_body import parse, read_json


class ResultRoutes:
    """POST /v1/verify."""

    def __init__(self, results: Results) -> None:
        self._results = results

    async def verify(self, request: Request, tenant: Tenant) -> Response:
        """POST /v1/verify: whether this result was signed here, for this user, within the last ten minutes."""
        body: VerifyResult = parse(VerifyResult, await read_json(request))
        # A result of another user, tenant or signer is refused here, so a host cannot forget to compare them.
        try:
            result, state = await self._results.verify(body.state, tenant, UserId(body.user_id))
        except BadState as exc:
            raise InvalidRequest([Problem("/state", exc.detail)]) from exc
        return JSONResponse(verified_json(result, state))

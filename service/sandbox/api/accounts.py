"""The API's operations on utility accounts and their intervals, and on the team of the key."""

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from service.sandbox.api.paging import page_of, read_interval_filter
from service.sandbox.wire.answers import read_json
from service.sandbox.world.world import SandboxWorld


class SandboxAccountsApi:
    """Accounts of a company, tracking, intervals of a connection, and the team."""

    def __init__(self, world: SandboxWorld) -> None:
        self._world = world

    def routes(self) -> list[Route]:
        """Return the routes; the lists of accounts are inferred, since only the two changes are documented."""
        return [
            Route("/team", self.get_team),
            Route("/team", self.update_team, methods=["PATCH"]),
            Route("/company/{company_id}/account", self.list_accounts),
            Route("/account/company/{company_id}", self.list_accounts),
            Route("/account/company/{company_id}", self.update_accounts, methods=["PATCH"]),
            Route("/account/{account_id}", self.get_account),
            Route("/account/{account_id}", self.update_account, methods=["PATCH"]),
            Route("/interval/connection/{connection_id}", self.list_intervals),
        ]

    async def get_team(self, _: Request) -> Response:
        return JSONResponse(self._world.team.as_wire())

    async def update_team(self, request: Request) -> Response:
        self._world.team.update(await read_json(request))
        return JSONResponse(self._world.team.as_wire())

    async def list_accounts(self, request: Request) -> Response:
        accounts = self._world.accounts.of(request.path_params["company_id"])
        return JSONResponse(page_of(request.query_params, "accounts", accounts))

    async def update_accounts(self, request: Request) -> Response:
        """Change all the accounts of `accounts` or none; the key of that list is not documented."""
        body = await read_json(request)
        return JSONResponse(self._world.accounts.update_many(request.path_params["company_id"], body))

    async def get_account(self, request: Request) -> Response:
        return JSONResponse(self._world.accounts.get(request.path_params["account_id"]))

    async def update_account(self, request: Request) -> Response:
        body = await read_json(request)
        return JSONResponse(self._world.accounts.update(request.path_params["account_id"], body))

    async def list_intervals(self, request: Request) -> Response:
        """List newest first; the provider does not document an order."""
        connection = self._world.connections.get_shown(request.path_params["connection_id"])
        keeps = read_interval_filter(request.query_params)
        intervals = [each for each in self._world.data.intervals_of(connection) if keeps(each)]
        return JSONResponse(page_of(request.query_params, "intervals", intervals))

"""The API's operations on companies, sites, connections, links and invitations.

Most have two paths: the company-scoped one of the guide, and the one of the API reference.
"""

from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from service.sandbox.api.accounts import SandboxAccountsApi
from service.sandbox.api.documents import SandboxDataApi, version_of
from service.sandbox.api.jobs import SandboxJobsApi
from service.sandbox.api.paging import page_of, read_connection_filter
from service.sandbox.wire.answers import add_errors, read_json
from service.sandbox.world.account_form import read_submission
from service.sandbox.world.records import SandboxMagicLink
from service.sandbox.world.world import SandboxWorld

VERSIONS = ("v2.2", "v2.1", "v2")


def create_api(world: SandboxWorld) -> Starlette:
    """Create the API, to be mounted at the name of each version."""
    apis = (
        SandboxApi(world),
        SandboxDataApi(world),
        SandboxJobsApi(world),
        SandboxAccountsApi(world),
    )
    api = Starlette(routes=[route for each in apis for route in each.routes()])
    api.router.redirect_slashes = False
    add_errors(api)
    return api


class SandboxApi:
    """The operations on what the world stores, one method each."""

    def __init__(self, world: SandboxWorld) -> None:
        self._world = world

    def routes(self) -> list[Route]:
        """Return the routes, the company-scoped path first."""
        return [
            Route("/ping", self.ping),
            Route("/company", self.list_companies),
            Route("/company", self.create_company, methods=["POST"]),
            *self._company_routes("/company/{company_id}"),
            *self._site_routes(),
            *self._connection_routes(),
            *self._invitation_routes(),
        ]

    def _company_routes(self, path: str) -> list[Route]:
        return [
            Route(path, self.get_company),
            Route(path, self.update_company, methods=["PATCH"]),
            Route(path, self.delete_company, methods=["DELETE"]),
        ]

    def _site_routes(self) -> list[Route]:
        creates = ("/company/{company_id}/site", "/site/company/{company_id}")
        sites = ("/company/{company_id}/site/{site_id}", "/site/{site_id}")
        return [
            *(Route(path, self.create_site, methods=["POST"]) for path in creates),
            *(Route(path, self.get_site) for path in sites),
            *(Route(path, self.update_site, methods=["PATCH"]) for path in sites),
        ]

    def _connection_routes(self) -> list[Route]:
        lists = ("/company/{company_id}/connection", "/connection/company/{company_id}")
        links = ("/company/{company_id}/connection/link", "/connection/company/{company_id}/link")
        edits = (
            "/company/{company_id}/connection/{connection_id}",
            "/company/{company_id}/connection/{connection_id}/link",
            "/connection/{connection_id}",
        )
        # A plain GET of a connection is an edit link at the provider; `/details` is the connection.
        details = (
            "/company/{company_id}/connection/{connection_id}/details",
            "/connection/{connection_id}/details",
        )
        return [
            *(Route(path, self.list_connections) for path in lists),
            *(Route(path, self.create_connection, methods=["POST"]) for path in lists),
            *(Route(path, self.get_link) for path in links),
            *(Route(path, self.create_link, methods=["POST"]) for path in links),
            *(Route(path, self.edit_link, methods=["GET", "POST"]) for path in edits),
            *(Route(path, self.get_connection) for path in details),
        ]

    def _invitation_routes(self) -> list[Route]:
        lists = ("/company/{company_id}/invitation", "/invitation/company/{company_id}")
        return [
            *(Route(path, self.list_invitations) for path in lists),
            *(Route(path, self.create_invitation, methods=["POST"]) for path in lists),
            Route("/invitation/connection/{connection_id}", self.create_edit_invitation, methods=["POST"]),
            Route("/invitation/{invitation_id}", self.get_invitation),
            Route("/invitation/{invitation_id}/revoke", self.revoke, methods=["POST"]),
        ]

    async def ping(self, request: Request) -> Response:
        return JSONResponse({"status": "ok", "version": version_of(request).removeprefix("v")})

    async def list_companies(self, _: Request) -> Response:
        return JSONResponse([self._world.companies.as_wire(company) for company in self._world.companies])

    async def create_company(self, request: Request) -> Response:
        company = self._world.companies.create(await read_json(request))
        return JSONResponse(self._world.companies.as_wire(company), 201)

    async def get_company(self, request: Request) -> Response:
        return JSONResponse(self._world.companies.as_wire(self._world.companies.get(_id(request, "company"))))

    async def update_company(self, request: Request) -> Response:
        company = self._world.companies.update(_id(request, "company"), await read_json(request))
        return JSONResponse(self._world.companies.as_wire(company))

    async def delete_company(self, request: Request) -> Response:
        self._world.companies.delete(_id(request, "company"))
        return Response(status_code=204)

    async def create_site(self, request: Request) -> Response:
        site = self._world.companies.create_site(_id(request, "company"), await read_json(request))
        return JSONResponse(site.as_wire(), 201)

    async def get_site(self, request: Request) -> Response:
        return JSONResponse(self._world.companies.site(_id(request, "site"), _scope(request)).as_wire())

    async def update_site(self, request: Request) -> Response:
        site = self._world.companies.update_site(_id(request, "site"), await read_json(request), _scope(request))
        return JSONResponse(site.as_wire())

    async def list_connections(self, request: Request) -> Response:
        """List newest first; the provider does not document an order."""
        company = self._world.companies.get(_id(request, "company"))
        # Checked before the list is built, so that a wrong filter is 400 also for an empty list.
        keeps = read_connection_filter(request.query_params)
        found = [each for each in self._world.connections.shown_of(company.id) if keeps(each)]
        page = page_of(request.query_params, "connections", found[::-1], limited=True)
        # Accounts are computed, so only for the connections of this list page.
        page["connections"] = [self._world.data.connection_as_wire(one) for one in page["connections"]]
        return JSONResponse(page)

    async def create_connection(self, request: Request) -> Response:
        company = self._world.companies.get(_id(request, "company"))
        connection = self._world.submissions.create(company.id, read_submission(await read_json(request)))
        return JSONResponse(self._world.data.connection_as_wire(connection), 201)

    async def get_connection(self, request: Request) -> Response:
        connection = self._world.connections.get_shown(_id(request, "connection"), _scope(request))
        return JSONResponse(self._world.data.connection_as_wire(connection))

    async def get_link(self, request: Request) -> Response:
        return self._link(self._world.links.plain(_id(request, "company")), 200)

    async def create_link(self, request: Request) -> Response:
        return self._link(self._world.links.create(_id(request, "company"), await read_json(request)), 201)

    async def edit_link(self, request: Request) -> Response:
        """Answer the connection with the secret of an edit link; a POST may prefill the link's page."""
        body = await read_json(request) if request.method == "POST" else {}
        # The answer is the connection with the link's secret in place of its own.
        link = self._world.links.create_edit(_id(request, "connection"), body, _scope(request))
        connection = self._world.connections.get(_id(request, "connection"))
        shown = self._world.data.connection_as_wire(connection)
        shown |= {"connectionMagicLinkSecret": link.secret, "magicLinkUrl": self._world.links.url(link)}
        return JSONResponse(shown, 201 if request.method == "POST" else 200)

    async def list_invitations(self, request: Request) -> Response:
        """List newest first, in the envelope of the other lists; the provider does not document either."""
        company = self._world.companies.get(_id(request, "company"))
        found = self._world.invitations.of(company.id)
        page = page_of(request.query_params, "invitations", found)
        page["invitations"] = [self._world.invitations.as_wire(one) for one in page["invitations"]]
        return JSONResponse(page)

    async def create_invitation(self, request: Request) -> Response:
        invitation = self._world.invitations.create(_id(request, "company"), await read_json(request))
        return JSONResponse(self._world.invitations.as_wire(invitation), 201)

    async def create_edit_invitation(self, request: Request) -> Response:
        invitation = self._world.invitations.create_edit(_id(request, "connection"), await read_json(request))
        return JSONResponse(self._world.invitations.as_wire(invitation), 201)

    async def get_invitation(self, request: Request) -> Response:
        invitation = self._world.invitations.get(_id(request, "invitation"))
        # Only this operation shows the log; lists do not.
        return JSONResponse(
            self._world.invitations.as_wire(invitation) | {"events": self._world.invitations.log_of(invitation)}
        )

    async def revoke(self, request: Request) -> Response:
        """Revoke, and answer the invitation; the provider does not document the answer."""
        return JSONResponse(self._world.invitations.as_wire(self._world.invitations.revoke(_id(request, "invitation"))))

    def _link(self, link: SandboxMagicLink, status: int) -> Response:
        shown: dict[str, Any] = {
            "companyMagicLinkSecret": link.secret,
            "publicCompanyId": self._world.companies.get(link.company_id).public_id,
            "magicLinkUrl": self._world.links.url(link),
        }
        return JSONResponse(shown, status)


def _id(request: Request, resource: str) -> str:
    return str(request.path_params[f"{resource}_id"])


def _scope(request: Request) -> str | None:
    """Return the company of a company-scoped path; the API reference's paths have none."""
    scope: str | None = request.path_params.get("company_id")
    return scope

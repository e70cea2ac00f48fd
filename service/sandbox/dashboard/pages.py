"""The dashboard's pages: companies, sites, connections, their bills, and the wizard.

It has no sign-in, since it is a local sandbox, but pages of other sites can neither post here nor frame it.
"""

import secrets
from collections.abc import Awaitable, Callable
from functools import partial

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute, Route

from service.sandbox.dashboard.views import bill_page, companies_page, company_page, connection_page
from service.sandbox.hosted.flows import FlowEntry, HostedFlows
from service.sandbox.hosted.pages import read_form, read_visit
from service.sandbox.hosted.wizard import ConnectionWizard
from service.sandbox.wire.browsers import is_cross_site, is_strangers_name
from service.sandbox.wire.enums import STATUSES
from service.sandbox.wire.errors import InvalidFields, RecordMissing
from service.sandbox.wire.html import SandboxErrorView, SandboxFrame, SandboxView, page
from service.sandbox.world.world import SandboxWorld

Endpoint = Callable[[Request], Awaitable[Response]]


def dashboard_routes(world: SandboxWorld, token: Callable[[], str] = secrets.token_urlsafe) -> list[BaseRoute]:
    """Return the dashboard's routes; the style sheet is among those of the hosted pages."""
    pages = SandboxDashboard(world, ConnectionWizard(world, HostedFlows(world.clock.real, token)))
    checked = partial(_checked, world.settings.public_url)
    return [
        Route("/", pages.home),
        Route("/dashboard", checked(pages.companies)),
        Route("/dashboard/companies", checked(pages.add_company), methods=["POST"]),
        Route("/dashboard/companies/{company}", checked(pages.company)),
        Route("/dashboard/companies/{company}/sites", checked(pages.add_site), methods=["POST"]),
        Route("/dashboard/companies/{company}/connect", checked(pages.connect), methods=["GET", "POST"]),
        Route("/dashboard/connections/{connection}", checked(pages.connection)),
        Route("/dashboard/connections/{connection}/status", checked(pages.set_status), methods=["POST"]),
        Route("/dashboard/connections/{connection}/bills/{bill}", checked(pages.bill)),
    ]


class SandboxDashboard:
    """The dashboard's pages, one method each."""

    def __init__(self, world: SandboxWorld, wizard: ConnectionWizard) -> None:
        self._world = world
        self._wizard = wizard

    async def home(self, _: Request) -> Response:
        """Redirect the bare address to the dashboard."""
        return RedirectResponse("/dashboard", 302)

    async def companies(self, _: Request) -> Response:
        """Show all companies."""
        return _page(companies_page(self._world, {}, ""))

    async def add_company(self, request: Request) -> Response:
        """Create a company and redirect to it."""
        entered = await _entered(request)
        try:
            company = self._world.companies.create({"name": entered.get("name", "")})
        except InvalidFields:
            errors = {"name": "Enter a name of up to 200 characters."}
            return _page(companies_page(self._world, errors, entered.get("name", "")), 422)
        return RedirectResponse(f"/dashboard/companies/{company.id}", 303)

    async def company(self, request: Request) -> Response:
        """Show one company."""
        return _page(company_page(self._world, self._world.companies.get(request.path_params["company"]), {}, {}))

    async def add_site(self, request: Request) -> Response:
        """Create a site and redirect to its company."""
        company = self._world.companies.get(request.path_params["company"])
        entered = await _entered(request)
        try:
            self._world.companies.create_site(company.id, {name: entered.get(name, "") for name in ("name", "address")})
        except InvalidFields as wrong:
            texts = {"name": "Enter a name of up to 255 characters.", "address": "Enter at most 255 characters."}
            errors = {name: texts[name] for name in wrong.errors}
            return _page(company_page(self._world, company, errors, entered), 422)
        return RedirectResponse(f"/dashboard/companies/{company.id}", 303)

    async def connect(self, request: Request) -> Response:
        """Show the wizard, with the same steps as on the hosted pages."""
        company = self._world.companies.get(request.path_params["company"])
        # The company is the key; its wizard pages in several tabs are still separate flows.
        entry = FlowEntry(f"dashboard/{company.id}", company.id, "dashboard")
        visit = await read_visit(request)
        if visit.form is not None:
            return RedirectResponse(self._wizard.submit(entry, visit.form).address(visit.action), 303)
        return _page(self._wizard.show(entry, visit.action, visit.flow_id, visit.step))

    async def connection(self, request: Request) -> Response:
        """Show one connection with its bills."""
        connection = self._world.connections.get(request.path_params["connection"])
        requested = request.query_params.get("page", "1")
        # `int` of very many digits is slow, and no list has that many pages.
        number = int(requested) if requested.isascii() and requested.isdecimal() and len(requested) < 9 else 1
        return _page(connection_page(self._world, connection, max(1, number)))

    async def set_status(self, request: Request) -> Response:
        """Give a connection the chosen status and redirect to it; an unknown status changes nothing."""
        connection = self._world.connections.get(request.path_params["connection"])
        status = (await _entered(request)).get("status", "")
        if status in STATUSES:
            self._world.connections.set_status(connection.id, status)
        return RedirectResponse(f"/dashboard/connections/{connection.id}", 303)

    async def bill(self, request: Request) -> Response:
        """Show one bill."""
        connection = self._world.connections.get(request.path_params["connection"])
        return _page(bill_page(self._world, connection, request.path_params["bill"]))


def _checked(public_url: str, endpoint: Endpoint) -> Endpoint:
    """Wrap an endpoint: refuse what other sites' pages send, and answer `RecordMissing` with a page."""

    async def checked(request: Request) -> Response:
        if is_strangers_name(request.headers, public_url):
            text = "This is not the sandbox's own name."
            return _page(SandboxErrorView(SandboxFrame("Refused"), text, f"Open {public_url}/dashboard instead."), 403)
        if request.method == "POST" and is_cross_site(request.headers, _origin_of(request)):
            text = "This form was sent from another site's page."
            return _page(
                SandboxErrorView(SandboxFrame("Refused"), text, "Open the dashboard itself and try again."), 403
            )
        try:
            return await endpoint(request)
        except RecordMissing:
            text = "It may have been removed, or the address is incomplete."
            return _page(
                SandboxErrorView(SandboxFrame("Nothing here"), text, "The dashboard lists what there is."), 404
            )

    return checked


def _origin_of(request: Request) -> str:
    """Return the origin at which the dashboard is used, which need not be that of `SANDBOX_PUBLIC_URL`."""
    scheme = request.headers.get("origin", "").partition("://")[0]
    return f"{scheme}://{request.headers.get('host', '')}"


async def _entered(request: Request) -> dict[str, str]:
    return {name: values[0] for name, values in (await read_form(request)).items() if values}


def _page(view: SandboxView, status: int = 200) -> Response:
    return page(view, status, frameable=False)

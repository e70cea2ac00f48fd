"""The platform users' pages: companies, sites, connections, their bills, and the wizard that connects by hand.

Nobody signs in, since it is a local sandbox; but another site's page cannot post here, nor frame it.
"""

import secrets
from collections.abc import Awaitable, Callable
from urllib.parse import urlsplit

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute, Route

from service.sandbox.dashboard.views import bill_board, companies_board, company_board, connection_board
from service.sandbox.hosted.flows import FlowEntry, HostedFlows
from service.sandbox.hosted.pages import read_form
from service.sandbox.hosted.wizard import ConnectionWizard
from service.sandbox.wire.errors import Invalid, Missing
from service.sandbox.wire.html import SandboxErrorView, SandboxFrame, SandboxView, page
from service.sandbox.world.world import SandboxWorld

Answer = Callable[[Request], Awaitable[Response]]


def routes(world: SandboxWorld, token: Callable[[], str] = secrets.token_urlsafe) -> list[BaseRoute]:
    """Return the platform users' routes; the style sheet comes with those of `pages`."""
    board = Dashboard(world, ConnectionWizard(world, HostedFlows(world.clock.real, token)))
    return [
        Route("/", board.home),
        Route("/dashboard", board.companies),
        Route("/dashboard/companies", _guarded(board.add_company), methods=["POST"]),
        Route("/dashboard/companies/{company}", _guarded(board.company)),
        Route("/dashboard/companies/{company}/sites", _guarded(board.add_site), methods=["POST"]),
        Route("/dashboard/companies/{company}/connect", _guarded(board.connect), methods=["GET", "POST"]),
        Route("/dashboard/connections/{connection}", _guarded(board.connection)),
        Route("/dashboard/connections/{connection}/bills/{bill}", _guarded(board.bill)),
    ]


class Dashboard:
    """One method per page."""

    def __init__(self, world: SandboxWorld, wizard: ConnectionWizard) -> None:
        self._world = world
        self._wizard = wizard

    async def home(self, _: Request) -> Response:
        """Lead whoever opens the bare address to the dashboard."""
        return RedirectResponse("/dashboard", 302)

    async def companies(self, _: Request) -> Response:
        """All companies."""
        return _page(companies_board(self._world, {}, ""))

    async def add_company(self, request: Request) -> Response:
        """Make a company and go to it."""
        entered = await _entered(request)
        try:
            made = self._world.companies.create({"name": entered.get("name", "")})
        except Invalid:
            errors = {"name": "Enter a name of up to 200 characters."}
            return _page(companies_board(self._world, errors, entered.get("name", "")), 422)
        return RedirectResponse(f"/dashboard/companies/{made.id}", 303)

    async def company(self, request: Request) -> Response:
        """One company."""
        return _page(company_board(self._world, self._world.companies.get(request.path_params["company"]), {}, {}))

    async def add_site(self, request: Request) -> Response:
        """Make a site and show its company again."""
        company = self._world.companies.get(request.path_params["company"])
        entered = await _entered(request)
        try:
            self._world.companies.create_site(company.id, {name: entered.get(name, "") for name in ("name", "address")})
        except Invalid as wrong:
            texts = {"name": "Enter a name of up to 255 characters.", "address": "Enter at most 255 characters."}
            errors = {name: texts[name] for name in wrong.errors}
            return _page(company_board(self._world, company, errors, entered), 422)
        return RedirectResponse(f"/dashboard/companies/{company.id}", 303)

    async def connect(self, request: Request) -> Response:
        """The wizard: the same steps as on the hosted pages."""
        company = self._world.companies.get(request.path_params["company"])
        opening = FlowEntry(f"dashboard/{company.id}", company.id, "dashboard")
        if request.method == "POST":
            outcome = self._wizard.take(opening, request.url.path, read_form(await request.form()))
        else:
            outcome = self._wizard.show(opening, request.url.path)
        return page(outcome.view, outcome.status, frameable=False)

    async def connection(self, request: Request) -> Response:
        """One connection with its bills."""
        connection = self._world.connections.get(request.path_params["connection"])
        asked = request.query_params.get("page", "1")
        number = int(asked) if asked.isascii() and asked.isdecimal() and len(asked) < 9 else 1
        return _page(connection_board(self._world, connection, max(1, number)))

    async def bill(self, request: Request) -> Response:
        """One bill in figures."""
        connection = self._world.connections.get(request.path_params["connection"])
        return _page(bill_board(self._world, connection, request.path_params["bill"]))


def _guarded(answer: Answer) -> Answer:
    """Refuse posts that another site's page sends, and say clearly when something is not there."""

    async def guarded(request: Request) -> Response:
        if request.method == "POST" and not _is_own(request):
            text = "This form was sent from another site's page."
            return _page(
                SandboxErrorView(SandboxFrame("Refused"), text, "Open the dashboard itself and try again."), 403
            )
        try:
            return await answer(request)
        except Missing:
            text = "It may have been removed, or the address is incomplete."
            return _page(
                SandboxErrorView(SandboxFrame("Nothing here"), text, "The dashboard lists what there is."), 404
            )

    return guarded


def _is_own(request: Request) -> bool:
    """Tell our own form from another site's by what browsers say of it; a client that says nothing is no browser.

    Reference: https://www.w3.org/TR/fetch-metadata/.
    """
    fetched_from = request.headers.get("sec-fetch-site")
    if fetched_from is not None:
        return fetched_from in {"same-origin", "none"}
    origin = request.headers.get("origin")
    return origin is None or urlsplit(origin).netloc == request.headers.get("host")


async def _entered(request: Request) -> dict[str, str]:
    return {name: values[0] for name, values in read_form(await request.form()).items() if values}


def _page(view: SandboxView, status: int = 200) -> Response:
    return page(view, status, frameable=False)

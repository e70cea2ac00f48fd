"""The demo's pages, and the actions of their buttons."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import fields, replace
from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, PlainTextResponse, RedirectResponse, Response

from service.demo import views
from service.demo.client import DemoServiceClient, Json, ServiceCallFailed
from service.demo.guard import origin_of
from service.demo.people import PEOPLE, DemoPerson
from service.demo.settings import DemoSettings

LINKS = {"auto", "magic_link", "invitation"}
SIGN_IN_FIRST = "Please sign in first."
Handler = Callable[[Request], Awaitable[Response]]


@cache
def environment() -> Environment:
    """Return the templates: they are beside the package in a checkout, and inside it once installed."""
    package = Path(__file__).parent.parent
    folders = [package / "templates" / "demo", package.parent / "templates" / "demo"]
    return Environment(loader=FileSystemLoader(folders), autoescape=True, undefined=StrictUndefined, trim_blocks=True)


def render(template: str, context: Any, status: int = 200) -> HTMLResponse:
    names = {field.name: getattr(context, field.name) for field in fields(context)}
    return HTMLResponse(environment().get_template(template).render(names), status)


def person_of(request: Request) -> DemoPerson | None:
    return PEOPLE.get(str(request.session.get("person")))


def error_answer(request: Request, message: str, status: int, heading: str = "That did not work") -> Response:
    """Answer with JSON for the page's own script, and with a page for everybody else."""
    # The script shows the message in place; a form without it gets a page.
    if "application/json" in request.headers.get("accept", ""):
        return JSONResponse({"message": message}, status)
    return render("error.html", views.DemoErrorPage(heading, message, person_of(request)), status)


def signed_in(
    handler: Callable[["DemoPages", Request, DemoPerson], Awaitable[Response]],
) -> Callable[..., Awaitable[Response]]:
    async def checked(pages: "DemoPages", request: Request) -> Response:
        person = person_of(request)
        if person is None:
            return pages.sign_in_page(SIGN_IN_FIRST, 401)
        return await handler(pages, request, person)

    return checked


class DemoPages:
    """The pages; all they know of magiclink is its client and the address of its script."""

    def __init__(self, settings: DemoSettings, client: DemoServiceClient) -> None:
        self._own_url = settings.own_url.rstrip("/")
        self._script_url = settings.public_service_url.rstrip("/") + "/embed.js"
        self._status_script_url = settings.public_service_url.rstrip("/") + "/embed-status.js"
        self._client = client

    def sign_in_page(self, notice: str | None = None, status: int = 200) -> Response:
        return render("sign_in.html", views.DemoSignInPage(tuple(PEOPLE.values()), notice), status)

    async def home(self, request: Request) -> Response:
        person = person_of(request)
        if person is None:
            return self.sign_in_page()
        utilities = await self._utilities(person)
        return render("home.html", views.DemoHomePage(person, utilities, self._script_url, None))

    async def sign_in(self, request: Request) -> Response:
        form = await request.form()
        # A real product checks a password here; the demo only needs to know who it is.
        if str(form.get("person")) not in PEOPLE:
            return self.sign_in_page("We do not know that person.", 400)
        request.session["person"] = str(form["person"])
        return RedirectResponse("/", 303)

    async def sign_out(self, request: Request) -> Response:
        request.session.clear()
        return RedirectResponse("/", 303)

    @signed_in
    async def fragment(self, _request: Request, person: DemoPerson) -> Response:
        utilities = await self._utilities(person)
        return render("utilities.html", utilities)

    @signed_in
    async def connect(self, request: Request, person: DemoPerson) -> Response:
        form = await request.form()
        company = person.company
        link = str(form.get("link") or "auto")
        if link not in LINKS:
            raise HTTPException(400, "There is no such kind of link.")
        body = {
            "userId": person.id,
            "userLabel": person.name,
            "company": {"externalId": company.external_id, "name": company.name},
            "sites": [
                {"externalId": site.external_id, "name": site.name, "address": site.address} for site in company.sites
            ],
            "link": link,
            **self._return_fields(),
        }
        return _start_flow(request, await self._client.create_session(body))

    @signed_in
    async def reconnect(self, request: Request, person: DemoPerson) -> Response:
        connection_id = str(request.path_params["connection_id"])
        # The service lets this backend act for every user, so the backend checks whose connection it is.
        if connection_id not in {str(row.get("id")) for row in await self._client.connections(person.id)}:
            raise HTTPException(404, "That is not one of your accounts.")
        return _start_flow(request, await self._client.reconnect(connection_id, self._return_fields()))

    @signed_in
    async def done(self, request: Request, person: DemoPerson) -> Response:
        # Anybody can write a query string: only a signed state counts, and only for the user who is signed in.
        state = request.query_params.get("state", "")
        try:
            result = await self._client.verify(state, person.id) if state else {}
        except ServiceCallFailed as exc:
            # A service that is down says nothing about the result.
            if exc.code in {"unreachable", "unreadable", "unavailable"}:
                raise
            result = {}
        if not result or result.get("valid") is False:
            message = "We could not confirm that this result is yours. Your list shows what is really connected."
            return render("done.html", views.DemoDonePage(person, "bad", "We did not recognise that", message), 400)
        return render("done.html", await self._with_status(views.done(person, result)))

    async def _with_status(self, page: views.DemoDonePage) -> views.DemoDonePage:
        """The page with the user's accounts in a frame of the service; without them where it cannot say."""
        try:
            url = await self._client.status_url(page.person.id, str(origin_of(self._own_url)))
        except ServiceCallFailed:
            return page
        return replace(page, status_url=url, status_script_url=self._status_script_url)

    def _return_fields(self) -> Json:
        return {"origin": origin_of(self._own_url), "returnUrl": f"{self._own_url}/utilities/done"}

    async def _utilities(self, person: DemoPerson) -> views.UtilitiesView:
        try:
            connections = await self._client.connections(person.id)
        except ServiceCallFailed as exc:
            return views.utilities([], [], person.company, exc.message)
        # In parallel: a person waits for the slowest account, not for the sum.
        answers = await asyncio.gather(*(self._usage(row) for row in connections))
        usage = [entry for entries, _ in answers for entry in entries]
        notes = [note for _, note in answers if note]
        return views.utilities(connections, usage, person.company, notes[0] if notes else None)

    async def _usage(self, connection: Mapping[str, Any]) -> tuple[Sequence[Json], str | None]:
        try:
            return await self._client.usage(str(connection.get("id"))), None
        except ServiceCallFailed:
            return [], "Some bills cannot be read just now. We keep trying."


def _start_flow(request: Request, session: Json) -> Response:
    """Answer the page's script with the embed's address; redirect a browser without it."""
    if "application/json" in request.headers.get("accept", ""):
        return JSONResponse({"embedUrl": session.get("embedUrl"), "redirectUrl": session.get("redirectUrl")})
    return RedirectResponse(str(session.get("redirectUrl")), 303)


async def ready(_request: Request) -> Response:
    return PlainTextResponse("ready\n")

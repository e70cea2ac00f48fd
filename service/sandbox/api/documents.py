"""The API's door for what a connection brings: documents, usage data, meters, and the bills' files."""

from collections.abc import Callable, Iterator
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from service.sandbox.api.paging import RecordFilter, page_of, read_filters
from service.sandbox.wire.errors import Missing
from service.sandbox.world.records import SandboxConnection
from service.sandbox.world.world import SandboxWorld

Wire = dict[str, Any]
Scope = Callable[[Request], tuple[list[SandboxConnection], str | None]]


class DataApi:
    """Lists of a company, a site or a connection, newest first, and single entries."""

    def __init__(self, world: SandboxWorld, version: str) -> None:
        self._world = world
        self._version = version

    def routes(self) -> list[Route]:
        """Both path generations."""
        return [
            *self._lists("document", self.documents, ("company", "site", "connection")),
            *self._lists("usage", self.usage, ("company", "site", "connection")),
            *self._lists("meter", self.meters, ("company", "site", "connection")),
            Route("/usage/document/{document_id}", self.document_usage),
            Route("/document/{document_id}", self.document),
            Route("/usage/{usage_data_id}", self.usage_entry),
            Route("/meter/{meter_id}", self.meter),
        ]

    def _lists(self, resource: str, answer: Any, owners: tuple[str, ...]) -> list[Route]:
        scoped = (
            f"/company/{{company_id}}/{resource}",
            f"/company/{{company_id}}/connection/{{connection_id}}/{resource}",
        )
        reference = (f"/{resource}/{owner}/{{{owner}_id}}" for owner in owners)
        return [Route(path, answer) for path in (*scoped, *reference)]

    async def documents(self, request: Request) -> Response:
        """`isDeleted` is read and changes nothing, since nothing here is ever deleted."""
        filters = read_filters(request.query_params)
        found = [document for document in self._documents(request) if _keeps_document(filters, document)]
        found.sort(key=lambda document: str(document["billDate"]), reverse=True)
        return JSONResponse(page_of(request.query_params, "documents", found))

    async def usage(self, request: Request) -> Response:
        filters = read_filters(request.query_params)
        found = [entry for entry in self._usage(request) if filters.keeps(entry, [entry], entry["document"])]
        found.sort(key=lambda entry: str(entry["endDate"]), reverse=True)
        return JSONResponse(page_of(request.query_params, "usageData", found))

    async def document_usage(self, request: Request) -> Response:
        filters = read_filters(request.query_params, "USAGE_PERIOD")
        document = self._world.data.find_document(request.path_params["document_id"], self._version)
        found = [entry for entry in document["usageData"] if filters.keeps(entry, [entry], document)]
        return JSONResponse(page_of(request.query_params, "usageData", found))

    async def meters(self, request: Request) -> Response:
        connections, site_id = self._scope(request)
        found = [meter for one in connections for meter in self._world.data.meters_of(one)]
        return JSONResponse(
            page_of(request.query_params, "meters", [one for one in found if site_id in {None, one["site"]}])
        )

    async def document(self, request: Request) -> Response:
        return JSONResponse(self._world.data.find_document(request.path_params["document_id"], self._version))

    async def usage_entry(self, request: Request) -> Response:
        wanted = request.path_params["usage_data_id"].lower()
        entries = (entry for one in self._shown() for entry in self._world.data.usage_of(one, self._version))
        return JSONResponse(_first(entries, wanted))

    async def meter(self, request: Request) -> Response:
        wanted = request.path_params["meter_id"].lower()
        return JSONResponse(
            _first((meter for one in self._shown() for meter in self._world.data.meters_of(one)), wanted)
        )

    def _documents(self, request: Request) -> Iterator[Wire]:
        connections, site_id = self._scope(request)
        for connection in connections:
            for document in self._world.data.documents_of(connection, self._version):
                if site_id is None or any(entry["site"]["id"] == site_id for entry in document["usageData"]):
                    yield document

    def _usage(self, request: Request) -> Iterator[Wire]:
        connections, site_id = self._scope(request)
        for connection in connections:
            for entry in self._world.data.usage_of(connection, self._version):
                if site_id in {None, entry["site"]["id"]}:
                    yield entry

    def _scope(self, request: Request) -> tuple[list[SandboxConnection], str | None]:
        """The connections that the path speaks of, and the site if it names one; raises `Missing`."""
        named = request.path_params
        if "connection_id" in named:
            return [self._world.connections.get_shown(named["connection_id"], named.get("company_id"))], None
        site = self._world.companies.site(named["site_id"]) if "site_id" in named else None
        company_id = site.company_id if site else self._world.companies.get(named["company_id"]).id
        shown = [one for one in self._world.connections.of(company_id) if self._world.connections.is_shown(one)]
        return shown, site.id if site else None

    def _shown(self) -> Iterator[SandboxConnection]:
        for company in self._world.companies:
            yield from (one for one in self._world.connections.of(company.id) if self._world.connections.is_shown(one))


def file_routes(world: SandboxWorld) -> list[Route]:
    """The bills themselves; their addresses are in the documents and need no key."""

    async def bill(request: Request) -> Response:
        page = world.data.pdf(request.path_params["connection_id"], request.path_params["document_id"])
        return Response(page, media_type="application/pdf", headers={"content-disposition": "inline"})

    return [Route("/files/{connection_id}/{document_id}.pdf", bill)]


def _keeps_document(filters: RecordFilter, document: Wire) -> bool:
    return filters.keeps(document, document["usageData"], document)


def _first(things: Iterator[Wire], wanted: str) -> Wire:
    thing = next((thing for thing in things if thing["id"] == wanted), None)
    if thing is None:
        raise Missing
    return thing

"""The API's operations on sample data: documents, usage, meters, and the files of bills."""

from collections.abc import Iterator
from itertools import chain
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from service.sandbox.api.paging import RecordFilter, page_of, read_record_filter
from service.sandbox.wire.errors import found
from service.sandbox.world.records import SandboxConnection
from service.sandbox.world.world import SandboxWorld

Wire = dict[str, Any]


class SandboxDataApi:
    """Lists for a company, a site or a connection, newest first, and single records."""

    def __init__(self, world: SandboxWorld) -> None:
        self._world = world

    def routes(self) -> list[Route]:
        """Return the routes; a list has a path for each kind of owner, and company-scoped ones."""
        return [
            *self._lists("document", self.documents, ("company", "site", "connection")),
            *self._lists("usage", self.usage, ("company", "site", "connection")),
            *self._lists("meter", self.meters, ("company", "site", "connection")),
            Route("/usage/document/{document_id}", self.document_usage),
            Route("/document/{document_id}", self.document),
            Route("/usage/{usage_data_id}", self.usage_entry),
            Route("/meter/{meter_id}", self.meter),
        ]

    def _lists(self, resource: str, endpoint: Any, owners: tuple[str, ...]) -> list[Route]:
        # Reference: the guide has the company-scoped paths, the API reference the others.
        scoped = (
            f"/company/{{company_id}}/{resource}",
            f"/company/{{company_id}}/connection/{{connection_id}}/{resource}",
        )
        reference = (f"/{resource}/{owner}/{{{owner}_id}}" for owner in owners)
        return [Route(path, endpoint) for path in (*scoped, *reference)]

    async def documents(self, request: Request) -> Response:
        """List documents; `isDeleted` is checked and changes nothing, since no document is ever deleted."""
        filters = read_record_filter(request.query_params)
        documents = [document for document in self._documents(request) if _keeps_document(filters, document)]
        documents.sort(key=lambda document: str(document["billDate"]), reverse=True)
        return JSONResponse(page_of(request.query_params, "documents", documents))

    async def usage(self, request: Request) -> Response:
        filters = read_record_filter(request.query_params)
        entries = [entry for entry in self._usage(request) if filters.keeps(entry, [entry], entry["document"])]
        # Sorted across connections, since each connection's list is sorted on its own.
        entries.sort(key=lambda entry: str(entry["endDate"]), reverse=True)
        return JSONResponse(page_of(request.query_params, "usageData", entries))

    async def document_usage(self, request: Request) -> Response:
        # All entries have the document's bill date, so only their own periods can tell them apart.
        filters = read_record_filter(request.query_params, "USAGE_PERIOD")
        document = self._world.data.find_document(request.path_params["document_id"], version_of(request))
        entries = [entry for entry in document["usageData"] if filters.keeps(entry, [entry], document)]
        return JSONResponse(page_of(request.query_params, "usageData", entries))

    async def meters(self, request: Request) -> Response:
        connections, site_id = self._owned(request)
        meters = [meter for one in connections for meter in self._world.data.meters_of(one)]
        meters += [meter for owner in self._uploader(request) for meter in self._world.data.uploaded_meters(owner)]
        return JSONResponse(
            page_of(request.query_params, "meters", [one for one in meters if site_id in {None, one["site"]}])
        )

    async def document(self, request: Request) -> Response:
        return JSONResponse(self._world.data.find_document(request.path_params["document_id"], version_of(request)))

    async def usage_entry(self, request: Request) -> Response:
        wanted = request.path_params["usage_data_id"].lower()
        data, version = self._world.data, version_of(request)
        entries = (entry for one in self._shown() for entry in data.usage_of(one, version))
        uploaded = (entry for company in self._world.companies for entry in data.uploaded_usage(company.id, version))
        return JSONResponse(_first(chain(entries, uploaded), wanted))

    async def meter(self, request: Request) -> Response:
        wanted = request.path_params["meter_id"].lower()
        meters = (meter for one in self._shown() for meter in self._world.data.meters_of(one))
        uploaded = (
            meter for company in self._world.companies for meter in self._world.data.uploaded_meters(company.id)
        )
        return JSONResponse(_first(chain(meters, uploaded), wanted))

    def _documents(self, request: Request) -> Iterator[Wire]:
        connections, site_id = self._owned(request)
        data, version = self._world.data, version_of(request)
        collected = (document for each in connections for document in data.documents_of(each, version))
        uploaded = (document for each in self._uploader(request) for document in data.uploaded_documents(each, version))
        # A document has one meter, so it belongs to one site.
        for document in chain(collected, uploaded):
            if site_id is None or any(entry["site"]["id"] == site_id for entry in document["usageData"]):
                yield document

    def _usage(self, request: Request) -> Iterator[Wire]:
        connections, site_id = self._owned(request)
        data, version = self._world.data, version_of(request)
        collected = (entry for each in connections for entry in data.usage_of(each, version))
        uploaded = (entry for each in self._uploader(request) for entry in data.uploaded_usage(each, version))
        return (entry for entry in chain(collected, uploaded) if site_id in {None, entry["site"]["id"]})

    def _uploader(self, request: Request) -> tuple[str, ...]:
        """Return the company whose uploads the path is about; none for a connection, to which no upload belongs."""
        ids = request.path_params
        if "connection_id" in ids:
            return ()
        return (
            self._world.companies.site(ids["site_id"]).company_id if "site_id" in ids else ids["company_id"].lower(),
        )

    def _owned(self, request: Request) -> tuple[list[SandboxConnection], str | None]:
        """Return the connections that the path is about, and its site if it has one; raises `RecordMissing`."""
        ids = request.path_params
        # A path with a connection needs no site: the connection limits the list more.
        if "connection_id" in ids:
            return [self._world.connections.get_shown(ids["connection_id"], ids.get("company_id"))], None
        site = self._world.companies.site(ids["site_id"]) if "site_id" in ids else None
        company_id = site.company_id if site else self._world.companies.get(ids["company_id"]).id
        return self._world.connections.shown_of(company_id), site.id if site else None

    def _shown(self) -> Iterator[SandboxConnection]:
        for company in self._world.companies:
            yield from self._world.connections.shown_of(company.id)


def version_of(request: Request) -> str:
    """Return the version of the API that is asked, which is the name at which it is mounted."""
    return str(request.scope["root_path"]).rpartition("/")[2]


def file_routes(world: SandboxWorld) -> list[Route]:
    """Return the routes of the bills' files; the documents have their addresses, and they need no key."""

    async def bill(request: Request) -> Response:
        # This route needs no API key. The random ids in the address protect the file.
        content = world.data.pdf(request.path_params["connection_id"], request.path_params["document_id"])
        return Response(content, media_type="application/pdf", headers={"content-disposition": "inline"})

    async def upload(request: Request) -> Response:
        # What a stranger uploaded must not run as a page of the sandbox.
        content, kind = world.uploads.file(request.path_params["document_id"])
        headers = {
            "content-disposition": "inline",
            "x-content-type-options": "nosniff",
            "content-security-policy": "default-src 'none'; sandbox",
        }
        return Response(content, media_type=kind, headers=headers)

    return [
        Route("/files/uploads/{document_id}", upload),
        Route("/files/{connection_id}/{document_id}.pdf", bill),
    ]


def _keeps_document(filters: RecordFilter, document: Wire) -> bool:
    return filters.keeps(document, document["usageData"], document)


def _first(records: Iterator[Wire], wanted: str) -> Wire:
    return found(next((record for record in records if record["id"] == wanted), None))

"""The API's operations on upload jobs. Reference: the provider's pages on document upload."""

from starlette.datastructures import UploadFile
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from service.sandbox.api.paging import page_of
from service.sandbox.wire import fields
from service.sandbox.wire.answers import read_json, require_utf8
from service.sandbox.wire.errors import InvalidFields
from service.sandbox.wire.upload_files import safe_name
from service.sandbox.world.world import SandboxWorld


class SandboxJobsApi:
    """Jobs of one file, jobs of many addresses, and reading them; these paths have one generation only."""

    def __init__(self, world: SandboxWorld) -> None:
        self._world = world

    def routes(self) -> list[Route]:
        """Return the routes."""
        return [
            Route("/job/company/{company_id}", self.submit, methods=["POST"]),
            Route("/job/company/{company_id}", self.list_jobs),
            Route("/job/company/{company_id}/bulk", self.submit_bulk, methods=["POST"]),
            Route("/job/{job_id}", self.get_job),
        ]

    async def submit(self, request: Request) -> Response:
        """Accept one file; the answer comes before the file is read as a bill."""
        company = self._world.companies.get(request.path_params["company_id"])
        kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
        if kind != "multipart/form-data":
            raise HTTPException(415, f'Unsupported media type "{kind[:100]}" in request.')
        require_utf8(request)
        async with request.form(max_files=1, max_fields=20) as form:
            file, site = form.get("document"), form.get("siteId")
            if not isinstance(file, UploadFile) or not file.filename:
                raise InvalidFields({"document": ["No file was submitted."]})
            name, content = safe_name(file.filename), await file.read()
        # An empty part of a form is an absent one.
        values = fields.read({"siteId": site} if site else {}, {"siteId": fields.uuid})
        job = self._world.uploads.submit_file(company.id, name, content, values.get("siteId"))
        return JSONResponse(self._world.uploads.job_as_wire(job), 201)

    async def submit_bulk(self, request: Request) -> Response:
        """Accept addresses of files as one job; the sandbox reads their names and downloads nothing."""
        company = self._world.companies.get(request.path_params["company_id"])
        job = self._world.uploads.submit_urls(company.id, await read_json(request))
        return JSONResponse(self._world.uploads.job_as_wire(job), 201)

    async def list_jobs(self, request: Request) -> Response:
        """List newest first, in the envelope of the other lists; the provider documents neither."""
        jobs = self._world.uploads.jobs_of(request.path_params["company_id"])
        page = page_of(request.query_params, "jobs", jobs)
        page["jobs"] = [self._world.uploads.job_as_wire(job) for job in page["jobs"]]
        return JSONResponse(page)

    async def get_job(self, request: Request) -> Response:
        """Answer one job."""
        return JSONResponse(self._world.uploads.job_as_wire(self._world.uploads.job(request.path_params["job_id"])))

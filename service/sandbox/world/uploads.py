"""Upload jobs: files in, documents out after a while. Uploaded documents belong to a company and to no connection."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from service.sandbox.bills.bill import BilledSite
from service.sandbox.bills.uploaded import UploadedBill, uploaded_pdf
from service.sandbox.wire import fields
from service.sandbox.wire.enums import COMPANY_INACTIVE, SAMPLE_TYPES
from service.sandbox.wire.errors import CompanyInactive, InvalidFields, RecordMissing, found
from service.sandbox.wire.events import DOCUMENT_CREATED
from service.sandbox.wire.upload_files import faults_of_file, faults_of_url, is_what_it_says, media_type, name_in
from service.sandbox.world.companies import SandboxCompanies
from service.sandbox.world.context import SandboxContext
from service.sandbox.world.outbox import SandboxMessage, SandboxOutbox
from service.sandbox.world.records import SandboxJob, SandboxUpload
from service.sandbox.world.rows import SandboxTable

URLS_MOST = 100
PARSED, DUPLICATE, NOT_A_BILL = "parsed", "duplicate", "not_a_bill"
TROUBLES = {"upload_not_a_bill": NOT_A_BILL, "upload_duplicate": DUPLICATE}


@dataclass(frozen=True)
class SubmittedFile:
    """One file of a job; `content` is None for an address, which the sandbox does not download."""

    name: str
    content: bytes | None
    digest: str


class SandboxUploads:
    """The upload jobs of companies, and the bills that were read from them."""

    def __init__(
        self,
        context: SandboxContext,
        jobs: SandboxTable[SandboxJob],
        uploads: SandboxTable[SandboxUpload],
        companies: SandboxCompanies,
        outbox: SandboxOutbox,
    ) -> None:
        self._context = context
        self._jobs = jobs
        self._uploads = uploads
        self._companies = companies
        self._outbox = outbox

    def submit_file(self, company_id: str, name: str, content: bytes, site_id: str | None) -> SandboxJob:
        """Accept one file as a job; raises `InvalidFields`, `RecordMissing` or `CompanyInactive`."""
        faults = faults_of_file(name, content)
        if faults:
            raise InvalidFields({"document": faults})
        # The same content is a duplicate, whatever its file is called.
        digest = hashlib.sha256(content).hexdigest()
        return self._submit(company_id, [SubmittedFile(name, content, digest)], site_id)

    def submit_urls(self, company_id: str, body: Mapping[str, Any]) -> SandboxJob:
        """Accept addresses of files as one job; raises as `submit_file` does."""
        checks: dict[str, fields.Check] = {
            "documents": fields.listing(_document_url, URLS_MOST),
            "siteId": fields.nullable(fields.uuid),
        }
        values = fields.read(body, checks, required=("documents",))
        if not values["documents"]:
            raise InvalidFields({"documents": ["This list may not be empty."]})
        files = [
            SubmittedFile(name_in(url) or "document", None, hashlib.sha256(url.encode()).hexdigest())
            for url in values["documents"]
        ]
        return self._submit(company_id, files, values.get("siteId"))

    def job(self, job_id: str) -> SandboxJob:
        """Return a job; raises `RecordMissing`."""
        return found(self._jobs.get(job_id.lower()))

    def jobs_of(self, company_id: str) -> list[SandboxJob]:
        """Return a company's jobs, newest first."""
        return self._jobs.of(self._companies.get(company_id).id)[::-1]

    def files_of(self, job: SandboxJob) -> list[SandboxUpload]:
        """Return the files of a job, in their order."""
        return [each for each in self._uploads.of(job.company_id) if each.job_id == job.id]

    def job_as_wire(self, job: SandboxJob) -> dict[str, Any]:
        """Return the provider's Job; its lists are there once it is completed."""
        if job.status != "COMPLETED":
            return {"id": job.id, "status": job.status}
        files = self.files_of(job)
        duplicates = [each.duplicate_of or each.id for each in files if each.outcome == DUPLICATE]
        return {
            "id": job.id,
            "status": job.status,
            "parsedDocumentIds": [each.id for each in files if each.outcome == PARSED],
            "duplicates": len(duplicates),
            "duplicateDocumentIds": duplicates,
            "nonUtilityDocumentIds": [each.id for each in files if each.outcome == NOT_A_BILL],
        }

    def bills_of(self, company_id: str) -> list[UploadedBill]:
        """Return the bills that were read from a company's uploads, oldest first."""
        # Duplicates and what is no bill become no documents.
        return [self._bill(each) for each in self._uploads.of(company_id) if each.outcome == PARSED]

    def find_bill(self, document_id: str) -> UploadedBill | None:
        """Return the bill with this id, if there is one."""
        upload = self._uploads.get(document_id)
        return self._bill(upload) if upload and upload.outcome == PARSED else None

    def file(self, document_id: str) -> tuple[bytes, str]:
        """Return the file behind an uploaded document, and its media type; raises `RecordMissing`."""
        bill = found(self.find_bill(document_id.lower()))
        content = self._context.database.read_file(bill.id)
        # The file at an address was not downloaded, so its place has a sample bill.
        if content is None:
            return uploaded_pdf(bill), "application/pdf"
        return content, media_type(bill.file_name) or "application/octet-stream"

    def end_jobs(self) -> None:
        """End the jobs whose time has come; each new document owes a webhook."""
        now = self._context.clock.time()
        for job in self._jobs:
            if job.status == "PENDING" and job.due_at <= now:
                with self._context.database.transaction():
                    self._end(job)

    def _submit(self, company_id: str, files: Sequence[SubmittedFile], site_id: str | None) -> SandboxJob:
        company = self._companies.get(company_id)
        self._require_active(company.id)
        site = self._site(company.id, site_id)
        troubles, clock = self._context.troubles, self._context.clock
        fails = troubles.use("upload_failed", company.id) is not None
        # Without skew: a clock trouble changes what the API shows, not when a job ends.
        due_at = clock.time() + self._context.settings.data_delay_seconds
        with self._context.database.transaction():
            job = SandboxJob(self._context.ids.uuid(), company.id, clock.now(company.id), due_at, fails=fails)
            for file in files:
                self._keep(job, file, site)
            return self._jobs.put(job)

    def _keep(self, job: SandboxJob, file: SubmittedFile, site_id: str) -> None:
        used = [outcome for name, outcome in TROUBLES.items() if self._context.troubles.use(name, job.company_id)]
        # What the content shows counts more than a trouble that was set.
        if file.content is not None and not is_what_it_says(file.name, file.content):
            used = [NOT_A_BILL]
        upload = SandboxUpload(
            id=self._context.ids.uuid(),
            company_id=job.company_id,
            job_id=job.id,
            site_id=site_id,
            file_name=file.name,
            digest=file.digest,
            kind=_kind_of(file.name),
            planned=next(iter(used), ""),
        )
        self._uploads.put(upload)
        if file.content is not None:
            self._context.database.write_file(upload.id, file.content)

    def _end(self, job: SandboxJob) -> None:
        if job.fails:
            self._jobs.put(replace(job, status="FAILED"))
            return
        shown_at = self._context.clock.as_shown(job.due_at, job.company_id)
        for upload in self.files_of(job):
            ended = self._uploads.put(replace(self._ended(upload), ended_at=shown_at))
            if ended.outcome == PARSED:
                due_at = self._context.clock.time()
                message = SandboxMessage("", DOCUMENT_CREATED, job.company_id, "", due_at)
                self._outbox.queue(replace(message, document_id=ended.id))
        self._jobs.put(replace(job, status="COMPLETED"))

    def _ended(self, upload: SandboxUpload) -> SandboxUpload:
        parsed = [each for each in self._uploads.of(upload.company_id) if each.outcome == PARSED]
        same = next((each.id for each in parsed if each.digest == upload.digest), "")
        if upload.planned == NOT_A_BILL:
            return replace(upload, outcome=NOT_A_BILL)
        if same or upload.planned == DUPLICATE:
            return replace(upload, outcome=DUPLICATE, duplicate_of=same or next((each.id for each in parsed), ""))
        # Later bills of a site and type have later months.
        before = sum((each.site_id, each.kind) == (upload.site_id, upload.kind) for each in parsed)
        return replace(upload, outcome=PARSED, number=before)

    def _site(self, company_id: str, site_id: str | None) -> str:
        """Return the job's site: the one that was given, or the company's first, as if the bill had its address."""
        if site_id is not None:
            self._companies.require_sites(company_id, [site_id], "siteId")
            return site_id
        sites = self._companies.sites_of(company_id)
        # The provider finds the site by the address on the bill. Samples have none, so a site must exist.
        if not sites:
            raise InvalidFields({"siteId": ["This company has no site to which a bill could belong."]})
        return sites[0].id

    def _require_active(self, company_id: str) -> None:
        trouble = self._context.troubles.active("status_change", company_id)
        if trouble and trouble.status == COMPANY_INACTIVE:
            raise CompanyInactive

    def _bill(self, upload: SandboxUpload) -> UploadedBill:
        site = self._companies.find_site(upload.site_id)
        if site is None:  # a site cannot be deleted alone, and its company takes its uploads with it
            raise RecordMissing
        billed = BilledSite(site.id, site.name, site.address)
        name, number = upload.file_name, upload.number
        return UploadedBill(
            upload.id, upload.company_id, upload.job_id, billed, upload.kind, name, number, upload.ended_at
        )


def _document_url(value: object) -> str:
    url: str = fields.web_url(value)
    if not url.startswith("https://"):
        raise ValueError("Enter a valid URL that begins with https://.")
    faults = faults_of_url(url)
    if faults:
        raise ValueError(faults[0])
    return url


def _kind_of(name: str) -> str:
    """Return the utility type that a file's name speaks of; electricity where it speaks of none."""
    return next((kind for kind in SAMPLE_TYPES if kind in name.upper()), SAMPLE_TYPES[0])

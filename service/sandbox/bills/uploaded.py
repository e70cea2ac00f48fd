"""The bill that an uploaded file is read as: one month of a meter that all uploads of a site and a type share."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

from service.sandbox.bills import documents as shapes
from service.sandbox.bills import pdf
from service.sandbox.bills.bill import BilledSite, BillSource, SampleBill
from service.sandbox.bills.metering import MONTHS, bills_for

Wire = dict[str, Any]


@dataclass(frozen=True, slots=True)
class UploadedBill:
    """What an uploaded file is computed from: `number` counts the earlier files of its site and type."""

    id: str
    company_id: str
    job_id: str
    site: BilledSite
    kind: str
    file_name: str
    number: int
    created_at: float

    @property
    def source(self) -> BillSource:
        """The source of its meter, which has the same ids for every upload of the company."""
        return BillSource(
            f"{self.company_id}/uploads", self.company_id, (self.site,), (self.kind,), "US", self.created_at
        )


def uploaded_document(uploaded: UploadedBill, *, version: str, files_url: str) -> Wire:
    """Return the provider's Document of an upload, which names its job."""
    shape = shapes.document(_bill(uploaded), version=version, files_url=files_url)
    return shape | _own_fields(uploaded, files_url)


def uploaded_usage(uploaded: UploadedBill, *, version: str, files_url: str) -> Iterator[Wire]:
    """Yield the usage entries of an upload, each with a summary of its document."""
    bill = _bill(uploaded)
    summary = shapes.summary(bill, files_url=files_url) | _own_fields(uploaded, files_url)
    for entry in shapes.usage_of(bill, version=version):
        yield entry | {"document": summary}


def uploaded_pdf(uploaded: UploadedBill) -> bytes:
    """Return a PDF for an upload whose own file is not stored."""
    bill = _bill(uploaded)
    return pdf.render(bill, [bill])


def _bill(uploaded: UploadedBill) -> SampleBill:
    return replace(bills_for(uploaded.source)[uploaded.number % MONTHS], id=uploaded.id)


def _own_fields(uploaded: UploadedBill, files_url: str) -> Wire:
    return {
        "fileName": uploaded.file_name,
        "jobId": uploaded.job_id,
        "url": f"{files_url}/files/uploads/{uploaded.id}",
        "auditTrailUrl": f"{files_url}/dashboard/companies/{uploaded.company_id}",
    }

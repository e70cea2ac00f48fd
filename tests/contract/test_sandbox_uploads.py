"""Upload jobs: what is accepted, what becomes of a file, and where its document appears."""

from pathlib import Path
from typing import Any

import httpx
import pytest

from service.sandbox.gate import UPLOAD_MOST_BYTES
from service.sandbox.wire.upload_files import FILE_MOST_BYTES
from tests.support.clock import Clock
from tests.support.provider_schema import faults_of_answer, faults_of_event
from tests.support.sandbox_client import JsonObject, Sandbox, on_disk, with_webhooks

PDF = b"%PDF-1.4\n1 0 obj << /Type /Page >> endobj\n"
PNG, JPEG = b"\x89PNG\r\n\x1a\n rest", b"\xff\xd8\xff rest"
SINGLE, BULK, ONE = "/job/company/{company_id}", "/job/company/{company_id}/bulk", "/job/{job_id}"


async def send(sandbox: Sandbox, company: str, name: str = "bill.pdf", content: bytes = PDF, **fields: str) -> Any:
    files = {"document": (name, content, "application/octet-stream")}
    return await sandbox.call("POST", f"/job/company/{company}", files=files, data=fields)


async def upload(sandbox: Sandbox, company: str, name: str = "bill.pdf", content: bytes = PDF, **fields: str) -> str:
    answer: httpx.Response = await send(sandbox, company, name, content, **fields)
    assert answer.is_success, answer.text
    assert faults_of_answer("POST", SINGLE, answer) == []
    assert answer.json() == {"id": answer.json()["id"], "status": "PENDING"}
    return str(answer.json()["id"])


async def job(sandbox: Sandbox, job_id: str) -> JsonObject:
    answer = await sandbox.call("GET", f"/job/{job_id}")
    assert faults_of_answer("GET", ONE, answer) == []
    shown: JsonObject = answer.json()
    return shown


async def ended(sandbox: Sandbox, job_id: str) -> JsonObject:
    sandbox.clock.advance(5)
    return await job(sandbox, job_id)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("bill.xlsx", PDF),
        ("bill", PDF),
        ("bill.pdf.exe", PDF),
        (".pdf", b""),
        ("bill.pdf", b""),
        ("bill.pdf", b"%PDF-1.4" + b"<< /Type /Page >>" * 151),
        ("bill.pdf", b"%PDF-1.4" + b"<< /Type/Page/Parent 1 0 R >>" * 151),
        ("bill.jpg", JPEG.ljust(FILE_MOST_BYTES + 1)),
    ],
)
async def test_a_file_beyond_the_limits_is_400_at_its_field(sandbox: Sandbox, name: str, content: bytes) -> None:
    company, _ = await sandbox.company()
    answer = await send(sandbox, company, name, content)
    assert (answer.status_code, answer.json().keys()) == (400, {"document"})
    assert faults_of_answer("POST", SINGLE, answer) == []
    assert (await sandbox.get(f"/job/company/{company}"))["totalJobs"] == 0


async def test_the_limits_themselves_are_accepted(sandbox: Sandbox) -> None:
    company, _ = await sandbox.company()
    pages = PDF + b"<< /Type /Page >>" * 149 + b"<< /Type /Pages >>"
    for name, content in (("150.pdf", pages), ("large.JPEG", JPEG.ljust(FILE_MOST_BYTES)), ("a.png", PNG)):
        assert len((await ended(sandbox, await upload(sandbox, company, name, content)))["parsedDocumentIds"]) == 1


async def test_a_body_beyond_the_largest_file_is_413_and_other_calls_keep_their_limit(sandbox: Sandbox) -> None:
    company, _ = await sandbox.company()
    assert (await send(sandbox, company, content=PDF.ljust(UPLOAD_MOST_BYTES))).status_code == 413
    for path in (f"/job/company/{company}/bulk", f"/company/{company}/site", f"/job/company/{company}/x/y"):
        assert (await sandbox.call("POST", path, content=b" " * 300_000)).status_code == 413


@pytest.mark.parametrize(
    ("options", "status"),
    [
        ({"json": {"document": "x"}}, 415),
        ({"data": {"document": "x"}}, 415),
        ({"content": b"x", "headers": {"Content-Type": "multipart/form-data"}}, 400),
        ({"content": b"x", "headers": {"Content-Type": "multipart/form-data; boundary=b"}}, 400),
        ({"files": {"file": ("bill.pdf", PDF)}}, 400),
        ({"files": {"document": (None, "bill.pdf")}}, 400),
        ({"files": [("document", ("a.pdf", PDF)), ("document", ("b.pdf", PDF))]}, 400),
    ],
)
async def test_a_body_that_is_no_form_with_one_document_is_refused(
    sandbox: Sandbox, options: dict[str, Any], status: int
) -> None:
    company, _ = await sandbox.company()
    assert (await sandbox.call("POST", f"/job/company/{company}", **options)).status_code == status
    assert (await sandbox.get(f"/job/company/{company}"))["totalJobs"] == 0


async def test_a_site_of_another_company_is_400_at_its_field(sandbox: Sandbox) -> None:
    company, _ = await sandbox.company()
    _, (foreign,) = await sandbox.company("Other")
    empty, _ = await sandbox.company("Empty", sites=0)
    for owner, site in ((company, foreign), (company, "x"), (empty, "")):
        answer = await send(sandbox, owner, siteId=site)
        assert (answer.status_code, answer.json().keys()) == (400, {"siteId"})


async def test_an_inactive_company_may_not_upload(sandbox: Sandbox) -> None:
    company, _ = await sandbox.company()
    await sandbox.trouble("status_change", companyId=company, status="COMPANY_INACTIVE")
    answer = await send(sandbox, company)
    assert (answer.status_code, answer.json()) == (400, {"detail": "Company is not active."})


@pytest.mark.parametrize(
    "documents",
    [
        *([], None, "https://a.example/b.pdf", ["http://a.example/b.pdf"], [""], [7], ["https://"]),
        *(["https://a.example/b.xlsx"], ["https://a.example/b.xlsx?name=b.pdf"], ["https://a.example/b.pdf"] * 101),
    ],
)
async def test_addresses_that_cannot_be_used_are_400_naming_the_field(sandbox: Sandbox, documents: Any) -> None:
    company, _ = await sandbox.company()
    answer = await sandbox.call("POST", f"/job/company/{company}/bulk", {"documents": documents})
    assert (answer.status_code, answer.json().keys()) == (400, {"documents"})
    assert faults_of_answer("POST", BULK, answer) == []


async def test_a_job_is_pending_and_then_names_its_document(sandbox: Sandbox) -> None:
    company, (north, south) = await sandbox.company(sites=2)
    made = await upload(sandbox, company, "Gas May.pdf", siteId=south)
    sandbox.clock.advance(4.9)
    assert await job(sandbox, made) == {"id": made, "status": "PENDING"}
    sandbox.clock.advance(0.1)
    shown = await job(sandbox, made)
    (document_id,) = shown["parsedDocumentIds"]
    assert shown == {
        "id": made,
        "status": "COMPLETED",
        "parsedDocumentIds": [document_id],
        "duplicates": 0,
        "duplicateDocumentIds": [],
        "nonUtilityDocumentIds": [],
    }
    document = await sandbox.get(f"/document/{document_id}")
    assert (document["jobId"], document["fileName"], document["company"]) == (made, "Gas May.pdf", company)
    (entry,) = document["usageData"]
    assert (entry["datasourceType"], entry["site"]["id"]) == ("GAS", south)
    assert north != south


@pytest.mark.parametrize("version", ["v2.2", "v2.1", "v2"])
async def test_an_uploaded_document_belongs_to_its_company_and_site_and_to_no_connection(
    clock: Clock, version: str
) -> None:
    sandbox = Sandbox(clock, version=version)
    company, (north, south) = await sandbox.company(sites=2)
    made = await sandbox.connect(company, [north], initialDatasourceTypes=["GAS"])
    (document,) = (await ended(sandbox, await upload(sandbox, company, siteId=south)))["parsedDocumentIds"]
    lists = {
        f"/document/company/{company}": True,
        f"/company/{company}/document": True,
        f"/document/site/{south}": True,
        f"/document/site/{north}": False,
        f"/document/connection/{made['id']}": False,
    }
    for path, expected in lists.items():
        assert (document in [each["id"] for each in (await sandbox.get(path))["documents"]]) is expected
    usage = (await sandbox.get(f"/usage/site/{south}"))["usageData"]
    assert {entry["document"]["id"] for entry in usage} == {document}
    assert await sandbox.get(f"/usage/{usage[0]['id']}") == usage[0]
    (meter,) = (await sandbox.get(f"/meter/site/{south}"))["meters"]
    assert await sandbox.get(f"/meter/{meter['id']}") == meter
    assert meter["account"] in {each["id"] for each in (await sandbox.get(f"/account/company/{company}"))["accounts"]}


async def test_the_files_of_one_meter_are_consecutive_months(sandbox: Sandbox) -> None:
    company, _ = await sandbox.company()
    for number in range(3):
        await upload(sandbox, company, content=PDF + bytes([number]))
    sandbox.clock.advance(5)
    documents = (await sandbox.get(f"/document/company/{company}"))["documents"]
    assert len({each["billDate"] for each in documents}) == 3
    assert (await sandbox.get(f"/meter/company/{company}"))["totalMeters"] == 1


async def test_the_file_itself_can_be_fetched_and_cannot_run(sandbox: Sandbox) -> None:
    company, _ = await sandbox.company()
    (document,) = (await ended(sandbox, await upload(sandbox, company, "a.PNG", PNG)))["parsedDocumentIds"]
    answer = await sandbox.plain("GET", httpx.URL((await sandbox.get(f"/document/{document}"))["url"]).path)
    assert (answer.content, answer.headers["content-type"]) == (PNG, "image/png")
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert "sandbox" in answer.headers["content-security-policy"]
    assert (await sandbox.plain("GET", "/files/uploads/unknown")).status_code == 404


async def test_a_name_with_a_path_or_control_characters_is_shortened(sandbox: Sandbox) -> None:
    company, _ = await sandbox.company()
    for name in ("C:\\bills\\may.pdf", "../../may.pdf", "\u200bmay.pdf"):
        made = await ended(sandbox, await upload(sandbox, company, name, PDF + name.encode()))
        assert (await sandbox.get(f"/document/{made['parsedDocumentIds'][0]}"))["fileName"] == "may.pdf"


async def test_the_same_file_twice_is_a_duplicate_of_the_first_document(sandbox: Sandbox) -> None:
    company, _ = await sandbox.company()
    other, _ = await sandbox.company("Other")
    (first,) = (await ended(sandbox, await upload(sandbox, company)))["parsedDocumentIds"]
    again = await ended(sandbox, await upload(sandbox, company, "renamed.pdf"))
    assert (again["parsedDocumentIds"], again["duplicates"], again["duplicateDocumentIds"]) == ([], 1, [first])
    assert len((await ended(sandbox, await upload(sandbox, other)))["parsedDocumentIds"]) == 1
    assert (await sandbox.get(f"/document/company/{company}"))["totalDocuments"] == 1


async def test_content_that_is_not_what_the_name_says_is_no_bill(sandbox: Sandbox) -> None:
    company, _ = await sandbox.company()
    shown = await ended(sandbox, await upload(sandbox, company, "holiday.pdf", b"dear diary"))
    assert (shown["status"], shown["parsedDocumentIds"], len(shown["nonUtilityDocumentIds"])) == ("COMPLETED", [], 1)


@pytest.mark.parametrize(
    ("trouble", "status", "lists"),
    [
        ("upload_duplicate", "COMPLETED", (0, 1, 0)),
        ("upload_not_a_bill", "COMPLETED", (0, 0, 1)),
        ("upload_failed", "FAILED", (0, 0, 0)),
    ],
)
async def test_each_trouble_ends_one_upload_in_its_own_way(
    sandbox: Sandbox, trouble: str, status: str, lists: tuple[int, int, int]
) -> None:
    company, _ = await sandbox.company()
    await sandbox.trouble(trouble, companyId=company, times=1)
    troubled, fine = await upload(sandbox, company), await upload(sandbox, company, content=PDF + b"2")
    shown = await ended(sandbox, troubled)
    names = ("parsedDocumentIds", "duplicateDocumentIds", "nonUtilityDocumentIds")
    assert (shown["status"], tuple(len(shown.get(name, [])) for name in names)) == (status, lists)
    assert len((await job(sandbox, fine))["parsedDocumentIds"]) == 1


async def test_many_addresses_are_one_job_with_a_document_each(sandbox: Sandbox) -> None:
    company, (site,) = await sandbox.company()
    urls = ["https://files.example/water%20may.pdf?signature=x", "https://files.example/solar.png"]
    # An address need not say the type of its file, nor name it.
    urls += ["https://x.example/gas?id=7&sig=abc", "https://x.example/"]
    answer = await sandbox.call("POST", f"/job/company/{company}/bulk", {"documents": urls, "siteId": site})
    assert faults_of_answer("POST", BULK, answer) == []
    shown = await ended(sandbox, answer.json()["id"])
    documents = [await sandbox.get(f"/document/{each}") for each in shown["parsedDocumentIds"]]
    assert [each["fileName"] for each in documents] == ["water may.pdf", "solar.png", "gas", "document"]
    assert [each["usageData"][0]["datasourceType"] for each in documents] == ["WATER", "SOLAR", "GAS", "ELECTRICITY"]
    file = await sandbox.plain("GET", httpx.URL(documents[0]["url"]).path)
    assert (file.headers["content-type"], file.content[:5]) == ("application/pdf", b"%PDF-")


async def test_a_companys_jobs_are_listed_newest_first(sandbox: Sandbox) -> None:
    company, _ = await sandbox.company()
    made = [await upload(sandbox, company, content=PDF + bytes([number])) for number in range(3)]
    answer = await sandbox.call("GET", f"/job/company/{company}")
    assert faults_of_answer("GET", SINGLE, answer) == []
    assert [each["id"] for each in answer.json()["jobs"]] == made[::-1]


async def test_only_a_new_document_is_announced_with_its_job(clock: Clock) -> None:
    sandbox = with_webhooks(clock)
    company, _ = await sandbox.company()
    made = await upload(sandbox, company)
    await upload(sandbox, company)
    await upload(sandbox, company, content=b"no bill")
    await sandbox.deliver_webhooks()
    assert sandbox.received == []
    clock.advance(5)
    await sandbox.deliver_webhooks(2)
    (received,) = sandbox.received
    assert (received.event, received.body["jobId"], received.body["company"]) == ("document.created.v2", made, company)
    assert faults_of_event(received.event, received.body) == []


async def test_jobs_and_files_survive_a_restart_and_go_with_their_company(clock: Clock, tmp_path: Path) -> None:
    first = on_disk(clock, tmp_path)
    company, _ = await first.company()
    made = await upload(first, company)
    first.world.close()
    second = on_disk(clock, tmp_path)
    (document,) = (await ended(second, made))["parsedDocumentIds"]
    assert (await second.plain("GET", f"/files/uploads/{document}")).content == PDF
    await second.call("DELETE", f"/company/{company}")
    assert (await second.call("GET", f"/job/{made}")).status_code == 404
    assert second.world.uploads._context.database.read_file(document) is None  # noqa: SLF001 - what is left on disk


async def test_a_companys_trouble_reaches_the_paths_of_its_jobs(sandbox: Sandbox) -> None:
    company, _ = await sandbox.company()
    made = await upload(sandbox, company)
    await sandbox.trouble("provider_5xx", companyId=company)
    assert (await sandbox.call("GET", f"/job/{made}")).status_code == 500

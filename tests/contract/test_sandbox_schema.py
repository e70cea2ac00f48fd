"""Every answer of the sandbox has the shape that the provider's OpenAPI describes."""

import re
from pathlib import Path
from typing import Any

import pytest

from tests.support.clock import Clock
from tests.support.provider_schema import faults, faults_of_answer, operations
from tests.support.sandbox_client import GUIDE, Sandbox

NOT_BUILT = {("PATCH", "/usage/{usage_data_id}")}
UPLOAD = ("POST", "/job/company/{company_id}")
"""The only call whose body is a form with a file."""
BUILT = sorted(operations() - NOT_BUILT)
VERSIONED = ("document", "usage", "team")
"""The resources whose shape differs between versions."""
SHAPES = [(*each, "v2.2") for each in BUILT] + [
    (*each, version)
    for each in BUILT
    for version in ("v2.1", "v2")
    if any(resource in each[1] for resource in VERSIONED)
]
UNKNOWN_ID = "00000000-0000-4000-8000-000000000000"


async def ids_of(sandbox: Sandbox) -> dict[str, str]:
    """One of everything; a single utility type keeps the lists short."""
    company, (site,) = await sandbox.company()
    connection = (await sandbox.connect(company, [site], initialDatasourceTypes=["ELECTRICITY"]))["id"]
    invitation = (await sandbox.post(f"/invitation/company/{company}", {"maxUses": 1, "expiresInSeconds": 60}))["id"]
    sandbox.clock.advance(6)
    usage = (await sandbox.get(f"/usage/company/{company}"))["usageData"][0]
    return {
        "company_id": company,
        "site_id": site,
        "connection_id": connection,
        "invitation_id": invitation,
        "document_id": (await sandbox.get(f"/document/company/{company}"))["documents"][0]["id"],
        "usage_data_id": usage["id"],
        "meter_id": usage["meter"],
        "account_id": (await sandbox.get(f"/account/company/{company}"))["accounts"][0]["id"],
        "job_id": (await sandbox.post(f"/job/company/{company}/bulk", {"documents": ["https://a.example/bill.pdf"]}))[
            "id"
        ],
    }


def body_of(method: str, template: str, ids: dict[str, str]) -> dict[str, object] | None:
    if method not in {"POST", "PATCH"}:
        return None
    if template.startswith("/account/company"):
        return {"accounts": [ids["account_id"]], "isTracked": False}
    if template.endswith("/bulk"):
        return {"documents": ["https://files.example/gas.pdf"]}
    if "connection" in template and "invitation" not in template and not template.endswith(("link", "connection_id}")):
        return {**GUIDE, "sites": [ids["site_id"]], "workflowOwnerEmail": "ada@example.com"}
    return {"name": "A name"} if "/site" in template or template.startswith("/company") else {}


def sent(method: str, template: str, ids: dict[str, str]) -> dict[str, Any]:
    if (method, template) == UPLOAD:
        return {"files": {"document": ("bill.pdf", b"%PDF-1.4", "application/pdf")}}
    return {"body": body_of(method, template, ids)}


@pytest.mark.parametrize(("method", "template"), [each for each in BUILT if "{" in each[1]])
async def test_an_unknown_id_is_404_with_a_detail(clock: Clock, method: str, template: str) -> None:
    sandbox = Sandbox(clock)
    path = re.sub(r"\{\w+\}", UNKNOWN_ID, template)
    ids = {"site_id": UNKNOWN_ID, "account_id": UNKNOWN_ID}
    answer = await sandbox.call(method, path, **sent(method, template, ids))
    assert answer.status_code == 404
    assert faults_of_answer(method, template, answer) == []


@pytest.mark.parametrize(("method", "template"), sorted(NOT_BUILT))
async def test_an_operation_that_is_not_built_is_refused(clock: Clock, method: str, template: str) -> None:
    sandbox = Sandbox(clock)
    ids = await ids_of(sandbox)
    answer = await sandbox.call(method, template.format(**ids), {} if method != "GET" else None)
    assert answer.status_code == (405 if "usage" in template else 404)
    assert set(answer.json()) == {"detail"}


def test_every_operation_that_is_not_built_is_listed_as_a_difference() -> None:
    listed = (
        (Path(__file__).parents[2] / "docs" / "provider.md").read_text().partition("the sandbox differs in this")[2]
    )
    for method, template in NOT_BUILT:
        assert f"`{method} {re.sub(r'{[a-z_]+}', '{id}', template)}`" in listed


@pytest.mark.parametrize(("method", "template", "version"), SHAPES)
async def test_an_answer_has_the_described_shape(clock: Clock, method: str, template: str, version: str) -> None:
    sandbox = Sandbox(clock, version=version)
    ids = await ids_of(sandbox)
    answer = await sandbox.call(method, template.format(**ids), **sent(method, template, ids))
    assert answer.is_success, answer.text
    assert faults_of_answer(method, template, answer) == []


def test_the_schema_check_itself_finds_faults() -> None:
    schema = "#/components/schemas/Site"
    good = {"id": UNKNOWN_ID, "name": "A site", "dataCollectionStopDate": None}
    assert faults(schema, good) == []
    assert faults(schema, good | {"id": "7"})
    assert faults(schema, good | {"dataCollectionStopDate": "yesterday"})
    assert faults(schema, {"id": UNKNOWN_ID})
    assert faults("#/components/schemas/Invitation/properties/createdAt", "2026-01-05T10:00:00.000000")

"""What the sandbox refuses, and that it names the wrong field."""

from typing import Any

import pytest

from tests.support.provider_schema import faults
from tests.support.sandbox_client import GUIDE, VERSIONS, Sandbox

UNKNOWN_ID = "00000000-0000-4000-8000-000000000000"


async def refused_sites(sandbox: Sandbox, own: list[str]) -> dict[str, Any]:
    _, foreign = await sandbox.company("Another company")
    return {
        "none": [],
        "four": own,
        "foreign": [own[0], foreign[0]],
        "unknown": [UNKNOWN_ID],
        "no uuid": ["headquarters"],
        "no list": own[0],
        "null": None,
        "absent": ...,
    }


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("headers", [{}, {"X-API-Key": ""}, {"X-API-Key": "another"}, {"X-API-Key": "sandbox-keys"}])
@pytest.mark.parametrize(("method", "path"), [("GET", "/company"), ("POST", "/company"), ("GET", "/nowhere")])
async def test_a_missing_or_wrong_key_is_401_with_a_detail(
    sandbox: Sandbox, version: str, headers: dict[str, str], method: str, path: str
) -> None:
    answer = await sandbox.plain(method, f"/{version}{path}", headers=headers)
    assert answer.status_code == 401
    assert faults("#/components/schemas/Error", answer.json()) == []


async def test_a_key_that_is_not_ascii_is_401(sandbox: Sandbox) -> None:
    answer = await sandbox.plain("GET", "/v2.2/ping", headers={"X-API-Key": b"\xff\xfe"})
    assert answer.status_code == 401


@pytest.mark.parametrize("case", ["none", "four", "foreign", "unknown", "no uuid", "no list", "null", "absent"])
async def test_wrong_sites_are_400_naming_the_field_and_create_no_connection(sandbox: Sandbox, case: str) -> None:
    company, own = await sandbox.company(sites=4)
    wrong = (await refused_sites(sandbox, own))[case]
    body = {**GUIDE, "sites": wrong} if wrong is not ... else GUIDE
    answer = await sandbox.call("POST", f"/company/{company}/connection", body)
    assert (answer.status_code, set(answer.json())) == (400, {"sites"})
    assert faults("#/components/schemas/ValidationError", answer.json()) == []
    assert (await sandbox.get(f"/company/{company}/connection"))["totalConnections"] == 0


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("url", "nectarclimate.com"),
        ("url", "ftp://nectarclimate.com"),
        ("url", "https://[::1"),
        ("url", 7),
        ("username", ""),
        ("username", None),
        ("username", "x" * 256),
        ("username", "\x00"),
        ("password", ""),
        ("password", ["x"]),
        ("country", "USA"),
        ("country", "U1"),
        ("country", ""),
        ("initialDatasourceTypes", ["COAL"]),
        ("initialDatasourceTypes", "GAS"),
        ("workflowOwnerEmail", "nobody"),
        ("dataCollectionStartDate", "2025-13-01"),
        ("dataCollectionStartDate", "01.01.2025"),
        ("multiplyByOccupancy", "yes"),
    ],
)
async def test_a_wrong_field_of_a_connection_is_400_naming_it(sandbox: Sandbox, field: str, value: Any) -> None:
    company, sites = await sandbox.company()
    answer = await sandbox.call("POST", f"/company/{company}/connection", {**GUIDE, "sites": sites, field: value})
    assert (answer.status_code, set(answer.json())) == (400, {field})


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("name", ""),
        ("name", "x" * 201),
        ("name", 7),
        ("externalId", 7),
        ("dataCollectionStartDate", "soon"),
        ("isDemandEnabled", "true"),
        *(("impliedMeteringFraction", wrong) for wrong in ("0.123", "", "-", ".", "-.")),
        ("users", ["nobody"]),
    ],
)
async def test_a_wrong_field_of_a_company_is_400_naming_it(sandbox: Sandbox, field: str, value: Any) -> None:
    made = await sandbox.call("POST", "/company", {"name": "Acme", field: value})
    assert (made.status_code, set(made.json())) == (400, {field})
    company, _ = await sandbox.company()
    changed = await sandbox.call("PATCH", f"/company/{company}", {field: value})
    assert (changed.status_code, set(changed.json())) == (400, {field})


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("name", "x" * 256),
        ("address", "x" * 256),
        ("address", None),
        ("path", ["x"] * 11),
        ("path", [""]),
        *(
            ("occupancyPercent", wrong)
            for wrong in ("101", "100.0001", "-1", "0100", "1.00001", "", "-", ".", "5 ", 50)
        ),
    ],
)
async def test_a_wrong_field_of_a_site_is_400_naming_it(sandbox: Sandbox, field: str, value: Any) -> None:
    company, (site,) = await sandbox.company()
    made = await sandbox.call("POST", f"/company/{company}/site", {"name": "Site", field: value})
    changed = await sandbox.call("PATCH", f"/site/{site}", {field: value})
    assert (made.status_code, set(made.json())) == (400, {field})
    assert (changed.status_code, set(changed.json())) == (400, {field})


@pytest.mark.parametrize("value", [".5", "050", "5.", "000", "-0", "100", "100.0000", "0.1234", None])
async def test_an_occupancy_of_the_providers_form_from_0_to_100_is_kept_as_it_is(
    sandbox: Sandbox, value: str | None
) -> None:
    company, (site,) = await sandbox.company()
    made = await sandbox.post(f"/company/{company}/site", {"name": "Site", "occupancyPercent": value})
    changed = await sandbox.call("PATCH", f"/site/{site}", {"occupancyPercent": value})
    assert (made["occupancyPercent"], changed.status_code, changed.json()["occupancyPercent"]) == (value, 200, value)


async def test_every_wrong_field_is_named_at_once(sandbox: Sandbox) -> None:
    company, _ = await sandbox.company()
    answer = await sandbox.call("POST", f"/company/{company}/connection", {"url": "x", "country": "?"})
    assert set(answer.json()) == {"url", "country", "username", "password", "sites"}


async def test_fields_that_the_provider_does_not_know_are_ignored(sandbox: Sandbox) -> None:
    made = await sandbox.post("/company", {"name": "Acme", "colour": "green"})
    assert "colour" not in made


@pytest.mark.parametrize(
    ("body", "kind", "status"),
    [
        (b"{", "application/json", 400),
        (b"\xff", "application/json", 400),
        (b"[]", "application/json", 400),
        (b'"text"', "application/json", 400),
        (b'{"name": NaN}', "application/json", 400),
        (b'{"name": "Acme", "colour": 1e999}', "application/json", 400),
        (rb'{"name": "Acme \ud800"}', "application/json", 400),
        (rb'{"name": "Acme", "\udfff": 1}', "application/json", 400),
        (b"[" * 100_000, "application/json", 400),
        (b"name=Acme", "application/x-www-form-urlencoded", 415),
        (b'{"name": "Acme"}', "text/plain", 415),
        (b'{"name": "Acme"}', "", 415),
        (b'{"name": "' + b"x" * 262_144 + b'"}', "application/json", 413),
    ],
)
async def test_a_body_that_is_no_json_object_is_refused(sandbox: Sandbox, body: bytes, kind: str, status: int) -> None:
    answer = await sandbox.call("POST", "/company", None, content=body, headers={"Content-Type": kind})
    assert (answer.status_code, set(answer.json())) == (status, {"detail"})
    assert await sandbox.get("/company") == []


async def test_a_body_without_a_declared_length_is_limited_too(sandbox: Sandbox) -> None:
    async def endless() -> Any:
        for _ in range(300):
            yield b" " * 1024

    answer = await sandbox.call("POST", "/company", None, content=endless())
    assert answer.status_code == 413


@pytest.mark.parametrize(("method", "path"), [("PUT", "/company"), ("DELETE", "/company"), ("POST", "/ping")])
async def test_another_method_is_405_with_a_detail(sandbox: Sandbox, method: str, path: str) -> None:
    answer = await sandbox.call(method, path)
    assert answer.status_code == 405
    assert answer.json() == {"detail": f'Method "{method}" not allowed.'}
    assert "GET" in answer.headers["allow"]


@pytest.mark.parametrize("path", ["/company/", "/nowhere", "/company/x/y/z", "", "/"])
async def test_an_unknown_path_is_404_with_a_detail(sandbox: Sandbox, path: str) -> None:
    answer = await sandbox.call("GET", path)
    assert (answer.status_code, answer.json()) == (404, {"detail": "Not found."})


@pytest.mark.parametrize("resource", ["connection", "site"])
async def test_another_companys_record_is_404_under_this_company(sandbox: Sandbox, resource: str) -> None:
    company, sites = await sandbox.company()
    other, _ = await sandbox.company("Other")
    made = await sandbox.connect(company, sites)
    record_id = made["id"] if resource == "connection" else sites[0]
    ending = "/details" if resource == "connection" else ""
    assert (await sandbox.call("GET", f"/company/{company}/{resource}/{record_id}{ending}")).status_code == 200
    assert (await sandbox.call("GET", f"/company/{other}/{resource}/{record_id}{ending}")).status_code == 404


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("page=0", "page"),
        ("page=x", "page"),
        ("page=-1", "page"),
        ("limit=0", "limit"),
        ("limit=501", "limit"),
        ("status=FINE", "status"),
        ("sites=hq", "sites"),
        ("connectionOwnerEmail=nobody", "connectionOwnerEmail"),
    ],
)
async def test_a_wrong_parameter_of_the_connection_list_is_400_naming_it(
    sandbox: Sandbox, query: str, field: str
) -> None:
    company, _ = await sandbox.company()
    answer = await sandbox.call("GET", f"/company/{company}/connection?{query}")
    assert (answer.status_code, set(answer.json())) == (400, {field})


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("startDate=2025", "startDate"),
        ("endDate=2025-02-30", "endDate"),
        ("dateType=BILLED", "dateType"),
        ("datasourceType=COAL", "datasourceType"),
        ("isDeleted=maybe", "isDeleted"),
        ("identifier=", "identifier"),
        ("page=99999999999999999999", "page"),
    ],
)
async def test_a_wrong_parameter_of_the_document_list_is_400_naming_it(
    sandbox: Sandbox, query: str, field: str
) -> None:
    company, _ = await sandbox.company()
    for path in ("document", "usage"):
        answer = await sandbox.call("GET", f"/company/{company}/{path}?{query}")
        assert (answer.status_code, set(answer.json())) == (400, {field})


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"maxUses": 0}, "maxUses"),
        ({"maxUses": True}, "maxUses"),
        ({"expiresInSeconds": 59}, "expiresInSeconds"),
        ({"expiresInSeconds": "3600"}, "expiresInSeconds"),
        ({"allowedEmails": ["nobody"]}, "allowedEmails"),
        ({"sendEmail": 1}, "sendEmail"),
        ({"prefill": "url"}, "prefill"),
        ({"prefill": ""}, "prefill"),
        ({"prefill": []}, "prefill"),
        ({"prefill": 0}, "prefill"),
        ({"prefill": False}, "prefill"),
        ({"prefill": {"url": "x"}}, "url"),
        ({"prefill": {"initialSites": [UNKNOWN_ID]}}, "initialSites"),
        ({"prefill": {"utilityTypes": ["COAL"]}}, "utilityTypes"),
        ({"prefill": {"country": "USA"}}, "country"),
    ],
)
async def test_a_wrong_field_of_an_invitation_is_400_naming_it(
    sandbox: Sandbox, body: dict[str, Any], field: str
) -> None:
    company, _ = await sandbox.company()
    answer = await sandbox.call("POST", f"/invitation/company/{company}", body)
    assert (answer.status_code, set(answer.json())) == (400, {field})
    assert (await sandbox.get(f"/invitation/company/{company}"))["totalInvitations"] == 0


@pytest.mark.parametrize(("field", "value"), [("sites", [UNKNOWN_ID]), ("url", "x"), ("country", 1), ("sites", "x")])
async def test_a_wrong_field_of_a_magic_link_is_400_naming_it(sandbox: Sandbox, field: str, value: Any) -> None:
    company, sites = await sandbox.company()
    connection = (await sandbox.connect(company, sites))["id"]
    for path in (f"/company/{company}/connection/link", f"/connection/{connection}"):
        answer = await sandbox.call("POST", path, {field: value})
        assert (answer.status_code, set(answer.json())) == (400, {field})


async def test_the_keys_header_may_be_spelled_in_any_case(sandbox: Sandbox) -> None:
    assert (await sandbox.plain("GET", "/v2.2/ping", headers={"x-api-KEY": "sandbox-key"})).status_code == 200


async def test_a_body_of_the_largest_size_is_read(sandbox: Sandbox) -> None:
    body = b'{"name": "Acme"}'.ljust(262_144)
    answer = await sandbox.call("POST", "/company", None, content=body, headers={"Content-Type": "application/json"})
    assert answer.status_code == 201

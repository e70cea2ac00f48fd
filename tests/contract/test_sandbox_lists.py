"""List pages and filters. Reference: the provider's pagination and filtering pages."""

from typing import Any

import pytest

from tests.support.sandbox_client import JsonObject, Sandbox


async def billed(sandbox: Sandbox, *kinds: str, sites: int = 1) -> tuple[str, list[str], str]:
    company, made = await sandbox.company(sites=sites)
    connection = await sandbox.connect(company, made, initialDatasourceTypes=list(kinds))
    sandbox.clock.advance(6)
    return company, made, connection["id"]


def _bill_date(record: JsonObject) -> str:
    return str(record.get("billDate") or record["document"]["billDate"])


async def test_the_filter_for_deleted_documents_changes_nothing(sandbox: Sandbox) -> None:
    company, _, _ = await billed(sandbox, "GAS")
    for value in ("true", "false"):
        assert (await sandbox.get(f"/document/company/{company}", isDeleted=value))["totalDocuments"] == 24


async def test_a_page_past_the_end_is_the_last_one(sandbox: Sandbox) -> None:
    company, _, _ = await billed(sandbox)
    path = f"/document/company/{company}"
    first, last = await sandbox.get(path), await sandbox.get(path, page=2)
    assert await sandbox.get(path, page=99) == last
    assert (first["totalPages"], first["perPage"], first["hasNext"], first["hasPrevious"]) == (2, 100, True, False)
    assert (last["currentPage"], last["hasNext"], last["hasPrevious"]) == (2, False, True)
    ids = [one["id"] for page in (first, last) for one in page["documents"]]
    assert len(ids) == len(set(ids)) == first["totalDocuments"] == 120


async def test_an_empty_list_is_one_page(sandbox: Sandbox) -> None:
    company, _ = await sandbox.company()
    page = await sandbox.get(f"/connection/company/{company}", page=3)
    assert (page["totalPages"], page["currentPage"], page["hasNext"], page["connections"]) == (1, 1, False, [])


async def test_the_connection_list_has_a_limit_and_shows_the_newest_first(sandbox: Sandbox) -> None:
    company, sites = await sandbox.company()
    made = [(await sandbox.connect(company, sites))["id"] for _ in range(3)]
    first = await sandbox.get(f"/company/{company}/connection", limit=2)
    last = await sandbox.get(f"/company/{company}/connection", limit=2, page=2)
    assert (first["perPage"], first["totalConnections"], first["totalPages"]) == (2, 3, 2)
    assert [one["id"] for one in [*first["connections"], *last["connections"]]] == made[::-1]


async def test_the_connection_list_is_filtered_by_status_in_either_spelling(sandbox: Sandbox) -> None:
    company, sites = await sandbox.company()
    good = await sandbox.connect(company, sites)
    bad = await sandbox.connect(company, sites, password="wrong")
    for status, expected in (
        ("INCORRECT_PASSWORD", bad),
        ("PASSWORD_INCORRECT", bad),
        ("CONNECTED", good),
    ):
        page = await sandbox.get(f"/company/{company}/connection", status=status)
        assert [one["id"] for one in page["connections"]] == [expected["id"]]
    assert (await sandbox.get(f"/company/{company}/connection", status="PENDING"))["totalConnections"] == 0


async def test_the_connection_list_is_filtered_by_sites_and_by_owner(sandbox: Sandbox) -> None:
    company, (north, south) = await sandbox.company(sites=2)
    first = await sandbox.connect(company, [north], workflowOwnerEmail="ada@example.com")
    second = await sandbox.connect(company, [south], workflowOwnerEmail="bob@example.com")
    path = f"/company/{company}/connection"

    async def ids(**params: Any) -> list[str]:
        return [one["id"] for one in (await sandbox.get(path, **params))["connections"]]

    assert await ids(sites=north) == [first["id"]]
    assert await ids(sites=[north, south]) == [second["id"], first["id"]]
    assert await ids(connectionOwnerEmail="bob@example.com") == [second["id"]]
    assert await ids(connectionOwnerEmail="bob@example.com", sites=north) == []


@pytest.mark.parametrize("resource", ["document", "usage"])
async def test_date_limits_include_the_day_itself(sandbox: Sandbox, resource: str) -> None:
    company, _, _ = await billed(sandbox, "GAS")
    path, name = f"/company/{company}/{resource}", "documents" if resource == "document" else "usageData"
    everything = (await sandbox.get(path))[name]
    days = [_bill_date(one) for one in everything]
    assert days == sorted(days, reverse=True)
    middle = days[10]
    since = (await sandbox.get(path, startDate=middle))[name]
    until = (await sandbox.get(path, endDate=middle))[name]
    assert [_bill_date(one) for one in since] == days[:11]
    assert [_bill_date(one) for one in until] == days[10:]


async def test_a_usage_period_passes_when_it_overlaps(sandbox: Sandbox) -> None:
    company, _, _ = await billed(sandbox, "WATER")
    path = f"/document/company/{company}"
    period = (await sandbox.get(path))["documents"][3]["usageData"][0]
    inside = {"startDate": period["startDate"][:8] + "10", "endDate": period["startDate"][:8] + "11"}
    assert (await sandbox.get(path, **inside))["totalDocuments"] == 0
    found = (await sandbox.get(path, dateType="USAGE_PERIOD", **inside))["documents"]
    assert [one["usageData"][0]["startDate"] for one in found] == [period["startDate"]]


@pytest.mark.parametrize("date_type", ["CREATED_DATE", "UPDATED_DATE"])
async def test_the_date_of_creation_or_change_filters_all_or_none(sandbox: Sandbox, date_type: str) -> None:
    company, _, _ = await billed(sandbox, "WATER")
    for resource, total in (("document", "totalDocuments"), ("usage", "totalUsageData")):
        path = f"/{resource}/company/{company}"
        today = (await sandbox.get(f"/document/company/{company}"))["documents"][0]["created"][:10]
        assert (await sandbox.get(path, dateType=date_type, startDate=today, endDate=today))[total] == 24
        assert (await sandbox.get(path, dateType=date_type, endDate="2020-01-01"))[total] == 0


async def test_a_repeated_type_parameter_filters_by_several(sandbox: Sandbox) -> None:
    company, _, _ = await billed(sandbox)
    path = f"/usage/company/{company}"
    page = await sandbox.get(path, datasourceType=["GAS", "FUEL"])
    assert {entry["datasourceType"] for entry in page["usageData"]} == {"GAS", "FUEL"}
    assert page["totalUsageData"] == 48
    assert (await sandbox.get(path, datasourceType="TELECOM"))["totalUsageData"] == 0


async def test_an_identifier_is_compared_without_separators_zeros_and_case(sandbox: Sandbox) -> None:
    company, _, _ = await billed(sandbox, "GAS", "WATER")
    path = f"/document/company/{company}"
    meter = (await sandbox.get(f"/meter/company/{company}"))["meters"][0]
    value = next(one["value"] for one in meter["identifiers"] if one["name"] == "METER")
    spelled = "00 " + value.replace("-", "_").lower() + "/"
    page = await sandbox.get(path, identifier=spelled)
    assert page["totalDocuments"] == 24
    assert {entry["meter"] for one in page["documents"] for entry in one["usageData"]} == {meter["id"]}
    assert (await sandbox.get(path, identifier="no such meter"))["totalDocuments"] == 0


@pytest.mark.parametrize("identifier", ["0", "000", "-", "/", "_ 0,"])
async def test_an_identifier_of_which_nothing_is_left_matches_nothing(sandbox: Sandbox, identifier: str) -> None:
    company, _, _ = await billed(sandbox, "GAS")
    for name, total in (("document", "totalDocuments"), ("usage", "totalUsageData")):
        assert (await sandbox.get(f"/{name}/company/{company}", identifier=identifier))[total] == 0


async def test_a_sites_lists_have_that_sites_data_only(sandbox: Sandbox) -> None:
    _, (north, south), _ = await billed(sandbox, "GAS", sites=2)
    for site in (north, south):
        assert (await sandbox.get(f"/document/site/{site}"))["totalDocuments"] == 24
        usage = (await sandbox.get(f"/usage/site/{site}"))["usageData"]
        assert {entry["site"]["id"] for entry in usage} == {site}
        assert [meter["site"] for meter in (await sandbox.get(f"/meter/site/{site}"))["meters"]] == [site]


async def test_a_documents_usage_is_read_by_its_period(sandbox: Sandbox) -> None:
    company, _, _ = await billed(sandbox, "GAS")
    document = (await sandbox.get(f"/document/company/{company}"))["documents"][0]
    path = f"/usage/document/{document['id']}"
    entry = document["usageData"][0]
    assert (await sandbox.get(path))["usageData"] == document["usageData"]
    assert (await sandbox.get(path, startDate=entry["startDate"], endDate=entry["startDate"]))["totalUsageData"] == 1
    assert (await sandbox.get(path, endDate="2020-01-01"))["totalUsageData"] == 0


async def test_the_same_connection_always_has_the_same_documents(sandbox: Sandbox) -> None:
    company, _, connection = await billed(sandbox, "SOLAR")
    before = await sandbox.get(f"/document/connection/{connection}")
    sandbox.clock.advance(86_400 * 40)
    assert await sandbox.get(f"/document/company/{company}") == before


async def test_a_connection_shows_its_accounts_as_soon_as_it_has_data(sandbox: Sandbox) -> None:
    company, sites = await sandbox.company()
    made = await sandbox.connect(company, sites, initialDatasourceTypes=["GAS"])
    assert made["accounts"] == []
    sandbox.clock.advance(6)
    shown = await sandbox.get(f"/connection/{made['id']}/details")
    meters = (await sandbox.get(f"/meter/company/{company}"))["meters"]
    assert [account["meters"] for account in shown["accounts"]] == [[meter["id"] for meter in meters]]

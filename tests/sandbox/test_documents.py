"""The sample documents, usage entries, meters and accounts as JSON."""

from decimal import Decimal
from typing import Any

import pytest

from service.sandbox.bills.bill import BilledSite, BillSource
from service.sandbox.bills.documents import VERSIONS, accounts_for, documents_for, meters_for, usage_for
from service.sandbox.wire.enums import SAMPLE_TYPES
from tests.support.bill_sources import HEADQUARTERS, source

FILES = "https://sandbox.example"
OTHER_SITE = BilledSite("44444444-4444-4444-8444-444444444444", "Warehouse", "")


def documents(connection: BillSource, version: str = "v2.2") -> list[dict[str, Any]]:
    return documents_for(connection, version=version, files_url=FILES)


def usage(connection: BillSource, version: str = "v2.2") -> list[dict[str, Any]]:
    return usage_for(connection, version=version, files_url=FILES)


def test_a_source_without_types_has_no_data() -> None:
    assert documents(source(types=())) == []
    assert accounts_for(source(types=())) == []


@pytest.mark.parametrize("version", VERSIONS)
def test_every_site_and_type_has_two_years_of_monthly_documents_ending_before_the_creation(version: str) -> None:
    found = documents(source(sites=(HEADQUARTERS, OTHER_SITE)), version)
    for site in ("11111111-1111-4111-8111-111111111111", OTHER_SITE.id):
        for kind in SAMPLE_TYPES:
            mine = [d for d in found if d["usageData"][0]["site"]["id"] == site]
            dates = [d["billDate"] for d in mine if d["usageData"][0]["datasourceType"] == kind]
            assert dates[0] == "2025-12-31"
            assert dates[-1] == "2024-01-31"
            assert len(set(dates)) == 24
    assert len(found) == 2 * 5 * 24


def test_equal_sources_have_equal_documents_and_another_source_has_others() -> None:
    first, again = documents(source()), documents(source())
    other = documents(source("55555555-5555-4555-8555-555555555555"))
    assert first == again
    assert not {d["id"] for d in first} & {d["id"] for d in other}
    assert len({d["id"] for d in first}) == len(first)


def test_a_bills_id_survives_the_addition_of_a_site() -> None:
    before = {d["id"] for d in documents(source())}
    assert before < {d["id"] for d in documents(source(sites=(HEADQUARTERS, OTHER_SITE)))}


@pytest.mark.parametrize("country", ["US", "DE", "JP", "AU", "XX"])
@pytest.mark.parametrize("version", VERSIONS)
def test_the_line_items_add_up_exactly_to_the_charges(version: str, country: str) -> None:
    for bill in documents(source(country=country), version):
        lines = bill["lineItems"]
        assert sum(Decimal(line["totalCharge"]) for line in lines) == Decimal(bill["currentCharges"])
        taxes = [Decimal(line["totalCharge"]) for line in lines if line["chargeType"] == "TAX"]
        credits_ = [Decimal(line["totalCharge"]) for line in lines if line["chargeType"] == "CREDIT"]
        assert sum(taxes) == Decimal(bill["taxCharges"])
        assert sum(credits_) == Decimal(bill["credits"])
        assert Decimal(bill["previousCloseBalance"]) == -Decimal(bill["afterPreviousTotalPayment"])
        assert Decimal(bill["totalCharges"]) == Decimal(bill["currentOpenBalance"]) + Decimal(bill["currentCharges"])


def test_v2_2_has_time_of_use_as_a_breakdown_of_one_entry_and_the_demand_separately() -> None:
    bill = documents(source(types=("ELECTRICITY",)))[0]
    (entry,) = bill["usageData"]
    assert "timeOfUse" not in entry
    assert [part["timeOfUse"] for part in entry["timeOfUseBreakdown"]] == ["PEAK", "OFF_PEAK"]
    assert sum(Decimal(part["usage"]) for part in entry["timeOfUseBreakdown"]) == Decimal(entry["usage"])
    (demand,) = bill["demandMeters"]
    assert demand["usageDataIds"] == [entry["id"]]
    assert demand["demandUsage"] == entry["billedDemand"]


@pytest.mark.parametrize("version", ["v2", "v2.1"])
def test_before_v2_2_each_time_of_use_is_an_entry_and_there_are_no_demand_meters(version: str) -> None:
    bill = documents(source(types=("ELECTRICITY",)), version)[0]
    whole = documents(source(types=("ELECTRICITY",)))[0]["usageData"][0]
    peak, off_peak = bill["usageData"]
    assert (peak["timeOfUse"], off_peak["timeOfUse"]) == ("PEAK", "OFF_PEAK")
    assert Decimal(peak["usage"]) + Decimal(off_peak["usage"]) == Decimal(whole["usage"])
    assert "demandMeters" not in bill
    assert len({peak["id"], off_peak["id"], whole["id"]}) == 3


def test_only_electricity_has_demand_and_times_of_use() -> None:
    for bill in documents(source(types=("GAS", "WATER", "SOLAR", "FUEL"))):
        assert bill["demandMeters"] == []
        assert bill["usageData"][0]["timeOfUseBreakdown"] == []


def test_each_version_has_its_own_usage_fields() -> None:
    fields = {version: set(usage(source(), version)[0]) for version in VERSIONS}
    assert "isEstimated" in fields["v2.1"] & fields["v2.2"]
    assert "isEstimated" not in fields["v2"]
    assert "serviceAddress" in fields["v2"] - fields["v2.1"]
    assert "timeOfUseBreakdown" in (fields["v2"] & fields["v2.2"]) - fields["v2.1"]


def test_a_usage_entry_points_back_at_its_document() -> None:
    by_id = {bill["id"]: bill for bill in documents(source())}
    for entry in usage(source()):
        bill = by_id[entry["document"]["id"]]
        assert entry["id"] in [nested["id"] for nested in bill["usageData"]]
        assert entry["document"]["totalCharges"] == bill["totalCharges"]


def test_a_document_names_the_address_of_its_pdf() -> None:
    bill = documents(source())[0]
    assert bill["url"] == f"{FILES}/files/{source().id}/{bill['id']}.pdf"


def test_meters_and_accounts_name_each_other() -> None:
    connection = source(sites=(HEADQUARTERS, OTHER_SITE))
    meters, accounts = meters_for(connection), accounts_for(connection)
    assert len(meters) == 10
    assert len(accounts) == 5
    listed = {meter_id: account["id"] for account in accounts for meter_id in account["meters"]}
    assert listed == {meter["id"]: meter["account"] for meter in meters}
    assert {entry["meter"] for entry in usage(connection)} == set(listed)


def test_a_site_without_an_address_reads_as_no_address() -> None:
    connection = source(sites=(OTHER_SITE,))
    assert {meter["address"] for meter in meters_for(connection)} == {None}
    assert {entry["meterAddress"] for entry in usage(connection)} == {None}

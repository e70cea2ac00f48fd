"""The sample data in the provider's JSON: documents, usage entries, meters and accounts, for each API version."""

from collections.abc import Iterator
from decimal import Decimal
from typing import Any
from uuid import UUID, uuid5

from service.sandbox.bills.bill import BillLine, BillSource, MeterReading, SampleBill, SampleMeter
from service.sandbox.bills.metering import bills_for, last_service_on, meters_of
from service.sandbox.wire.times import rest_time

Wire = dict[str, Any]
VERSIONS = ("v2", "v2.1", "v2.2")


def documents_for(source: BillSource, *, version: str, files_url: str) -> list[Wire]:
    """Return the documents, newest first; `files_url` is the address of the sandbox."""
    return [document(bill, version=version, files_url=files_url) for bill in bills_for(source)]


def usage_for(source: BillSource, *, version: str, files_url: str) -> list[Wire]:
    """Return the usage entries, newest first, each with a summary of its document."""
    return [
        # Without the usage of the document, which would repeat the entry.
        entry | {"document": summary(bill, files_url=files_url)}
        for bill in bills_for(source)
        for entry in usage_of(bill, version=version)
    ]


def meters_for(source: BillSource) -> list[Wire]:
    """Return the meters, one per site and utility type."""
    return [_meter(meter) for meter in meters_of(source)]


def accounts_for(source: BillSource) -> list[Wire]:
    """Return the utility accounts, one per type, with the ids of their meters."""
    meters = meters_of(source)
    last_on = last_service_on(source)
    return [
        {
            "id": account_id,
            "accountNumber": number,
            "meters": [meter.id for meter in meters if meter.account_id == account_id],
            "isTracked": True,
            "trackingStatus": "UNSET",
            "isDuplicated": "false",  # a string in the reference, not a boolean
            "dataCollectionStartDate": None,
            "isCollectingInvoiceData": True,
            "isCollectingSmartMeterData": kind == "ELECTRICITY",
            "datasourceTypes": [kind],
            "lastServiceDate": last_on and last_on.isoformat(),
        }
        for account_id, number, kind in dict.fromkeys((m.account_id, m.account_number, m.kind) for m in meters)
    ]


def document(bill: SampleBill, *, version: str, files_url: str) -> Wire:
    """Return a document as that API version shows it, with its usage and line items."""
    shape = summary(bill, files_url=files_url) | _balances(bill)
    shape["company"] = bill.company_id
    shape["isFlagged"] = False
    shape["invoiceId"] = bill.invoice_id
    shape["startDate"] = bill.reading.start.isoformat()
    shape["usageData"] = list(usage_of(bill, version=version))
    shape["lineItems"] = [_line_item(bill, line) for line in bill.lines]
    # Demand meters are new in v2.2.
    if version == "v2.2":
        shape["demandMeters"] = list(_demand_meters(bill))
    return shape


def summary(bill: SampleBill, *, files_url: str) -> Wire:
    """Return the part of a document that a usage entry repeats."""
    created = rest_time(bill.created_at)
    return {
        "id": bill.id,
        "created": created,
        "updated": created,
        "url": f"{files_url}/files/{bill.connection_id}/{bill.id}.pdf",
        "auditTrailUrl": f"{files_url}/dashboard/connections/{bill.connection_id}/bills/{bill.id}",
        "billDate": bill.reading.end.isoformat(),
        "dueDate": bill.due_on.isoformat(),
        "chargesUnits": bill.currency,
        "utilityCompany": bill.tariff.company,
        "status": "PROCESSED",
        "flaggedStatus": None,
        "revisedDocumentId": None,
        "fileName": bill.file_name,
        "email": None,
        "jobId": None,
        "notes": None,
        "totalCharges": str(bill.total),
        "sourceType": "INVOICE",
    }


def usage_of(bill: SampleBill, *, version: str) -> Iterator[Wire]:
    """Yield a bill's usage entries: one per meter and period in v2.2, one per time of use before it.

    Reference: the provider's changelog, v2.2; it applies to the usage endpoints too.
    """
    reading = bill.reading
    # Only electricity has times of use.
    if bill.meter.kind != "ELECTRICITY":
        yield _for_version(_entry(bill, bill.id, reading.usage), version, None, [])
        return
    if version == "v2.2":
        yield _for_version(
            _entry(bill, bill.id, reading.usage), version, None, list(_breakdown(reading, bill.meter.unit))
        )
        return
    # Before v2.2 the parts are entries of their own, with ids of their own.
    for name, usage in (("PEAK", reading.peak), ("OFF_PEAK", reading.off_peak)):
        yield _for_version(_entry(bill, f"{bill.id}/{name}", usage), version, name, [])


def _meter(meter: SampleMeter) -> Wire:
    """Return the provider's Meter."""
    return {
        "id": meter.id,
        "site": meter.site.id,
        "identifiers": identifiers_of(meter),
        "account": meter.account_id,
        "address": meter.site.address or None,
        "isTracked": True,
        "timeOfUse": None,
        **_kinds(meter.kind),
    }


def _balances(bill: SampleBill) -> Wire:
    """Return the balances: the previous bill was paid in full, so only this bill's charges are due."""
    nothing = str(bill.total - bill.total)
    return {
        "previousCloseBalance": str(bill.previous_total),
        "afterPreviousTotalPayment": str(-bill.previous_total),
        "afterPreviousCharges": nothing,
        "afterPreviousCredits": nothing,
        "currentOpenBalance": nothing,
        "currentCharges": str(bill.total),
        "credits": str(bill.credits),
        "taxCharges": str(bill.taxes),
        "interestCharges": nothing,
    }


def _line_item(bill: SampleBill, line: BillLine) -> Wire:
    # Solar is billed as electricity, so it has the electricity fields too.
    electricity = bill.meter.kind in ("ELECTRICITY", "SOLAR")
    return {
        "description": line.description,
        "quantity": str(line.quantity),
        "quantityUnits": line.unit,
        "rate": str(line.rate),
        "totalCharge": str(line.total),
        "multipliers": [],
        "accountIds": [bill.meter.account_id],
        "chargeType": line.charge.charge_type,
        "electricityChargeType": line.charge.component if electricity else None,
        "electricityIsDemand": line.charge.basis == "demand" if electricity else None,
        "electricityTimeOfUse": line.charge.time_of_use,
        "gasChargeType": line.charge.component if bill.meter.kind == "GAS" else None,
        "billingPeriod": "CURRENT",
    }


def _demand_meters(bill: SampleBill) -> Iterator[Wire]:
    if bill.meter.kind != "ELECTRICITY":
        return
    yield {
        "startDate": bill.reading.start.isoformat(),
        "endDate": bill.reading.end.isoformat(),
        "isEstimated": bill.reading.is_estimated,
        "demandUsage": str(bill.reading.demand),
        "demandUsageUnits": "kW",
        "description": "Highest 15-minute demand",
        "demandType": "PEAK",
        "usageDataIds": [_usage_id(bill.id)],
    }


def _usage_id(seed: str) -> str:
    """Return a usage entry's id, derived from the bill's id and different from it."""
    return str(uuid5(UUID(seed[:36]), f"usage{seed[36:]}"))


def _entry(bill: SampleBill, seed: str, usage: Decimal) -> Wire:
    reading, meter = bill.reading, bill.meter
    created = rest_time(bill.created_at)
    return {
        "id": _usage_id(seed),
        "created": created,
        "updated": created,
        "startDate": reading.start.isoformat(),
        "endDate": reading.end.isoformat(),
        "usage": str(usage),
        "usageUnits": meter.unit,
        "meter": meter.id,
        "meterAddress": meter.site.address or None,
        "serviceAddress": meter.site.address or None,
        "meterIsTracked": True,
        "site": _site(meter),
        "identifiers": identifiers_of(meter),
        "additionalFields": {},
        "isEstimated": reading.is_estimated,
        "isImplied": False,
        "exclusion": False,
        "tariff": bill.tariff.plan,
        "utilityName": bill.tariff.company,
        "country": bill.country,
        **_kinds(meter.kind),
        **_kind_fields(bill),
    }


def _kind_fields(bill: SampleBill) -> Wire:
    """Return the fields that only some types have; the meter's readings are those of the whole month."""
    reading = bill.reading
    solar = bill.meter.kind == "SOLAR"
    figures: Wire = {
        "netMeteringGeneratedKwh": str(reading.usage) if solar else None,
        "netMeteringGridExportKwh": str(reading.export) if solar else None,
        "netMeteringGridImportKwh": None,
    }
    if bill.meter.kind == "ELECTRICITY":
        figures["electricityType"] = "USAGE"
        figures["billedDemand"] = str(reading.demand)
    if bill.meter.kind != "FUEL":  # a delivery is measured by the truck, not by a meter
        figures["previousReading"] = str(reading.opening)
        figures["currentReading"] = str(reading.opening + reading.usage)
    return figures


def _kinds(kind: str) -> Wire:
    """Return the fields that say what type it is; values that the provider documents no example of are guesses."""
    return {
        "datasourceType": kind,
        "netMeteringType": "EXPORT" if kind == "SOLAR" else None,
        "waterType": "POTABLE_WATER" if kind == "WATER" else None,
        "meterHighLow": None,
        "gasType": "NATURAL_GAS" if kind == "GAS" else None,
        "fuelType": "DIESEL" if kind == "FUEL" else None,
        "districtType": None,
        "districtMediumType": None,
        "wasteDescription": None,
        "wasteType": None,
        "wasteStream": None,
        "refrigerantType": None,
    }


def _breakdown(reading: MeterReading, unit: str) -> Iterator[Wire]:
    for name, usage in (("PEAK", reading.peak), ("OFF_PEAK", reading.off_peak)):
        yield {
            "timeOfUse": name,
            "usage": str(usage),
            "usageUnits": unit,
            "description": f"{name.replace('_', '-').capitalize()} hours",
            "startDate": reading.start.isoformat(),
            "endDate": reading.end.isoformat(),
        }


_SINCE_V21 = (
    "updated",
    "isEstimated",
    "netMeteringGeneratedKwh",
    "netMeteringGridImportKwh",
    "netMeteringGridExportKwh",
    "exclusion",
    "electricityType",
)


def _for_version(entry: Wire, version: str, time_of_use: str | None, breakdown: list[Wire]) -> Wire:
    """Return an entry with the fields of its version. Reference: the provider's changelog, v2.1 and v2.2."""
    if version == "v2.2":
        return entry | {"timeOfUseBreakdown": breakdown}
    entry["timeOfUse"] = time_of_use
    # v2.1 has no service address, and v2 lacks the fields that came with v2.1.
    if version == "v2.1":
        del entry["serviceAddress"]
        return entry
    for name in _SINCE_V21:
        entry.pop(name, None)
    return entry | {"timeOfUseBreakdown": breakdown}


def identifiers_of(meter: SampleMeter) -> list[Wire]:
    """Return the identifiers of a meter: its own number, and its account's."""
    return [
        {"rawName": "Meter number", "name": "METER", "value": meter.number},
        {"rawName": "Account number", "name": "ACCOUNT", "value": meter.account_number},
    ]


def _site(meter: SampleMeter) -> Wire:
    site = meter.site
    return {"id": site.id, "name": site.name, "address": site.address, "dataCollectionStopDate": None}

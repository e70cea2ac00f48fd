"""The PDF of a bill."""

import pytest

from service.sandbox.bills.bill import BilledSite, BillSource, format_money
from service.sandbox.bills.metering import bills_for
from service.sandbox.bills.pdf import pdf_for
from service.sandbox.wire.enums import SAMPLE_TYPES
from tests.support.bill_sources import HEADQUARTERS, source


def printed(connection: BillSource) -> bytes:
    data = pdf_for(connection, bills_for(connection)[0].id)
    assert data is not None
    return data


def test_an_unknown_document_has_no_pdf() -> None:
    assert pdf_for(source(), "no-such-document") is None


@pytest.mark.parametrize("kind", SAMPLE_TYPES)
def test_a_bill_shows_what_a_person_looks_for(kind: str) -> None:
    connection = source(types=(kind,))
    bill = bills_for(connection)[0]
    data = printed(connection)
    amount = format_money(bill.total, "USD")
    for words in (bill.tariff.company, "Headquarters", bill.meter.number, bill.invoice_id, amount, "Amount due"):
        assert f"({words})".encode("cp1252") in data
    for line in bill.lines:
        assert line.description.replace("(", "\\(").replace(")", "\\)").encode() in data
    assert b"SAMPLE" in data


def test_the_same_bill_prints_the_same_bytes() -> None:
    assert printed(source()) == printed(source())


def test_long_and_foreign_names_stay_on_the_page() -> None:
    site = BilledSite(HEADQUARTERS.id, "\u6771\u4eac " * 40, "W" * 58 + " (second) line " + "word " * 60)
    data = printed(source(sites=(site,)))
    assert b"..." in data
    assert b"\\(second\\)" in data


def test_a_site_without_an_address_still_has_a_bill() -> None:
    assert printed(source(sites=(BilledSite(HEADQUARTERS.id, "Headquarters", ""),))).startswith(b"%PDF-1.4")


def test_the_paper_size_follows_the_country() -> None:
    assert b"/MediaBox [0 0 612 792]" in printed(source(country="US"))
    assert b"/MediaBox [0 0 595 842]" in printed(source(country="DE"))


def test_money_has_its_sign_before_its_currency() -> None:
    bill = bills_for(source(types=("SOLAR",)))[0]
    assert format_money(bill.credits, "USD").startswith("-$")
    assert format_money(bill.total, "SEK").startswith("SEK ")

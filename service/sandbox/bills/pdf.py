"""The PDF of a bill: one page with what a person looks for on it."""

import textwrap
from collections.abc import Sequence

from service.sandbox.bills.bill import BillSource, SampleBill, format_money
from service.sandbox.bills.metering import bills_for, find_bill
from service.sandbox.bills.pdf_page import BLACK, Colour, PdfFont, PdfPage

LETTER_COUNTRIES = {"US", "CA", "MX"}  # everyone else prints on A4
HISTORY_MONTHS = 13
MARGIN = 46.0
WHITE: Colour = (1, 1, 1)
GREY: Colour = (0.38, 0.41, 0.46)
PALE: Colour = (0.945, 0.95, 0.96)
RULE: Colour = (0.8, 0.82, 0.85)
BAR: Colour = (0.72, 0.76, 0.82)
BRANDS: dict[str, Colour] = {
    "ELECTRICITY": (0.09, 0.25, 0.55),
    "GAS": (0.62, 0.24, 0.1),
    "WATER": (0.02, 0.39, 0.5),
    "SOLAR": (0.55, 0.37, 0.0),
    "FUEL": (0.27, 0.27, 0.33),
}
LABEL = PdfFont(7.5, colour=GREY)
BODY = PdfFont(9)
STRONG = PdfFont(9, bold=True)
NAME = PdfFont(12, bold=True)


def pdf_for(source: BillSource, document_id: str) -> bytes | None:
    """Return the PDF of a bill; None for an unknown document."""
    bill = find_bill(source, document_id)
    if bill is None:
        return None
    same_meter = (each for each in bills_for(source) if each.meter.id == bill.meter.id)
    # Bills are newest first, so these are the bill itself and the twelve before it.
    history = [each for each in same_meter if each.reading.end <= bill.reading.end][:HISTORY_MONTHS]
    return render(bill, history[::-1])


def render(bill: SampleBill, history: Sequence[SampleBill]) -> bytes:
    """Draw a bill; `history` is its meter's last bills, oldest first, itself included."""
    page = PdfPage(612, 792) if bill.country in LETTER_COUNTRIES else PdfPage(595, 842)
    _header(page, bill)
    _addresses(page, 112, bill)
    _amounts(page, 200, bill)
    _meter(page, 300, bill)
    below = _charges(page, 362, bill)
    _chart(page, below + 34, bill, history)
    notice = "Sample bill from the Nectar sandbox. The utility, the meter and the amounts are made up."
    page.text(page.width / 2, page.height - 24, notice, LABEL, align=0.5)
    return page.to_bytes(f"{bill.tariff.company}: {bill.meter.kind.lower()} bill {bill.invoice_id}")


def _header(page: PdfPage, bill: SampleBill) -> None:
    company, brand, right = bill.tariff.company, BRANDS[bill.meter.kind], page.width - MARGIN
    initials = "".join(word[0] for word in company.split() if word[0].isalpha())[:2]
    page.box(0, 0, (page.width, 78), brand)
    page.box(MARGIN, 22, (34, 34), WHITE)
    page.text(MARGIN + 17, 45, initials, PdfFont(17, bold=True, colour=brand), align=0.5)
    page.text(MARGIN + 46, 39, company, PdfFont(17, bold=True, colour=WHITE))
    page.text(MARGIN + 46, 54, bill.tariff.plan, PdfFont(9, colour=WHITE))
    page.text(right, 37, f"{bill.meter.kind.capitalize()} bill", PdfFont(13, bold=True, colour=WHITE), align=1)
    page.text(right, 54, "SAMPLE - NOT A DEMAND FOR PAYMENT", PdfFont(7.5, bold=True, colour=WHITE), align=1)


def _addresses(page: PdfPage, y: float, bill: SampleBill) -> None:
    site, right = bill.meter.site, page.width - MARGIN
    page.text(MARGIN, y, "SERVICE AT", LABEL)
    page.text(MARGIN, y + 16, NAME.fitted(site.name, 270), NAME)
    # About 58 characters fit; wide ones are cut, so that they do not run into the facts.
    for index, line in enumerate(textwrap.wrap(site.address, 58)[:3]):
        page.text(MARGIN, y + 31 + 12 * index, BODY.fitted(line, 270), BODY)
    facts = (
        ("Account number", bill.meter.account_number),
        ("Invoice", bill.invoice_id),
        ("Statement date", f"{bill.reading.end:%d %b %Y}"),
        ("Service period", f"{bill.reading.start:%d %b %Y} to {bill.reading.end:%d %b %Y}"),
        ("Payment due", f"{bill.due_on:%d %b %Y}"),
    )
    for index, (name, value) in enumerate(facts):
        page.text(right - 222, y + 15 * index, name, PdfFont(9, colour=GREY))
        page.text(right, y + 15 * index, value, STRONG, align=1)


def _amounts(page: PdfPage, y: float, bill: SampleBill) -> None:
    right, brand = page.width - MARGIN, BRANDS[bill.meter.kind]
    amounts = (
        ("Previous balance", bill.previous_total),
        ("Payment received", -bill.previous_total),
        ("Current charges", bill.total),
    )
    page.box(MARGIN, y, (right - MARGIN, 60), PALE)
    page.box(right - 160, y, (160, 60), brand)
    for index, (name, amount) in enumerate(amounts):
        x = MARGIN + 14 + (right - MARGIN - 160) / 3 * index
        page.text(x, y + 22, name, PdfFont(8, colour=GREY))
        page.text(x, y + 40, format_money(amount, bill.currency), PdfFont(11, bold=True))
    page.text(right - 146, y + 20, "Amount due", PdfFont(8, colour=WHITE))
    page.text(right - 146, y + 42, format_money(bill.total, bill.currency), PdfFont(17, bold=True, colour=WHITE))


def _meter(page: PdfPage, y: float, bill: SampleBill) -> None:
    reading, width = bill.reading, page.width - 2 * MARGIN
    # Fuel is delivered, so there is no meter to read.
    is_delivery = bill.meter.kind == "FUEL"
    columns = (
        (0, "METER", bill.meter.number),
        (0.19, "DAYS", str((reading.end - reading.start).days + 1)),
        (0.28, "PREVIOUS READING", "delivery" if is_delivery else f"{reading.opening:,f}"),
        (0.47, "CURRENT READING", "delivery" if is_delivery else f"{reading.opening + reading.usage:,f}"),
        (0.65, "USAGE", f"{reading.usage:,f} {bill.meter.unit}"),
        (0.87, "READ", "Estimated" if reading.is_estimated else "Actual"),
    )
    for part, name, value in columns:
        page.text(MARGIN + width * part, y, name, LABEL)
        page.text(MARGIN + width * part, y + 14, value, STRONG)
    page.box(MARGIN, y + 26, (width, 0.6), RULE)


def _charges(page: PdfPage, y: float, bill: SampleBill) -> float:
    """Draw the table of charges and return where it ends."""
    right = page.width - MARGIN
    ends = (right - 195, right - 95, right)
    page.text(MARGIN, y, "CHARGES", LABEL)
    for x, name in zip(ends, ("QUANTITY", "RATE", "AMOUNT"), strict=True):
        page.text(x, y, name, LABEL, align=1)
    for line in bill.lines:
        y += 17
        is_tax = line.charge.charge_type == "TAX"
        cells = ("", "") if is_tax else (f"{line.quantity:,f} {line.unit}", f"{line.rate:,.5f}")
        page.text(MARGIN, y, line.description, BODY)
        for x, value in zip(ends, (*cells, format_money(line.total, bill.currency)), strict=True):
            page.text(x, y, value, BODY, align=1)
        page.box(MARGIN, y + 5, (right - MARGIN, 0.6), RULE)
    y += 21
    page.text(MARGIN, y, "Total current charges", STRONG)
    page.text(right, y, format_money(bill.total, bill.currency), PdfFont(11, bold=True), align=1)
    return y


def _chart(page: PdfPage, y: float, bill: SampleBill, history: Sequence[SampleBill]) -> None:
    page.text(MARGIN, y, f"USAGE BY MONTH ({bill.meter.unit})", LABEL)
    # A meter without any usage still has a chart.
    highest = max(each.reading.usage for each in history) or 1
    step, base = (page.width - 2 * MARGIN) / HISTORY_MONTHS, y + 110
    for index, each in enumerate(history):
        middle = MARGIN + step * (index + 0.5)
        height = 80 * float(each.reading.usage / highest)
        colour = BRANDS[bill.meter.kind] if each is bill else BAR
        page.box(middle - step / 2 + 5, base - height, (step - 10, height), colour)
        page.text(middle, base - height - 4, f"{each.reading.usage:,.0f}", PdfFont(6.5, colour=GREY), align=0.5)
        page.text(middle, base + 12, f"{each.reading.end:%b %y}", PdfFont(7, colour=BLACK), align=0.5)
    page.box(MARGIN, base, (page.width - 2 * MARGIN, 0.6), RULE)

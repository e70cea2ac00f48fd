"""The bill as a person knows it: one printed page per document."""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

from service.sandbox.bills.bill import BillSource, SampleBill
from service.sandbox.bills.metering import bills_for, find_bill
from service.sandbox.bills.pdf_page import BLACK, WHITE, Colour, Pen, Sheet

_BRANDS: dict[str, Colour] = {
    "ELECTRICITY": (0.09, 0.25, 0.55),
    "GAS": (0.62, 0.24, 0.1),
    "WATER": (0.02, 0.39, 0.5),
    "SOLAR": (0.55, 0.37, 0.0),
    "FUEL": (0.27, 0.27, 0.33),
}
_GREY: Colour = (0.38, 0.41, 0.46)
_PALE: Colour = (0.945, 0.95, 0.96)
_RULE: Colour = (0.8, 0.82, 0.85)
_SYMBOLS = {"USD": "$", "EUR": "\u20ac", "GBP": "\u00a3", "JPY": "\u00a5", "CAD": "C$", "AUD": "A$", "NZD": "NZ$"}
_LABEL = Pen(7.5, colour=_GREY)
_BODY = Pen(9)
_STRONG = Pen(9, bold=True)
_MARGIN = 46.0


@dataclass(frozen=True, slots=True)
class _Layout:
    """What each part of the page needs to draw itself."""

    sheet: Sheet
    bill: SampleBill
    brand: Colour

    @property
    def right(self) -> float:
        return self.sheet.width - _MARGIN

    @property
    def span(self) -> float:
        return self.sheet.width - 2 * _MARGIN

    def money(self, amount: Decimal) -> str:
        return money(amount, self.bill.currency)


def money(amount: Decimal, currency: str) -> str:
    """Format an amount with its currency sign, or its code where there is no common sign."""
    sign = "-" if amount < 0 else ""
    return f"{sign}{_SYMBOLS.get(currency, currency + ' ')}{abs(amount):,f}"


def money_text(amount: str, currency: str) -> str:
    """Format an amount as the wire has it."""
    return money(Decimal(amount), currency)


def pdf_for(connection: BillSource, document_id: str) -> bytes | None:
    """Return the PDF of one of the connection's bills, or None for an unknown document."""
    bill = find_bill(connection, document_id)
    if bill is None:
        return None
    history = [past for past in bills_for(connection) if past.meter.id == bill.meter.id]
    return render(bill, [past for past in history if past.reading.end <= bill.reading.end][:13])


def render(bill: SampleBill, history: Sequence[SampleBill]) -> bytes:
    """Print a bill; `history` is its meter's bills, newest first, for the chart."""
    letter = bill.country in {"US", "CA", "MX"}
    sheet = Sheet(612, 792) if letter else Sheet(595, 842)
    page = _Layout(sheet, bill, _BRANDS[bill.meter.kind])
    _letterhead(page)
    _addresses(page, 112)
    _balances(page, 214)
    _meter(page, 300)
    below = _charges(page, 362)
    _chart(page, below + 26, history)
    _stub(page, sheet.height - 112)
    return sheet.to_bytes(f"{bill.tariff.company}: {bill.meter.kind.lower()} bill {bill.invoice_id}")


def _letterhead(page: _Layout) -> None:
    sheet, bill = page.sheet, page.bill
    sheet.box(0, 0, (sheet.width, 78), page.brand)
    sheet.box(_MARGIN, 22, (34, 34), WHITE)
    initials = "".join(word[0] for word in bill.tariff.company.split() if word[0].isalpha())[:2]
    sheet.text_centre(_MARGIN + 17, 45, initials, Pen(17, bold=True, colour=page.brand))
    sheet.text(_MARGIN + 46, 39, bill.tariff.company, Pen(17, bold=True, colour=WHITE))
    sheet.text(_MARGIN + 46, 54, bill.tariff.plan, Pen(9, colour=WHITE))
    sheet.text_right(page.right, 37, f"{bill.meter.kind.capitalize()} bill", Pen(13, bold=True, colour=WHITE))
    sheet.text_right(page.right, 54, "SAMPLE - NOT A DEMAND FOR PAYMENT", Pen(7.5, bold=True, colour=WHITE))


def _addresses(page: _Layout, y: float) -> None:
    sheet, bill = page.sheet, page.bill
    sheet.text(_MARGIN, y, "SERVICE AT", _LABEL)
    sheet.text(_MARGIN, y + 16, _fitted(bill.meter.place.name, Pen(12, bold=True), 270), Pen(12, bold=True))
    for index, part in enumerate(_wrapped(bill.meter.place.address, _BODY, 270)[:3]):
        sheet.text(_MARGIN, y + 31 + 12 * index, part, _BODY)
    facts = (
        ("Account number", bill.meter.account_number),
        ("Invoice", bill.invoice_id),
        ("Statement date", f"{bill.reading.end:%d %b %Y}"),
        ("Service period", f"{bill.reading.start:%d %b %Y} to {bill.reading.end:%d %b %Y}"),
        ("Payment due", f"{bill.due_on:%d %b %Y}"),
    )
    for index, (name, value) in enumerate(facts):
        sheet.text(page.right - 222, y + 15 * index, name, Pen(9, colour=_GREY))
        sheet.text_right(page.right, y + 15 * index, value, _STRONG)


def _balances(page: _Layout, y: float) -> None:
    sheet, bill = page.sheet, page.bill
    sheet.box(_MARGIN, y - 14, (page.span, 60), _PALE)
    sheet.box(page.right - 160, y - 14, (160, 60), page.brand)
    amounts = (
        ("Previous balance", page.money(bill.previous_total)),
        ("Payment received", page.money(-bill.previous_total)),
        ("Current charges", page.money(bill.total)),
    )
    width = (page.span - 160) / 3
    for index, (name, value) in enumerate(amounts):
        x = _MARGIN + 14 + width * index
        sheet.text(x, y + 8, name, Pen(8, colour=_GREY))
        sheet.text(x, y + 26, value, Pen(11, bold=True))
    sheet.text(page.right - 146, y + 6, "Amount due", Pen(8, colour=WHITE))
    sheet.text(page.right - 146, y + 28, page.money(bill.total), Pen(17, bold=True, colour=WHITE))


def _meter(page: _Layout, y: float) -> None:
    sheet, bill, reading = page.sheet, page.bill, page.bill.reading
    metered = bill.meter.kind != "FUEL"
    columns = (
        ("Meter", bill.meter.number),
        ("Days", str((reading.end - reading.start).days + 1)),
        ("Previous reading", f"{reading.opening:,f}" if metered else "delivery"),
        ("Current reading", f"{reading.opening + reading.usage:,f}" if metered else "delivery"),
        ("Usage", f"{reading.usage:,f} {bill.meter.unit}"),
        ("Read", "Estimated" if reading.is_estimated else "Actual"),
    )
    for (name, value), share in zip(columns, (0, 0.19, 0.28, 0.47, 0.65, 0.87), strict=True):
        x = _MARGIN + page.span * share
        sheet.text(x, y, name.upper(), _LABEL)
        sheet.text(x, y + 14, value, _STRONG)
    sheet.rule(_MARGIN, y + 26, page.span, _RULE)


def _charges(page: _Layout, y: float) -> float:
    """Print the table of charges and return where it ends."""
    sheet, bill = page.sheet, page.bill
    ends = (page.right - 195, page.right - 95, page.right)
    sheet.text(_MARGIN, y, "CHARGES", _LABEL)
    for x, name in zip(ends, ("QUANTITY", "RATE", "AMOUNT"), strict=True):
        sheet.text_right(x, y, name, _LABEL)
    for line in bill.lines:
        y += 17
        taxed = line.charge.charge_type == "TAX"
        cells = ("", "") if taxed else (f"{line.quantity:,f} {line.unit}", f"{line.rate:,.5f}")
        sheet.text(_MARGIN, y, line.description, _BODY)
        for x, value in zip(ends, (*cells, page.money(line.total)), strict=True):
            sheet.text_right(x, y, value, _BODY)
        sheet.rule(_MARGIN, y + 5.5, page.span, _RULE)
    y += 21
    sheet.text(_MARGIN, y, "Total current charges", _STRONG)
    sheet.text_right(page.right, y, page.money(bill.total), Pen(11, bold=True))
    return y


def _chart(page: _Layout, y: float, history: Sequence[SampleBill]) -> None:
    sheet, unit, height = page.sheet, page.bill.meter.unit, 74.0
    sheet.text(_MARGIN, y, f"USAGE BY MONTH ({unit})", _LABEL)
    top = max(float(past.reading.usage) for past in history) or 1
    step = page.span / 13
    for index, past in enumerate(reversed(history)):
        x = _MARGIN + step * index
        tall = height * float(past.reading.usage) / top
        colour = page.brand if past.id == page.bill.id else (0.72, 0.76, 0.82)
        sheet.box(x + 5, y + 24 + height - tall, (step - 10, tall), colour)
        sheet.text_centre(x + step / 2, y + 20 + height - tall, f"{past.reading.usage:,.0f}", Pen(6.5, colour=_GREY))
        sheet.text_centre(x + step / 2, y + 36 + height, f"{past.reading.end:%b %y}", Pen(7, colour=BLACK))
    sheet.rule(_MARGIN, y + 24 + height, page.span, _RULE)


def _stub(page: _Layout, y: float) -> None:
    sheet, bill = page.sheet, page.bill
    sheet.rule(_MARGIN, y, page.span, _GREY, dashed=True)
    sheet.text(_MARGIN, y + 18, f"Payment slip: {bill.tariff.company}", _STRONG)
    facts = (
        ("Account", bill.meter.account_number),
        ("Invoice", bill.invoice_id),
        ("Due", f"{bill.due_on:%d %b %Y}"),
        ("Amount due", page.money(bill.total)),
    )
    for index, (name, value) in enumerate(facts):
        x = _MARGIN + page.span / 4 * index
        sheet.text(x, y + 40, name.upper(), _LABEL)
        sheet.text(x, y + 55, value, Pen(11, bold=True))
    notice = "Sample bill from the Nectar sandbox. The utility, the meter and the amounts are made up."
    sheet.text_centre(sheet.width / 2, y + 88, notice, Pen(7.5, colour=_GREY))


def _fitted(text: str, pen: Pen, width: float) -> str:
    while pen.width(text) > width:
        text = text[:-4] + "..."
    return text


def _wrapped(text: str, pen: Pen, width: float) -> list[str]:
    """Break a text into lines of whole words; one overlong word is cut."""
    lines: list[str] = []
    for word in text.split():
        joined = f"{lines[-1]} {word}" if lines else word
        if lines and pen.width(joined) <= width:
            lines[-1] = joined
        else:
            lines.append(_fitted(word, pen, width))
    return lines

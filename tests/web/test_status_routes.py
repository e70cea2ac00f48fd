"""The status page's template: the fields of its context and no others, whoever wrote the words."""

from dataclasses import fields

import pytest

from service.domain.model import ConnectionId
from service.web.pages.status_routes import AccountRow, StatusPage
from tests.support.templates import rendered, used_by

STRANGER = "<script>alert('&')</script>"
ROW = AccountRow(provider=STRANGER, label=STRANGER, sentence=STRANGER, tone="warn", mend_id=ConnectionId("c-1"))
PAGE = StatusPage(host_origin="https://app.example", seconds_left=600, closed=False, accounts=(ROW,))
OVER = StatusPage(host_origin="https://app.example", seconds_left=0, closed=True)


def test_the_template_uses_exactly_the_fields_of_its_context() -> None:
    assert used_by(StatusPage.template) == {field.name for field in fields(StatusPage)}


@pytest.mark.parametrize("page", [PAGE, OVER])
def test_on_the_status_page_a_strangers_words_are_never_markup(page: StatusPage) -> None:
    html = rendered(page)
    assert STRANGER not in html
    assert not any(word in html for word in ("<script>", "<style", " style=", " onclick="))


def test_a_page_whose_time_is_over_shows_no_account_and_no_button() -> None:
    html = rendered(OVER)
    assert "out of date" in html
    assert "<button" not in html

"""No page says anything in English where its language is another: each page in each of its states.

Beside the catalogues there is one whose translations have no letter at all, so that a sentence which no catalogue could
translate, since it is no sentence of `_()`, is seen too.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from string import ascii_letters
from typing import Any, get_args, get_type_hints

import pytest

from service.domain.languages import ENGLISH
from service.domain.model import ConnectionId, LinkStatus
from service.domain.page_view import Waiting
from service.domain.status_words import all_words, words_for
from service.settings.utility_hints import UtilityHints, built_in_hints
from service.web.languages import Language, languages
from service.web.page_templates import page_templates, templates_in
from service.web.pages.advice import AccountView
from service.web.pages.brand import Brand
from service.web.pages.contexts import (
    PAGES,
    ConfirmPage,
    ConnectPage,
    DonePage,
    ElsewherePage,
    EmbedPage,
    ErrorPage,
    FramedErrorPage,
    HandoffPage,
    HandoverPage,
    OpenPage,
    Page,
    ReconnectPage,
)
from service.web.pages.flow_view import ConnectionView, FlowView, LinkView
from service.web.pages.rendering import PageRenderer
from service.web.pages.status_routes import AccountRow, StatusPage
from tests.support.languages import sentences
from tests.support.page_texts import page_texts

# What hosts, providers and users write stays as it is: here it is in digits.
NAME, URL = "0000", "https://help.example.com"
HINTS = built_in_hints()
ACCOUNT = AccountView(NAME, NAME, words_for("MFA_TOKEN_EXPIRED"))
NAMED: dict[str, Any] = {"company": NAME, "user_label": NAME, "support_url": URL}
HELPED = NAMED | {"help_login": URL, "help_upload": URL, "help_mfa": URL}
FLOW = HELPED | {"session_id": "1", "token_path": "/2", "live_path": "/3", "provider_origin": "https://4"}
BRAND = Brand(name=NAME)
READY = LinkView(status=LinkStatus.READY, url=URL)
SINCE = "2026-07-28T14:05:00.000Z"
CONNECTIONS = tuple(ConnectionView(words=words, provider=name) for words in all_words() for name in (NAME, None))
MASKED = str.maketrans(dict.fromkeys(ascii_letters, "·"))


def choices(page: type[Any], field: str) -> tuple[Any, ...]:
    return get_args(get_type_hints(page)[field])


def flows() -> Iterator[Page]:
    for mode in choices(EmbedPage, "mode"):
        yield EmbedPage(**FLOW, mode=mode)
        yield EmbedPage(**FLOW | {"user_label": None, "brand": BRAND}, mode=mode)
    for status in ("created", "opened", "submitted", "connected", "expired", "revoked", "failed"):
        for waiting in (None, *Waiting):
            view = FlowView(status=status, link=READY, waiting=waiting, unreachable_since=SINCE, failure_code="0")
            yield OpenPage(**FLOW, view=replace(view, connections=CONNECTIONS, account=ACCOUNT, hints=HINTS))
            yield OpenPage(**FLOW, view=replace(view, link=LinkView(status=LinkStatus.PENDING), done_url=URL))


def ends() -> Iterator[Page]:
    for outcome in choices(DonePage, "outcome"):
        yield DonePage(**NAMED, outcome=outcome, unreachable_since=SINCE, connections=CONNECTIONS, hints=HINTS)
        yield DonePage(**HELPED | {"user_label": None}, outcome=outcome, again_url=URL, action="/1", form_value="2")
        yield DonePage(**NAMED, outcome=outcome, can_open=True, connections=CONNECTIONS)
    codes = ("not_found", "expired", "revoked", "session_closed", "taken_over", "bad_state", "rate_limited")
    for code in (*codes, "unavailable", "internal_error"):
        yield ErrorPage(code=code, support_url=URL, onward_url=URL)
        yield ErrorPage(code=code, request_id="0")
    yield from (FramedErrorPage(code=code) for code in choices(FramedErrorPage, "code"))


def starts() -> Iterator[Page]:
    asks: dict[str, Any] = {"action": "/1", "form_value": "2", "hints": HINTS}
    for mode in choices(ConnectPage, "mode"):
        yield ConnectPage(**NAMED, **asks, mode=mode)
        yield ConnectPage(**NAMED, **asks, mode=mode, brand=BRAND)
    for words in all_words():
        yield ReconnectPage(**HELPED, **asks, account=AccountView(NAME, NAME, words))
    yield from (ConfirmPage(**NAMED, reason=one, action="/1", hidden={}) for one in choices(ConfirmPage, "reason"))
    yield from (HandoffPage(**NAMED, state=one, action="/1") for one in choices(HandoffPage, "state"))
    yield ElsewherePage()
    yield HandoverPage(session_id="0")


def statuses() -> Iterator[Page]:
    rows = tuple(
        AccountRow(provider=name, label=words.label, sentence=words.sentence, mend_id=ConnectionId("0"))
        for words in all_words()
        for name in (NAME, None)
    )
    for accounts, closed in ((rows, False), ((), False), ((), True)):
        yield StatusPage(host_origin=URL, seconds_left=0, closed=closed, accounts=accounts)


EVERY_PAGE = [*flows(), *ends(), *starts(), *statuses()]


def in_language(page: Page, code: str, known: Mapping[str, Language]) -> list[str]:
    return page_texts(PageRenderer(templates_in(known)).render(replace(page, lang=code)))


def without_letters(sentence: str) -> str:
    parts = re.split(r"(<[^>]*>|%\(\w+\)s)", sentence)
    return "".join(part if at % 2 else part.translate(MASKED) for at, part in enumerate(parts))


def test_the_samples_have_every_page() -> None:
    assert {type(page) for page in EVERY_PAGE} == {*PAGES, StatusPage}


def test_no_page_has_a_text_that_a_catalogue_cannot_translate() -> None:
    known = {"fr": Language("fr", {one: without_letters(one) for one in sentences()})}
    renderer = PageRenderer(templates_in(known))
    for page in EVERY_PAGE:
        for text in page_texts(renderer.render(replace(page, lang="fr"))):
            named = [hint.utility for hint in HINTS if hint.utility == text]
            codes = [page.code] if isinstance(page, ErrorPage | FramedErrorPage) else []
            assert named or text in codes or not re.search("[A-Za-z]", text), (page, text)


@pytest.mark.parametrize("code", [code for code in languages() if code != ENGLISH])
def test_no_page_says_an_english_sentence(code: str) -> None:
    renderer = PageRenderer(page_templates())
    spoken = {text for one in sentences() for text in page_texts(one) if re.search("[a-z]{2}", text)}
    kept = {text for one in languages()[code].texts.values() for text in page_texts(one)}
    for page in EVERY_PAGE:
        html = renderer.render(replace(page, lang=code))
        assert f'<html lang="{code}">' in html
        assert spoken.intersection(page_texts(html)) <= kept, page


def test_a_hint_that_the_operator_wrote_is_shown_as_it_is() -> None:
    hint = UtilityHints([replace(HINTS[0], needed="Bring <b>two</b> bills.")]).for_url(f"https://{HINTS[0].host}")
    assert hint is not None
    page = ConnectPage(**NAMED, action="/1", form_value="2", hints=(hint,))
    assert "Bring <b>two</b> bills." in in_language(page, "fr", languages())


@pytest.mark.parametrize(
    ("code", "time"), [("en", "14:05 UTC"), ("es", "14:05 UTC"), ("fr", "14\u00a0h\u00a005\u00a0UTC")]
)
def test_a_time_of_day_is_written_as_the_language_writes_it(code: str, time: str) -> None:
    page = DonePage(**NAMED, outcome="unreachable", unreachable_since=SINCE)
    renderer = PageRenderer(page_templates())
    assert time in renderer.render(replace(page, lang=code))

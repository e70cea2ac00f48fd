"""Each page's template uses the fields of its context: all of them, and nothing else."""

from dataclasses import fields
from typing import Any, get_args, get_type_hints

import pytest
from jinja2 import meta

from service.domain.model import LinkStatus
from service.domain.status_words import words_for
from service.settings.utility_hints import UtilityHint
from service.web.pages.advice import AccountView
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
from tests.support.templates import ENVIRONMENT, family_of, made_by, rendered, used_by

STRANGER = "<script>alert('&')</script>"
ACCOUNT = AccountView(STRANGER, STRANGER, words_for("MFA_TOKEN_EXPIRED"))
HINTS = (UtilityHint("coned.com", STRANGER, STRANGER),)
HELP: dict[str, Any] = dict.fromkeys(("help_login", "help_upload", "help_mfa"), STRANGER)
VIEW = FlowView(
    status="opened",
    link=LinkView(status=LinkStatus.READY, url="https://pages.example/p/i/token"),
    connections=(ConnectionView(words=words_for("PENDING"), provider=STRANGER),),
    account=ACCOUNT,
    hints=HINTS,
    failure_code=STRANGER,
    done_url="/callback?state=s",
)
PATHS: dict[str, Any] = {
    "session_id": "ses_1",
    "token_path": "/embed/t",
    "live_path": "/live/t",
    "provider_origin": "https://p.example",
}
SAMPLES: list[Page] = [
    *(
        HandoffPage(
            company=STRANGER,
            user_label=STRANGER,
            support_url=STRANGER,
            state=state,
            action="/handoff/t",
            form_value="v",
        )
        for state in ("asking", "wrong", "over")
    ),
    EmbedPage(
        company=STRANGER,
        user_label=STRANGER,
        support_url=STRANGER,
        host_origin="https://app.example",
        view=None,
        **PATHS,
    ),
    OpenPage(company=STRANGER, user_label=STRANGER, support_url=STRANGER, view=VIEW, **HELP, **PATHS),
    ConnectPage(
        company=STRANGER,
        user_label=STRANGER,
        support_url=STRANGER,
        action="/connect/t/start",
        form_value="v",
        hints=HINTS,
    ),
    ReconnectPage(
        company=STRANGER,
        user_label=STRANGER,
        support_url=STRANGER,
        action="/connect/t/start",
        form_value="v",
        account=ACCOUNT,
        hints=HINTS,
        **HELP,
    ),
    ElsewherePage(),
    FramedErrorPage(code="not_found"),
    ConfirmPage(company=STRANGER, reason="callback", action="/callback", hidden={"state": STRANGER}),
    DonePage(company=STRANGER, outcome="connected", connections=VIEW.connections, hints=HINTS, **HELP),
    HandoverPage(session_id=STRANGER),
    ErrorPage(code=STRANGER, request_id=STRANGER, support_url=STRANGER),
]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.__name__)
def test_a_template_uses_exactly_the_fields_of_its_context(page: type[Page]) -> None:
    assert used_by(page.template) == {field.name for field in fields(page)}


def test_every_page_for_people_has_a_template_of_its_own() -> None:
    templates = [page.template for page in PAGES]

    assert len(set(templates)) == len(templates)
    assert all(family_of(template).keys() >= {"pages/base.html"} for template in templates)


def test_a_name_that_no_context_gives_is_seen() -> None:
    tree = ENVIRONMENT.parse("{% set mine = 1 %}{{ mine }}{{ strange }}")

    assert meta.find_undeclared_variables(tree) - made_by(tree) == {"strange"}


@pytest.mark.parametrize("page", SAMPLES, ids=lambda page: type(page).__name__)
def test_a_strangers_words_are_never_markup_and_no_script_or_style_is_inline(page: Page) -> None:
    html = rendered(page)

    assert STRANGER not in html
    assert "<script>" not in html
    assert not any(word in html for word in ("<style", " style=", " onclick=", " onload="))


def test_the_samples_cover_every_page() -> None:
    assert {type(page) for page in SAMPLES} == set(PAGES)


def test_a_page_before_its_start_reveals_nothing_of_the_session() -> None:
    html = rendered(ConnectPage(company="Acme", action="/connect/t/start", form_value="v"))

    assert "ses_" not in html
    assert html.count("<form") == 1


def test_the_open_page_holds_all_that_is_needed_without_a_script() -> None:
    html = rendered(OpenPage(company="Acme", view=VIEW, **PATHS))

    assert '<iframe src="https://pages.example/p/i/token"' in html
    assert 'method="post" action="/embed/t/finished"' in html
    assert 'method="post" action="/embed/t/exit"' in html


def test_a_link_that_cannot_be_framed_is_offered_in_a_window_only() -> None:
    link = LinkView(status=LinkStatus.READY, url="https://pages.example/p/i/token", framable=False)
    html = rendered(OpenPage(company="Acme", view=FlowView(status="opened", link=link), **PATHS))

    assert "<iframe src" not in html
    assert 'target="_blank" rel="noopener noreferrer" href="https://pages.example/p/i/token"' in html


@pytest.mark.parametrize("outcome", get_args(get_type_hints(DonePage)["outcome"]))
def test_every_outcome_has_words_of_its_own(outcome: str) -> None:
    html = rendered(DonePage(company="Acme", outcome=outcome))  # type: ignore[arg-type]  # one word of the closed list

    assert "<h1></h1>" not in html
    assert "Acme" in html

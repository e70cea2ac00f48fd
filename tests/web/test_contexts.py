"""What the flow's page shows, decided from a view without a browser."""

from dataclasses import replace

import pytest

from service.domain.model import LinkStatus
from service.domain.page_view import Waiting
from service.domain.status_words import all_words, words_for
from service.domain.statuses import ConnectionState
from service.settings.utility_hints import UtilityHint
from service.web.page_templates import page_templates
from service.web.pages.advice import AccountView
from service.web.pages.brand import masked
from service.web.pages.contexts import DonePage
from service.web.pages.flow_view import ConnectionView, FlowView, LinkView
from service.web.pages.rendering import PageRenderer

READY = LinkView(status=LinkStatus.READY, url="https://pages.example/p/i/token")


def shown_as(status: str, state: ConnectionState | None = None, provider: str | None = None) -> ConnectionView:
    return ConnectionView(words=words_for(status, state), provider=provider)


WORKING = shown_as("CONNECTED", provider="Brightside")
REFUSED = shown_as("PASSWORD_INCORRECT")
EMPTY = shown_as("NO_ACCOUNTS_FOUND")
DELAYED = shown_as("WEBSITE_DOWN")
CHECKED = shown_as("PENDING")
INACTIVE = shown_as("COMPANY_INACTIVE")
REMOVED = shown_as("CONNECTED", ConnectionState.INACTIVE)
OVER = LinkView(status=LinkStatus.READY)
SENTENCES = {"works", "complete", "handed", "attention", "attentive"}


@pytest.mark.parametrize(
    ("label", "shown"),
    [
        ("ada@example.com", "a•••@example.com"),
        ("Ada Lovelace", "A••• L•••"),
        ("  x  ", "x•••"),
        ("a@b@example.com", "a•••@example.com"),
        ("", ""),
    ],
)
def test_a_label_is_masked_to_what_its_owner_knows_it_by(label: str, shown: str) -> None:
    assert masked(label) == shown


@pytest.mark.parametrize(
    ("view", "screen"),
    [
        (FlowView(status="opened", link=LinkView(status=LinkStatus.PENDING)), "preparing"),
        (FlowView(status="opened", link=LinkView(status=LinkStatus.FAILED)), "failed"),
        (FlowView(status="opened", link=READY), "provider"),
        (FlowView(status="opened", link=READY, finished=True), "confirming"),
        (FlowView(status="opened", link=OVER, finished=True, back=True), "confirming"),
        (FlowView(status="opened", link=OVER, waiting=Waiting.USED), "confirming"),
        (FlowView(status="opened", link=READY, finished=True, connections=(REFUSED,)), "provider"),
        (FlowView(status="connected", link=READY, connections=(WORKING, REFUSED)), "connected"),
        (FlowView(status="expired", link=READY), "expired"),
        (FlowView(status="revoked", link=READY, finished=True), "revoked"),
    ],
)
def test_each_state_of_a_session_shows_one_panel(view: FlowView, screen: str) -> None:
    assert view.screen == screen
    assert screen in view.conditions


def test_a_page_whose_link_is_over_has_a_heading_though_an_account_was_refused() -> None:
    view = FlowView(status="opened", link=OVER, finished=True, waiting=Waiting.ARRIVED, connections=(REFUSED,))
    assert {"confirming", "arrived"} <= view.conditions


def test_conditions_say_what_else_is_shown() -> None:
    view = FlowView(status="opened", link=READY, connections=(REFUSED,), done_url="/callback?state=s")

    assert view.conditions == {"provider", "attention", "told-PASSWORD_INCORRECT", "recorded", "done"}


@pytest.mark.parametrize(
    ("connections", "sentences"),
    [
        ((WORKING,), {"works", "complete"}),
        ((WORKING, REFUSED), {"works", "attention"}),
        ((WORKING, EMPTY), {"works", "attention"}),
        ((REFUSED, REFUSED), {"attentive", "attention"}),
        ((EMPTY,), {"attentive", "attention"}),
        ((REMOVED,), {"attentive"}),
        ((INACTIVE,), {"attentive"}),
        ((REMOVED, REFUSED), {"attentive", "attention"}),
        ((WORKING, REMOVED), {"works"}),
        ((WORKING, INACTIVE), {"works"}),
    ],
)
def test_a_connected_session_says_whether_all_some_or_none_of_its_accounts_work(
    connections: tuple[ConnectionView, ...], sentences: set[str]
) -> None:
    view = FlowView(status="connected", link=READY, connections=connections)
    assert view.conditions & SENTENCES == sentences


@pytest.mark.parametrize("second", [WORKING, DELAYED, REFUSED, REMOVED, INACTIVE])
def test_where_the_redirect_flow_ends_nothing_more_is_to_be_done_only_if_no_account_has_stopped(
    second: ConnectionView,
) -> None:
    page = DonePage(company="Acme Ltd", outcome="connected", connections=(WORKING, second))
    shown = "There is nothing more to do." in PageRenderer(page_templates()).render(page)
    assert shown == (second in (WORKING, DELAYED))


@pytest.mark.parametrize(
    ("link", "connections", "screen", "sentences"),
    [
        (READY, (CHECKED,), "submitted", {"handed"}),
        (READY, (CHECKED, REFUSED), "submitted", {"handed", "attention"}),
        (READY, (REFUSED,), "provider", {"attention"}),
        (OVER, (REFUSED,), "submitted", {"attentive", "attention"}),
        (OVER, (EMPTY,), "submitted", {"attentive", "attention"}),
        (OVER, (REMOVED,), "submitted", {"attentive"}),
        (OVER, (CHECKED,), "submitted", {"handed"}),
    ],
)
def test_a_submitted_session_says_that_the_users_part_is_done_or_what_is_left_of_it(
    link: LinkView, connections: tuple[ConnectionView, ...], screen: str, sentences: set[str]
) -> None:
    view = FlowView(status="submitted", link=link, connections=connections, finished=True)
    assert view.screen == screen
    assert view.conditions & SENTENCES == sentences


def test_the_words_of_every_status_are_shown_and_those_of_no_other() -> None:
    view = FlowView(status="opened", link=READY, connections=(EMPTY, REFUSED))
    assert view.screen == "provider"
    assert told(view) == {"told-NO_ACCOUNTS_FOUND", "told-PASSWORD_INCORRECT"}
    for words in all_words():
        assert told(FlowView(status="submitted", link=OVER, connections=(ConnectionView(words=words),))) == {
            f"told-{words.status}"
        }


def test_an_account_to_mend_is_told_until_it_is_among_the_connections() -> None:
    account = AccountView("Brightside", "brightside.example", words_for("MFA_TOKEN_EXPIRED"))
    view = FlowView(status="opened", link=READY, account=account)
    assert told(view) == {"mend-MFA_TOKEN_EXPIRED"}
    assert view.conditions & {"account", "mend", "ahead"} == {"account", "mend"}
    mended = replace(view, connections=(shown_as("MFA_TOKEN_EXPIRED", ConnectionState.CHECKING),))
    assert told(mended) == {"told-PENDING"}
    assert mended.conditions & {"account", "mend"} == {"account"}


def test_what_to_know_before_the_sign_in_is_shown_while_the_sign_in_is_ahead() -> None:
    hints = (UtilityHint("coned.com", "Con Edison", "Have your answers at hand."),)
    view = FlowView(status="opened", link=READY, hints=hints)
    assert view.conditions >= {"ahead", "hinted"}
    assert "ahead" not in replace(view, connections=(REFUSED,)).conditions
    assert "ahead" not in replace(view, status="expired").conditions
    assert "hinted" not in replace(view, hints=()).conditions


def told(view: FlowView) -> set[str]:
    return {name for name in view.conditions if name.startswith(("told-", "mend-"))}


def test_an_account_whose_owner_is_being_settled_has_sentences_of_its_own() -> None:
    view = FlowView(status="opened", link=READY, finished=True, waiting=Waiting.AMBIGUOUS)
    assert view.screen == "confirming"
    assert view.conditions & set(Waiting) == {"ambiguous"}


def test_a_pending_confirmation_is_shown_unless_the_user_has_something_to_correct() -> None:
    assert "unconfirmed" in FlowView(status="opened", link=READY, confirming=True).conditions
    assert (
        "unconfirmed" not in FlowView(status="opened", link=READY, confirming=True, connections=(REFUSED,)).conditions
    )


def test_an_ended_session_shows_its_end_and_nothing_of_an_account() -> None:
    assert FlowView(status="expired", link=READY).conditions == {"expired", "ended", "unsigned"}


@pytest.mark.parametrize("waiting", Waiting)
def test_a_page_that_waits_says_what_is_known_and_its_way_back_shows_the_secure_page(waiting: Waiting) -> None:
    view = FlowView(status="opened", link=READY, finished=True, waiting=waiting)
    assert view.screen == "confirming"
    assert view.conditions & set(Waiting) == {waiting.value}
    back = replace(view, back=True)
    assert back.screen == "provider"
    assert back.conditions & set(Waiting) == {waiting.value}

"""What the flow's page shows, decided from a view without a browser."""

from dataclasses import replace

import pytest

from service.domain.model import LinkStatus
from service.domain.page_view import Waiting
from service.domain.statuses import ConnectionState
from service.web.pages.contexts import ConnectionView, FlowView, LinkView, masked

READY = LinkView(status=LinkStatus.READY, url="https://pages.example/p/i/token")
WORKING = ConnectionView(state=ConnectionState.WORKING, provider="Brightside")
REFUSED = ConnectionView(state=ConnectionState.ACTION_NEEDED)
EMPTY = ConnectionView(state=ConnectionState.EMPTY)
DELAYED = ConnectionView(state=ConnectionState.DELAYED)
CHECKED = ConnectionView(state=ConnectionState.CHECKING)
OVER = LinkView(status=LinkStatus.READY)
SENTENCES = {"works", "complete", "handed", "partly", "attentive", "refused", "declined", "vacant"}


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
        (FlowView(status="opened", link=READY, finished=True, connections=(REFUSED,)), "provider"),
        (FlowView(status="connected", link=READY, connections=(WORKING, REFUSED)), "connected"),
        (FlowView(status="expired", link=READY), "expired"),
        (FlowView(status="revoked", link=READY, finished=True), "revoked"),
    ],
)
def test_each_state_of_a_session_shows_one_panel(view: FlowView, screen: str) -> None:
    assert view.screen == screen
    assert screen in view.conditions


def test_conditions_say_what_else_is_shown() -> None:
    view = FlowView(status="opened", link=READY, connections=(REFUSED,), done_url="/callback?state=s")

    assert view.conditions == {"provider", "attention", "rejected", "recorded", "done"}


@pytest.mark.parametrize(
    ("connections", "sentences"),
    [
        ((WORKING,), {"works", "complete"}),
        ((WORKING, REFUSED), {"works", "partly"}),
        ((WORKING, EMPTY), {"works", "partly"}),
        ((REFUSED, REFUSED), {"attentive", "refused"}),
        ((EMPTY,), {"attentive", "vacant"}),
    ],
)
def test_a_connected_session_says_whether_all_some_or_none_of_its_accounts_work(
    connections: tuple[ConnectionView, ...], sentences: set[str]
) -> None:
    view = FlowView(status="connected", link=READY, connections=connections)
    assert view.conditions & SENTENCES == sentences


@pytest.mark.parametrize(
    ("link", "connections", "screen", "sentences"),
    [
        (READY, (CHECKED,), "submitted", {"handed"}),
        (READY, (CHECKED, REFUSED), "submitted", {"handed", "partly"}),
        (READY, (REFUSED,), "provider", set()),
        (OVER, (REFUSED,), "submitted", {"attentive", "declined"}),
        (OVER, (EMPTY,), "submitted", {"attentive", "vacant"}),
        (OVER, (CHECKED,), "submitted", {"handed"}),
    ],
)
def test_a_submitted_session_says_that_the_users_part_is_done_or_what_is_left_of_it(
    link: LinkView, connections: tuple[ConnectionView, ...], screen: str, sentences: set[str]
) -> None:
    view = FlowView(status="submitted", link=link, connections=connections, finished=True)
    assert view.screen == screen
    assert view.conditions & SENTENCES == sentences


def test_a_sign_in_without_accounts_is_not_told_as_a_refused_one() -> None:
    view = FlowView(status="opened", link=READY, connections=(EMPTY,))
    assert view.screen == "provider"
    assert view.conditions & {"rejected", "empty"} == {"empty"}
    assert FlowView(status="opened", link=READY, connections=(EMPTY, REFUSED)).conditions & {"rejected", "empty"} == {
        "rejected"
    }


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


@pytest.mark.parametrize(
    ("state", "label"),
    [
        (ConnectionState.WORKING, "working"),
        (ConnectionState.ACTION_NEEDED, "attention"),
        (ConnectionState.EMPTY, "attention"),
        (ConnectionState.CHECKING, "checking"),
        (ConnectionState.DELAYED, "delayed"),
        (ConnectionState.INACTIVE, "inactive"),
    ],
)
def test_a_connection_shows_the_label_of_its_state(state: ConnectionState, label: str) -> None:
    assert ConnectionView(state=state).label == label


@pytest.mark.parametrize(
    ("connections", "shown"),
    [((CHECKED,), "checked"), ((DELAYED,), "delayed"), ((CHECKED, DELAYED), "checked"), ((REFUSED,), None)],
)
def test_what_is_delayed_is_not_told_as_being_checked(
    connections: tuple[ConnectionView, ...], shown: str | None
) -> None:
    view = FlowView(status="submitted", link=LinkView(status=LinkStatus.READY), connections=connections)
    assert view.conditions & {"checked", "delayed"} == ({shown} if shown else set())


@pytest.mark.parametrize("waiting", Waiting)
def test_a_page_that_waits_says_what_is_known_and_its_way_back_shows_the_secure_page(waiting: Waiting) -> None:
    view = FlowView(status="opened", link=READY, finished=True, waiting=waiting)
    assert view.screen == "confirming"
    assert view.conditions & set(Waiting) == {waiting.value}
    back = replace(view, back=True)
    assert back.screen == "provider"
    assert back.conditions & set(Waiting) == {waiting.value}

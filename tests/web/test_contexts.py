"""What the flow's page shows, decided from a view without a browser."""

import pytest

from service.domain.model import LinkStatus
from service.web.pages.contexts import ConnectionView, FlowView, LinkView, masked

READY = LinkView(status=LinkStatus.READY, url="https://pages.example/p/i/token")
WORKING = ConnectionView(status="CONNECTED", provider="Brightside")
REFUSED = ConnectionView(status="PASSWORD_INCORRECT", needs_attention=True)


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

    assert view.conditions == {"provider", "attention", "refused", "recorded", "done"}


@pytest.mark.parametrize(
    ("connections", "sentence"), [((WORKING,), "well"), ((WORKING, REFUSED), "partly"), ((REFUSED, REFUSED), "refused")]
)
def test_a_connected_session_says_whether_all_some_or_none_of_its_accounts_work(
    connections: tuple[ConnectionView, ...], sentence: str
) -> None:
    view = FlowView(status="connected", link=READY, connections=connections)
    assert view.conditions & {"well", "partly", "refused"} == {sentence}


def test_a_pending_confirmation_is_shown_unless_the_user_has_something_to_correct() -> None:
    assert "unconfirmed" in FlowView(status="opened", link=READY, confirming=True).conditions
    assert (
        "unconfirmed" not in FlowView(status="opened", link=READY, confirming=True, connections=(REFUSED,)).conditions
    )


def test_an_ended_session_shows_its_end_and_nothing_of_an_account() -> None:
    assert FlowView(status="expired", link=READY).conditions == {"expired", "ended", "well"}


@pytest.mark.parametrize(
    ("connection", "label"),
    [(WORKING, "connected"), (REFUSED, "attention"), (ConnectionView(status="PENDING"), "checking")],
)
def test_a_connection_shows_one_label(connection: ConnectionView, label: str) -> None:
    assert connection.label == label

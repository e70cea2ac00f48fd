"""What the flow's page shows, decided from a view without a browser."""

import pytest

from service.web.pages.contexts import ConnectionView, FlowView, LinkView, masked

READY = LinkView(status="ready", url="https://pages.example/p/i/token")
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
        (FlowView(status="opened", link=LinkView(status="pending")), "preparing"),
        (FlowView(status="opened", link=LinkView(status="failed")), "failed"),
        (FlowView(status="opened", link=READY), "provider"),
        (FlowView(status="opened", link=READY, finished=True), "confirming"),
        (FlowView(status="opened", link=READY, finished=True, connections=(REFUSED,)), "provider"),
        (FlowView(status="connected", link=READY, connections=(WORKING, REFUSED)), "connected"),
        (FlowView(status="expired", link=READY), "expired"),
        (FlowView(status="revoked", link=READY, finished=True), "revoked"),
    ],
)
def test_one_panel_is_shown_for_how_the_session_stands(view: FlowView, screen: str) -> None:
    assert view.screen == screen
    assert screen in view.marks


def test_marks_say_what_else_is_shown() -> None:
    view = FlowView(status="opened", link=READY, connections=(REFUSED,), done_url="/callback?state=s")

    assert view.marks == {"provider", "attention", "recorded", "done"}


def test_a_pending_confirmation_is_shown_unless_the_user_has_something_to_correct() -> None:
    assert "news" in FlowView(status="opened", link=READY, confirming=True).marks
    assert "news" not in FlowView(status="opened", link=READY, confirming=True, connections=(REFUSED,)).marks


def test_an_ended_session_shows_its_end_and_nothing_of_an_account() -> None:
    assert FlowView(status="expired", link=READY).marks == {"expired", "ended", "well"}


@pytest.mark.parametrize(
    ("connection", "label"),
    [(WORKING, "connected"), (REFUSED, "attention"), (ConnectionView(status="PENDING"), "checking")],
)
def test_a_connection_bears_one_label(connection: ConnectionView, label: str) -> None:
    assert connection.label == label

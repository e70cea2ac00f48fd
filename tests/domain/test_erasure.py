"""Erasing a user: which of their sessions are revoked, which invitations are, and what stays of a session."""

from dataclasses import fields, replace
from typing import Any

import pytest

from service.domain.changes import JobKind
from service.domain.erasure import erase_session, without_personal_data
from service.domain.model import Session
from service.domain.session_status import SessionStatus
from service.domain.timing import OUTLIVED_SECONDS
from tests.support.domain_values import NOW, link, session, with_link

OVER = {SessionStatus.EXPIRED, SessionStatus.REVOKED, SessionStatus.FAILED}
PERSONAL: dict[str, Any] = {
    "user_label": "Ada L.",
    "user_email": "ada@example.com",
    "support_url": "https://help.example.com/?for=ada",
    "return_url": "https://app.example.com/?for=ada",
    "prefill": {"url": "https://utility.example.com"},
    "metadata": {"plan": "pro"},
    "page_hash": "digest",
    "resume_hash": "digest",
    "webhook_url": "https://hooks.example.com/ada",
    "webhook_endpoint": "whe_1",
}


@pytest.mark.parametrize("status", sorted(set(SessionStatus) - OVER))
def test_a_session_whose_time_is_not_over_is_revoked(status: SessionStatus) -> None:
    changes = erase_session(session(status=status), NOW, None)
    assert [one.status for one in changes.sessions] == [SessionStatus.REVOKED]
    assert [one.type for one in changes.events] == ["session.revoked"]
    assert [one.kind for one in changes.jobs] == [JobKind.WITHDRAW]


@pytest.mark.parametrize("status", sorted(OVER))
def test_a_session_that_is_over_keeps_its_status_without_an_event(status: SessionStatus) -> None:
    changes = erase_session(session(status=status), NOW, None)
    assert [one.status for one in changes.sessions] == [status]
    assert changes.events == ()


def test_a_session_that_connected_and_whose_time_is_over_stays_connected() -> None:
    over = replace(session(status=SessionStatus.CONNECTED), over_at=NOW)
    assert [one.status for one in erase_session(over, NOW, None).sessions] == [SessionStatus.CONNECTED]


@pytest.mark.parametrize(("seconds", "jobs"), [(-1.0, [JobKind.WITHDRAW]), (0.0, [])])
def test_invitations_are_revoked_as_long_as_one_may_outlive_its_session(seconds: float, jobs: list[JobKind]) -> None:
    one = session(status=SessionStatus.EXPIRED)
    changes = erase_session(one, one.expires_at + OUTLIVED_SECONDS + seconds, None)
    assert [job.kind for job in changes.jobs] == jobs


def test_a_session_without_personal_data_keeps_everything_else() -> None:
    full = replace(with_link(session(), link()), **PERSONAL)
    bare = without_personal_data(full)
    changed = {each.name for each in fields(Session) if getattr(bare, each.name) != getattr(full, each.name)}
    assert changed == PERSONAL.keys() | {"link"}
    assert not any(getattr(bare, name) for name in PERSONAL)


def test_a_link_keeps_what_verdicts_need_of_it_and_loses_its_url() -> None:
    given = link()
    assert without_personal_data(with_link(session(), given)).link == replace(given, url="")
    assert without_personal_data(session()).link is None

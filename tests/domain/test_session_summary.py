"""What the API shows of a session: the same fields, and the same status of the same facts."""

from dataclasses import fields

import pytest

from service.domain.model import LinkKind, LinkStatus, Mode, Session, SessionId, UserId
from service.domain.session_status import Progress, SessionStatus
from service.domain.session_summary import PlaceIds, SessionSummary
from tests.support.domain_values import NOW

SHOWN = SessionSummary(
    company=PlaceIds(None, "acme"),
    sites=(PlaceIds(None, "hq"),),
    mode=Mode.CONNECT,
    link_kind=LinkKind.INVITATION,
    link_status=LinkStatus.READY,
    metadata={},
    progress=Progress.NONE,
    id=SessionId("ses_1"),
    user_id=UserId("ada"),
    origin=None,
    return_url=None,
    webhook_url=None,
    max_connections=1,
    created_at=NOW,
    expires_at=NOW + 60,
    connection_id=None,
    failure=None,
    opened_at=None,
    revoked_at=None,
    left_at=None,
    over_at=None,
)


def test_every_field_is_one_of_a_session() -> None:
    assert {field.name for field in fields(SessionSummary)} <= {field.name for field in fields(Session)}


@pytest.mark.parametrize(
    ("name", "fact", "status"),
    [
        ("progress", Progress.NONE, SessionStatus.CREATED),
        ("progress", Progress.SUBMITTED, SessionStatus.SUBMITTED),
        ("opened_at", NOW, SessionStatus.OPENED),
        ("left_at", NOW, SessionStatus.EXITED),
        ("over_at", NOW, SessionStatus.EXPIRED),
        ("revoked_at", NOW, SessionStatus.REVOKED),
        ("failure", "provider_error", SessionStatus.FAILED),
    ],
)
def test_its_status_follows_from_its_facts(name: str, fact: object, status: SessionStatus) -> None:
    values = {field.name: getattr(SHOWN, field.name) for field in fields(SHOWN)}
    assert SessionSummary(**(values | {name: fact})).status is status

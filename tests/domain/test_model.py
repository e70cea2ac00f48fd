import dataclasses

import pytest

from service.domain import model
from service.domain.session_status import SessionStatus
from tests.support.domain_values import ADA, history, session


@pytest.mark.parametrize("status", SessionStatus)
def test_only_an_expired_revoked_or_failed_session_is_closed(status: SessionStatus) -> None:
    assert session(status=status).closed == (status.value in {"expired", "revoked", "failed"})


def test_every_noun_is_frozen() -> None:
    from_rows = [each for each in vars(model).values() if isinstance(each, type) and dataclasses.is_dataclass(each)]
    assert from_rows
    assert [to_request for to_request in from_rows if not to_request.__dict__["__dataclass_params__"].frozen] == []


def test_histories_with_the_same_facts_are_one() -> None:
    assert history() == history()
    assert hash(ADA) == hash(dataclasses.replace(ADA))

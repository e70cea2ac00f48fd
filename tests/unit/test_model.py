import dataclasses

import pytest

from service import model
from service.model import SessionStatus
from tests.unit.given import ADA, history, session


@pytest.mark.parametrize("status", SessionStatus)
def test_only_an_expired_revoked_or_failed_session_is_closed(status: SessionStatus) -> None:
    assert session(status=status).closed == (status.value in {"expired", "revoked", "failed"})


def test_every_noun_is_frozen() -> None:
    nouns = [each for each in vars(model).values() if isinstance(each, type) and dataclasses.is_dataclass(each)]
    assert nouns
    assert [noun for noun in nouns if not noun.__dict__["__dataclass_params__"].frozen] == []


def test_histories_with_the_same_facts_are_one() -> None:
    assert history() == history()
    assert hash(ADA) == hash(dataclasses.replace(ADA))

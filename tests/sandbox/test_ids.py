"""Identifiers and secrets."""

from itertools import count
from uuid import UUID

from service.sandbox.world.ids import SandboxIds


def _ids(seed: str | None) -> SandboxIds:
    numbers = count()
    return SandboxIds(seed, lambda: next(numbers))


def test_ids_are_uuids_and_secrets_fit_a_path() -> None:
    for seed in (None, "one"):
        ids = _ids(seed)
        assert UUID(ids.uuid()).version == 4
        token = ids.token()
        assert len(token) == 32
        assert token.replace("-", "").replace("_", "").isalnum()


def test_no_two_ids_are_equal() -> None:
    for seed in (None, "one"):
        ids = _ids(seed)
        assert len({ids.uuid() for _ in range(100)} | {ids.token() for _ in range(100)}) == 200


def test_a_seed_gives_the_same_ids_again() -> None:
    assert [_ids("one").uuid() for _ in range(2)] == [_ids("one").uuid()] * 2
    assert _ids("one").uuid() != _ids("two").uuid()
    assert _ids(None).uuid() != _ids(None).uuid()

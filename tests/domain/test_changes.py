import dataclasses

from service.domain import changes
from service.domain.changes import Changes, Fact, FactKind, Job, JobKind
from service.domain.requests import CreateOptions


def test_changes_of_nothing_are_equal_and_change_nothing() -> None:
    assert Changes() == Changes()
    assert not any(getattr(Changes(), each.name) for each in dataclasses.fields(Changes))


def test_facts_given_twice_are_equal() -> None:
    assert Fact(FactKind.CLEARED) == Fact(FactKind.CLEARED)
    assert len({Fact(FactKind.CLEARED), Fact(FactKind.CLEARED), Fact(FactKind.NAMED)}) == 2


def test_a_job_is_due_at_once_without_a_delay() -> None:
    assert Job(JobKind.RECONCILE, "cmp_1").in_seconds == 0
    assert CreateOptions().prepare_in_seconds == 0


def test_every_noun_is_frozen() -> None:
    from_rows = [each for each in vars(changes).values() if isinstance(each, type) and dataclasses.is_dataclass(each)]
    assert [to_request for to_request in from_rows if not to_request.__dict__["__dataclass_params__"].frozen] == []

"""What shows that the provider has removed a connection: two answers of 404 in time, and nothing in between."""

from dataclasses import replace

from service.domain.changes import Changes, CompanyRecords
from service.domain.model import Connection, ConnectionId, Verdict
from service.domain.removals import in_turn, note_found, note_missing
from service.domain.timing import REMOVED_SECONDS
from tests.support.domain_values import CONNECTION, NOW, connection, records, seen

OLD = connection()


def known(one: Connection) -> CompanyRecords:
    return records(connections={one.id: one})


def several(count: int) -> list[Connection]:
    return [connection(reported=seen(f"connection-{number}")) for number in range(count)]


def test_the_first_404_is_noted_and_the_second_removes_it() -> None:
    (missing,) = note_missing(known(OLD), CONNECTION, NOW).connections
    assert (missing.missing_at, missing.removed_at, missing.updated_at) == (NOW, None, OLD.updated_at)
    changes = note_missing(known(missing), CONNECTION, NOW + REMOVED_SECONDS)
    (removed,) = changes.connections
    assert (removed.missing_at, removed.removed_at) == (NOW, NOW + REMOVED_SECONDS)
    assert [event.type for event in changes.events] == ["connection.removed"]


def test_a_second_one_too_soon_changes_nothing() -> None:
    missing = replace(OLD, missing_at=NOW)
    assert note_missing(known(missing), CONNECTION, NOW + REMOVED_SECONDS - 1) == Changes()


def test_what_is_removed_is_not_removed_again() -> None:
    removed = replace(OLD, missing_at=NOW, removed_at=NOW + 60)
    assert note_missing(known(removed), CONNECTION, NOW + 600) == Changes()
    assert note_found(known(removed), CONNECTION) == Changes()


def test_one_that_waits_for_its_verdict_is_announced_without_an_owner_before_it_is_removed() -> None:
    waiting = replace(OLD, missing_at=NOW, verdict=Verdict(waiting=True))
    changes = note_missing(known(waiting), CONNECTION, NOW + REMOVED_SECONDS)
    assert [event.type for event in changes.events] == ["connection.ambiguous", "connection.removed"]
    assert not changes.connections[0].verdict.waiting


def test_another_answer_makes_the_404_forgotten() -> None:
    missing = replace(OLD, missing_at=NOW)
    assert note_found(known(missing), CONNECTION) == Changes(connections=(OLD,))
    assert note_found(known(OLD), CONNECTION) == Changes()


def test_those_that_have_answered_404_come_first() -> None:
    missing = connection(reported=seen("connection-9"), missing_at=NOW)
    assert all(in_turn([*several(9), missing], NOW + at)[0] == missing for at in range(20))


def test_each_of_the_others_has_its_turn_and_the_order_depends_on_the_time_alone() -> None:
    all_of_them = several(12)
    first_five = {one.id for poll in range(20) for one in in_turn(all_of_them, NOW + 86400 * poll)[:5]}
    assert first_five == {ConnectionId(f"connection-{number}") for number in range(12)}
    assert in_turn(reversed(all_of_them), NOW) == in_turn(all_of_them, NOW)

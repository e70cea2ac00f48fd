"""Records on disk and in memory."""

import stat
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from service.sandbox.world.rows import SandboxDatabase, SandboxRecord, SandboxTable


@dataclass(frozen=True)
class Labelled(SandboxRecord):
    labels: tuple[str, ...] = ()


@dataclass(frozen=True)
class Owned(SandboxRecord):
    company_id: str = ""


def labelled(database: SandboxDatabase) -> SandboxTable[Labelled]:
    return SandboxTable(database, "Labelled", Labelled)


def owned(database: SandboxDatabase) -> SandboxTable[Owned]:
    return SandboxTable(database, "Owned", Owned)


def test_a_transaction_that_fails_writes_nothing(tmp_path: Path) -> None:
    database = SandboxDatabase(tmp_path)
    table = labelled(database)

    def fail_half_way() -> None:
        with database.transaction(), database.transaction():
            table.put(Labelled("a"))
            raise RuntimeError("half way")

    with pytest.raises(RuntimeError, match="half way"):
        fail_half_way()
    assert len(labelled(SandboxDatabase(tmp_path))) == 0
    with database.transaction():
        table.put(Labelled("b"))
        table.put(replace(Labelled("c"), labels=("w",)))
    assert [record.id for record in labelled(SandboxDatabase(tmp_path))] == ["b", "c"]


def test_without_a_directory_nothing_is_shared() -> None:
    labelled(SandboxDatabase()).put(Labelled("a"))
    assert len(labelled(SandboxDatabase())) == 0


def test_a_removed_record_is_gone_from_the_disk(tmp_path: Path) -> None:
    table = labelled(SandboxDatabase(tmp_path))
    table.put(Labelled("a"))
    table.remove("a")
    table.remove("a")
    assert (table.get("a"), len(labelled(SandboxDatabase(tmp_path)))) == (None, 0)


def test_records_keep_their_order_through_changes(tmp_path: Path) -> None:
    table = labelled(SandboxDatabase(tmp_path))
    table.put(Labelled("b", ("x",)))
    table.put(Labelled("a"))
    table.put(Labelled("b", ("y", "z")))
    read = labelled(SandboxDatabase(tmp_path))
    assert list(read) == list(table) == [Labelled("b", ("y", "z")), Labelled("a")]


def test_records_of_one_company_are_found_without_the_others(tmp_path: Path) -> None:
    table = owned(SandboxDatabase(tmp_path))
    for record in (Owned("a", "acme"), Owned("b", "other"), Owned("c", "acme")):
        table.put(record)
    table.remove("a")
    for known in (table, owned(SandboxDatabase(tmp_path))):
        assert known.of("acme") == [Owned("c", "acme")]
        assert known.of("nobody") == []
        known.forget()
        assert (known.of("acme"), list(known)) == ([], [])


def test_a_renamed_field_keeps_its_name_in_the_file(tmp_path: Path) -> None:
    database = SandboxDatabase(tmp_path)
    SandboxTable(database, "Labelled", Labelled, {"labels": "words"}).put(Labelled("a", ("x",)))
    assert database.read("Labelled") == [{"id": "a", "words": ["x"]}]
    assert list(SandboxTable(database, "Labelled", Labelled, {"labels": "words"})) == [Labelled("a", ("x",))]


def test_no_other_user_can_read_what_is_stored(tmp_path: Path) -> None:
    database = SandboxDatabase(tmp_path / "data")
    labelled(database).put(Labelled("one", ("a",)))
    assert stat.S_IMODE((tmp_path / "data").stat().st_mode) == 0o700
    modes = {one.name: stat.S_IMODE(one.stat().st_mode) for one in (tmp_path / "data").iterdir()}
    assert modes == dict.fromkeys(("sandbox.db", "sandbox.db-wal", "sandbox.db-shm"), 0o600)

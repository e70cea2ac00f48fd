"""Rows on disk and in memory."""

from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from service.sandbox.world.rows import Noun, Rows, Shelf


@dataclass(frozen=True)
class Thing(Noun):
    words: tuple[str, ...] = ()


@dataclass(frozen=True)
class Owned(Noun):
    company_id: str = ""


def test_things_keep_their_order_and_place_through_changes(tmp_path: Path) -> None:
    shelf = Shelf(Rows(tmp_path), Thing)
    shelf.put(Thing("b", ("x",)))
    shelf.put(Thing("a"))
    shelf.put(Thing("b", ("y", "z")))
    read = Shelf(Rows(tmp_path), Thing)
    assert list(read) == list(shelf) == [Thing("b", ("y", "z")), Thing("a")]


def test_what_is_removed_is_gone_from_the_disk(tmp_path: Path) -> None:
    shelf = Shelf(Rows(tmp_path), Thing)
    shelf.put(Thing("a"))
    shelf.remove("a")
    shelf.remove("a")
    assert (shelf.get("a"), len(Shelf(Rows(tmp_path), Thing))) == (None, 0)


def test_things_of_one_company_are_found_without_the_others(tmp_path: Path) -> None:
    shelf = Shelf(Rows(tmp_path), Owned)
    for thing in (Owned("a", "acme"), Owned("b", "other"), Owned("c", "acme")):
        shelf.put(thing)
    shelf.remove("a")
    for known in (shelf, Shelf(Rows(tmp_path), Owned)):
        assert known.of("acme") == [Owned("c", "acme")]
        assert known.of("nobody") == []
        known.forget()
        assert (known.of("acme"), list(known)) == ([], [])


def test_writes_together_are_all_or_none_on_the_disk(tmp_path: Path) -> None:
    rows = Rows(tmp_path)
    shelf = Shelf(rows, Thing)

    def fail_half_way() -> None:
        with rows.together(), rows.together():
            shelf.put(Thing("a"))
            raise RuntimeError("half way")

    with pytest.raises(RuntimeError, match="half way"):
        fail_half_way()
    assert len(Shelf(Rows(tmp_path), Thing)) == 0
    with rows.together():
        shelf.put(Thing("b"))
        shelf.put(replace(Thing("c"), words=("w",)))
    assert [thing.id for thing in Shelf(Rows(tmp_path), Thing)] == ["b", "c"]


def test_without_a_folder_nothing_is_shared() -> None:
    Shelf(Rows(), Thing).put(Thing("a"))
    assert len(Shelf(Rows(), Thing)) == 0

"""A short run of the forging; `make forgeries` runs the long one."""

import json

from service.errors import BadState
from tests.load.forge import MANNERS, forge, report
from tests.support.signed_texts import READERS, Readers, payload


def believed(text: str) -> object:
    """A reader that reads the content and forgets the signature."""
    try:
        return json.loads(payload(text))
    except ValueError as exc:
        raise BadState from exc


def test_no_forgery_is_accepted_and_every_kind_is_tried_in_every_manner() -> None:
    forged = forge(3000, seed=2)
    assert forged.accepted == []
    assert forged.tried.total() == 3000
    assert set(forged.tried) == {(kind, manner) for kind in READERS for manner in MANNERS}


def test_a_reader_that_forgets_the_signature_is_found_out() -> None:
    permissive: Readers = READERS | {"state": (believed, READERS["state"][1], BadState)}
    forged = forge(600, seed=1, readers=permissive)
    assert {kind for kind, _ in forged.accepted} == {"state"}
    assert any(line.startswith("accepted as state: ") for line in report(forged))


def test_the_good_text_itself_is_no_forgery() -> None:
    assert READERS["embed"][0](READERS["embed"][1])
    assert forge(600, seed=1, readers={"embed": READERS["embed"]}).accepted == []


def test_the_same_seed_forges_the_same() -> None:
    assert forge(200, seed=5) == forge(200, seed=5)

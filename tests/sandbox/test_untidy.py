"""One field of one listed item is odd, another at each turn."""

from typing import Any

import pytest

from service.sandbox.untidy import ODDITIES, untidy

ITEMS = [{"id": "a", "n": 1}, {"id": "b", "n": 2}]


@pytest.mark.parametrize("body", [ITEMS, {"documents": ITEMS, "currentPage": 1}])
def test_every_field_of_every_item_has_its_turn(body: Any) -> None:
    turns = range(len(ITEMS) * 2 * len(ODDITIES))
    made = [untidy(body, turn) for turn in turns]
    lists = [one if isinstance(one, list) else one["documents"] for one in made]
    assert len({repr(one) for one in lists}) == len(turns)
    for items in lists:
        assert sum(item != known for item, known in zip(items, ITEMS, strict=True)) == 1


@pytest.mark.parametrize("body", [None, 5, [], {}, {"detail": "x"}, {"id": "a", "sites": [{"id": "b"}]}, [1], [{}]])
def test_what_is_no_list_of_objects_stays(body: Any) -> None:
    assert untidy(body, 3) == body

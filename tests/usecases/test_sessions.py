"""What makes two calls equal; whole use cases are in integration/."""

from hypothesis import given, settings
from hypothesis import strategies as st

from service.usecases.idempotency import body_digest

BODIES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(), lambda inner: st.dictionaries(st.text(), inner), max_leaves=8
)


def test_the_order_of_fields_does_not_matter() -> None:
    assert body_digest({"a": 1, "b": {"c": 2, "d": 3}}) == body_digest({"b": {"d": 3, "c": 2}, "a": 1})


def test_the_order_of_a_list_does_matter() -> None:
    assert body_digest({"sites": [1, 2]}) != body_digest({"sites": [2, 1]})


def test_a_number_and_its_text_are_two_bodies() -> None:
    assert len({body_digest(value) for value in ({"a": 1}, {"a": "1"}, {"a": None}, {"a": True}, {})}) == 5


@settings(max_examples=30)
@given(BODIES, BODIES)
def test_different_bodies_have_different_digests(one: object, other: object) -> None:
    assert (repr(one) == repr(other)) <= (body_digest(one) == body_digest(other))

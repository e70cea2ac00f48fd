"""The checks of fields: one exception for any value."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.sandbox.settings import SandboxSettings
from service.sandbox.wire import fields
from service.sandbox.wire.errors import InvalidFields
from service.sandbox.world import account_form, companies, invitations, links
from service.sandbox.world.troubles import NAMES, read_trouble

ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4),
    max_leaves=8,
)
CHECKS = (
    companies.COMPANY_CHECKS,
    companies.SITE_CHECKS,
    account_form.CHECKS,
    invitations.CHECKS,
    invitations.PREFILL_CHECKS,
    links.CHECKS,
    links.redirect_checks(SandboxSettings(redirects=True)),
)
TROUBLE_FIELDS = ("companyId", "times", "seconds", "status", "other")
KNOWN = {name: check for checks in CHECKS for name, check in checks.items()}


@given(st.dictionaries(st.sampled_from(sorted(KNOWN)), ANYTHING))
def test_any_value_is_accepted_or_refused_by_name(body: dict[str, Any]) -> None:
    try:
        assert set(fields.read(body, KNOWN)) == set(body)
    except InvalidFields as refused:
        assert set(refused.errors) <= set(body)  # noqa: PT017 - either outcome is right


@given(st.sampled_from([*NAMES, "other"]), st.dictionaries(st.sampled_from(TROUBLE_FIELDS), ANYTHING))
def test_any_trouble_is_read_or_refused(name: str, body: dict[str, Any]) -> None:
    try:
        assert read_trouble(name, body).name == name
    except InvalidFields as refused:
        assert refused.errors  # noqa: PT017 - either outcome is right


def test_a_missing_required_field_is_named() -> None:
    with pytest.raises(InvalidFields) as refused:
        fields.read({}, {"name": fields.text(1)}, required=("name",))
    assert refused.value.errors == {"name": ["This field is required."]}


@pytest.mark.parametrize("value", ["\x00", "a\x00b", "\ud800"])
def test_a_text_that_no_database_stores_is_refused(value: str) -> None:
    with pytest.raises(ValueError, match="not allowed"):
        fields.text()(value)


def test_a_text_is_trimmed_and_a_password_is_not() -> None:
    assert fields.text()("  a b ") == "a b"
    assert fields.secret(" pass ") == " pass "


@pytest.mark.parametrize("value", ["https://utility.example", "http://localhost:8000/a?b=c#d"])
def test_a_web_address_is_kept_as_written(value: str) -> None:
    assert fields.web_url(value) == value


@pytest.mark.parametrize("value", ["", "https://", "//x", "javascript:alert(1)", "https://a b", "https://a\\b", "x", 1])
def test_anything_else_is_no_web_address(value: object) -> None:
    with pytest.raises(ValueError, match="valid URL"):
        fields.web_url(value)


def test_a_uuid_may_be_written_in_capitals() -> None:
    assert fields.uuid("0000000A-0000-4000-8000-00000000000B") == "0000000a-0000-4000-8000-00000000000b"


def test_a_list_keeps_its_order_and_drops_repetitions_unless_allowed() -> None:
    assert fields.listing(fields.text(), 5)(["b", "a", "b"]) == ["b", "a"]
    assert fields.listing(fields.text(), 5, once=False)(["b", "a", "b"]) == ["b", "a", "b"]
    with pytest.raises(ValueError, match="no more than 1"):
        fields.listing(fields.text(), 1)(["a", "b"])

"""The lists that the steps offer."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.sandbox.hosted.steps import progress_marks, resolve_provider


@given(st.text())
def test_resolving_never_fails_and_is_idempotent(words: str) -> None:
    once = resolve_provider(words)
    assert resolve_provider(once) == once


@pytest.mark.parametrize(
    ("words", "address"),
    [
        ("Nectar Sandbox Utility", "https://nectarclimate.com"),
        ("  SILENT valley electric ", "https://silent-valley.example"),
        ("utility.example", "https://utility.example"),
        ("http://utility.example", "http://utility.example"),
        ("some utility", "some utility"),
        ("", ""),
    ],
)
def test_a_provider_is_known_by_name_and_anything_else_is_an_address(words: str, address: str) -> None:
    assert resolve_provider(words) == address


def test_the_progress_list_has_past_now_and_next() -> None:
    states = [mark.state for mark in progress_marks(("provider", "credentials", "settings", "done"), "credentials")]
    assert states == ["past", "now", "next", "next"]

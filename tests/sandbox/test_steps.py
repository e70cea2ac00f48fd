"""What the steps offer to choose from."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.sandbox.hosted.steps import progress_marks, resolve_provider


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


@given(st.text())
def test_resolving_never_fails_and_does_nothing_the_second_time(words: str) -> None:
    once = resolve_provider(words)
    assert resolve_provider(once) == once


def test_the_progress_list_tells_past_now_and_next() -> None:
    states = [mark.state for mark in progress_marks(("provider", "credentials", "settings", "done"), "credentials")]
    assert states == ["past", "now", "next", "next"]

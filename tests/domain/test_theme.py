"""How pages look: which accents can be read, and what the host's element may change."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.domain.theme import (
    LEAST_CONTRAST,
    Theme,
    accent_problem,
    contrast,
    hex_of,
    readable,
    theme_of_look,
    with_own_look,
)

SESSION = Theme(mode="auto", accent="#0b6b5a", radius=8, name="Acme", logo_url="https://app.example.com/logo.svg")
COLORS = st.integers(0, 0xFFFFFF).map(lambda number: f"#{number:06x}")


@pytest.mark.parametrize(
    ("mode", "accent", "measured"),
    [("light", "#ffff00", "1.07:1"), (None, "#888888", "3.54:1"), ("auto", "#66cfb7", "1.87:1")],
)
def test_an_accent_that_cannot_be_read_on_light_is_refused_with_its_contrast(
    mode: str | None, accent: str, measured: str
) -> None:
    problem = accent_problem(Theme(mode=mode, accent=accent))
    assert problem is not None
    assert f"has a contrast of {measured} to its text on light (#ffffff); at least 4.5:1 is needed" in problem
    assert "darker" in problem


def test_an_accent_for_the_dark_mode_is_measured_there() -> None:
    problem = accent_problem(Theme(mode="dark", accent="#0b6b5a"))
    assert problem is not None
    assert "2.58:1 to its text on dark (#18201e)" in problem
    assert "lighter" in problem
    assert accent_problem(Theme(mode="dark", accent="#66cfb7")) is None


def test_a_contrast_just_below_the_least_is_not_rounded_up_to_it() -> None:
    assert LEAST_CONTRAST > contrast("#777777", "#ffffff") > LEAST_CONTRAST - 0.03
    assert "4.47:1" in str(accent_problem(Theme(accent="#777777")))
    assert accent_problem(Theme(accent="#767676")) is None


def test_the_ratio_is_that_of_the_standard() -> None:
    # Reference: WCAG 2.2: 21:1 for black on white, 1:1 for a colour on itself.
    assert contrast("#000000", "#ffffff") == pytest.approx(21)
    assert contrast("#7c3aed", "#7c3aed") == pytest.approx(1)
    assert contrast("#ffffff", "#767676") == pytest.approx(4.54, abs=0.01)


@given(COLORS)
def test_every_colour_has_a_shade_that_can_be_read(color: str) -> None:
    assert contrast(readable(color, "#000000", ("#f4f6f5", "#ffffff")), "#f4f6f5") >= LEAST_CONTRAST
    assert contrast(readable(color, "#ffffff", ("#18201e", "#0f1514")), "#18201e") >= LEAST_CONTRAST


@pytest.mark.parametrize("accent", ["red", "0b6b5a", "#0b6b5", "#0b6b5ag", "#0b6b5a ", "#ab", "", "#0b6b5a;x"])
def test_only_hexadecimal_colours_are_colours(accent: str) -> None:
    assert hex_of(accent) is None


def test_a_short_colour_is_the_long_one() -> None:
    assert hex_of("#0B6") == "#00bb66"


@pytest.mark.parametrize("look", ["", "dark", "dark-", "blue--", "dark-0b6b5-8", "dark--25", "dark--8-", "dark--8\n"])
def test_what_is_no_look_is_no_theme(look: str) -> None:
    assert theme_of_look(look) is None


@given(st.sampled_from([None, "auto", "light", "dark"]), st.none() | COLORS, st.none() | st.integers(0, 24))
def test_a_look_names_its_theme(mode: str | None, accent: str | None, radius: int | None) -> None:
    theme = Theme(mode=mode, accent=accent, radius=radius)
    assert theme_of_look(theme.look) == theme


@given(st.text(max_size=30))
def test_whatever_the_element_says_it_cannot_change_name_or_logo(own: str) -> None:
    shown = with_own_look(SESSION, own)
    assert (shown.name, shown.logo_url) == (SESSION.name, SESSION.logo_url)
    assert theme_of_look(shown.look) is not None


def test_the_element_changes_what_it_names_and_keeps_the_rest() -> None:
    assert with_own_look(SESSION, "dark---").look == "dark-0b6b5a-8"
    assert with_own_look(SESSION, "-7C3AED-0-").look == "auto-7c3aed-0"
    assert with_own_look(SESSION, "nonsense").look == SESSION.look


def test_a_look_in_capitals_is_the_same_look() -> None:
    assert with_own_look(Theme(), "DARK-7C3AED-8-").look == "dark-7c3aed-8"
    assert with_own_look(Theme(), "AUTO---dark").mode == "dark"


def test_auto_follows_the_scheme_of_the_hosts_page_and_another_mode_does_not() -> None:
    assert with_own_look(SESSION, "---dark").mode == "dark"
    assert with_own_look(Theme(), "---light").mode == "light"
    assert with_own_look(Theme(mode="light"), "---dark").mode == "light"
    assert with_own_look(SESSION, "light---dark").mode == "light"

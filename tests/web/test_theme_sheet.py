"""The stylesheet of a look: every text on every ground can be read, and nothing else is answered."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.domain.theme import LEAST_CONTRAST, Theme, contrast
from service.web.theme_sheet import DARK, LIGHT, sheet_of_file, stylesheet

COLORS = st.integers(0, 0xFFFFFF).map(lambda number: f"#{number:06x}")
ON = {"--on-accent": ("--accent",), "--link": ("--card", "--ground", "--soft"), "--ink": ("--card", "--ground")}


def properties(rule: str) -> dict[str, str]:
    return dict(re.findall(r"(--[a-z-]+|color-scheme): ([^;]+);", rule))


def check_can_be_read(palette: dict[str, str]) -> None:
    for text, grounds in ON.items():
        for ground in grounds:
            assert contrast(palette[text], palette[ground]) >= LEAST_CONTRAST, (text, ground, palette)


@pytest.mark.parametrize("palette", [LIGHT, DARK], ids=["light", "dark"])
def test_our_own_colours_can_be_read(palette: dict[str, str]) -> None:
    check_can_be_read(palette)


@given(COLORS, st.sampled_from(["light", "dark"]))
def test_in_a_forced_mode_every_accent_can_be_read(accent: str, mode: str) -> None:
    check_can_be_read(properties(stylesheet(Theme(mode=mode, accent=accent))))


@given(COLORS)
def test_in_auto_it_can_be_read_in_both_schemes(accent: str) -> None:
    light, dark = stylesheet(Theme(accent=accent)).split("@media (prefers-color-scheme: dark)")
    check_can_be_read(LIGHT | properties(light))
    check_can_be_read(DARK | properties(dark))


def test_a_forced_mode_brings_its_whole_palette_and_its_scheme() -> None:
    assert properties(stylesheet(Theme(mode="dark"))).items() >= (DARK | {"color-scheme": "dark"}).items()
    assert properties(stylesheet(Theme(mode="light", radius=0))).items() >= (LIGHT | {"--radius": "0px"}).items()


@pytest.mark.parametrize(
    "name", ["theme-.css", "theme-dark.css", "theme-dark--25.css", "theme-a--.css", "theme---.css\n", "page.css"]
)
def test_no_other_name_is_a_sheet(name: str) -> None:
    assert sheet_of_file(name) is None


def test_a_light_accent_given_as_it_is_stays_as_it_is() -> None:
    assert properties(stylesheet(Theme(mode="light", accent="#7c3aed")))["--accent"] == "#7c3aed"
    assert properties(stylesheet(Theme(mode="dark", accent="#66cfb7")))["--accent"] == "#66cfb7"

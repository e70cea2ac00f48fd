"""Which language a page has: who is asked first, regions, weights, and headers that no browser sends."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.domain.languages import accepted_languages, best_language

THERE = {"en", "fr", "es", "pt-br"}


@pytest.mark.parametrize(
    ("header", "languages"),
    [
        ("", ()),
        ("fr", ("fr",)),
        ("fr-CA,fr;q=0.9,en;q=0.8", ("fr-CA", "fr", "en")),
        ("en;q=0.5, fr ; q = 1.000 ,es;Q=0.75", ("fr", "es", "en")),
        ("de;q=0.3,fr;q=0.3", ("de", "fr")),  # of equal weights the first
        ("fr;q=0,es", ("es",)),
        ("fr;q=0.000", ()),
        ("*,fr;q=0.1", ("fr",)),  # any language: ours is English
        ("fr;q=2,es;q=-1,pt;q=x,it;q=0.1234,ro;q=,en", ("en",)),
        (",, fr,,", ("fr",)),
        ("<script>,../../etc/passwd,fr\r\nX: y,\x00,fr\u0661,es", ("es",)),
        ("abcdefghi,fr-,-fr,f_r,es", ("es",)),
        ("fr;level=1;q=0.5,es", ("es",)),
    ],
)
def test_a_header_is_read_in_the_order_of_its_weights_without_what_is_odd(
    header: str, languages: tuple[str, ...]
) -> None:
    assert accepted_languages(header) == languages


def test_of_a_long_header_the_first_ranges_are_read() -> None:
    assert accepted_languages(",".join(["de"] * 20 + ["fr"])) == ("de",) * 20


@given(st.text())
def test_no_header_makes_it_fail(header: str) -> None:
    assert best_language(accepted_languages(header), THERE) in THERE


@given(st.lists(st.text()))
def test_a_page_always_has_a_language_that_there_is(wanted: list[str]) -> None:
    assert best_language(wanted, THERE) in THERE


@pytest.mark.parametrize(
    ("wanted", "language"),
    [
        (["fr-CA"], "fr"),
        (["es-419"], "es"),
        (["FR_ca"], "fr"),
        (["pt-BR-x-new"], "pt-br"),
        (["pt"], "en"),  # another region's language may be another
        (["de", "es"], "es"),
        (["", "fr"], "fr"),
        (["-", "--", "fr-" * 100], "fr"),
        (["de"], "en"),
        ([], "en"),
    ],
)
def test_the_first_that_there_is_and_a_region_is_left_out(wanted: list[str], language: str) -> None:
    assert best_language(wanted, THERE) == language

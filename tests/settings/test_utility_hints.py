"""Hints of utilities: found by host and never by a lookalike; a host's file adds, changes and switches off."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.errors import BadSettings
from service.settings import Settings, read
from service.settings.utility_hints import UtilityHints, built_in_hints, read_hints

LEAST = {
    "MAGICLINK_SECRET_KEYS": "k" * 32,
    "MAGICLINK_PUBLIC_URL": "https://link.example.com",
    "MAGICLINK_PROVIDER_API_KEY": "provider-key",
}
HINT = {"utility": "Fjord Power", "needed": "Have your meter's number at hand."}


def settings_of(file: Path, content: Any) -> Settings:
    file.write_text(content if isinstance(content, str) else json.dumps(content), "utf-8")
    return read(LEAST | {"MAGICLINK_UTILITY_HINTS": str(file)})


def utility_at(hints: UtilityHints, url: str | None) -> str | None:
    found = hints.for_url(url)
    return found.utility if found else None


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        ("{", "is not JSON"),
        ("[" * 100_000, "is not JSON"),
        ("[]", "is not a JSON object of hosts"),
        ("7", "is not a JSON object of hosts"),
        ({f"a{number}.example": None for number in range(1001)}, "has more than 1000 entries"),
        ({"https://coned.com": None}, 'has an entry "https://coned.com" that is not a host name'),
        ({"Coned.com": None}, 'has an entry "Coned.com" that is not a host name'),
        ({"coned.com/login": None}, "that is not a host name"),
        ({"com": None}, "that is not a host name"),
        ({"coned.com": "text"}, "that is neither null nor an object"),
        ({"coned.com": {"utility": "x"}}, "that is neither null nor an object"),
        ({"coned.com": HINT | {"more": 1}}, "that is neither null nor an object"),
        ({"coned.com": HINT | {"needed": " "}}, 'that has a "needed" that is not a text of 1 to 400'),
        ({"coned.com": HINT | {"needed": "x" * 401}}, 'that has a "needed" that is not a text of 1 to 400'),
        ({"coned.com": HINT | {"utility": None}}, 'that has a "utility" that is not a text of 1 to 80'),
        ({"coned.com": HINT | {"utility": "a\u202eb"}}, 'that has a "utility" with a character'),
        ('{"coned.com": null, "coned.com": null}', 'has an entry "coned.com" that is there twice'),
    ],
)
def test_a_file_that_cannot_be_used_is_refused_at_the_start(tmp_path: Path, content: Any, problem: str) -> None:
    with pytest.raises(BadSettings) as caught:
        settings_of(tmp_path / "hints.json", content)
    assert "MAGICLINK_UTILITY_HINTS names a file that " in str(caught.value)
    assert problem in str(caught.value)


def test_every_wrong_entry_is_named(tmp_path: Path) -> None:
    with pytest.raises(BadSettings) as caught:
        settings_of(tmp_path / "hints.json", {"BAD": None, "good.example": HINT, "worse": 7, "odd.example": {}})
    assert [name for name in ("BAD", "good.example", "worse", "odd.example") if name in str(caught.value)] == [
        *("BAD", "worse", "odd.example")
    ]


def test_a_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadSettings, match="MAGICLINK_UTILITY_HINTS must be off, or name a file"):
        read(LEAST | {"MAGICLINK_UTILITY_HINTS": str(tmp_path / "none.json")})


@pytest.mark.parametrize(
    "url",
    [
        *(None, "", "https://evilconed.com", "https://coned.com.evil.example", "https://com", "javascript:alert(1)"),
        *("https://evil.example/coned.com", "https://evil.example?coned.com", "https://evil.example#coned.com"),
        *("https://coned.com@evil.example", "https://evil.example\\.coned.com", "https://pseg.com", "x" * 5000),
    ],
)
def test_another_host_gets_no_hint(url: str | None) -> None:
    assert UtilityHints().for_url(url) is None


@pytest.mark.parametrize(
    ("url", "utility"),
    [
        ("https://www.coned.com/en/login?next=/", "Con Edison"),
        ("https://COnEd.com:443", "Con Edison"),
        ("coned.com/login", "Con Edison"),
        ("https://myaccount.pge.com", "PG&E"),
        ("https://nj.myaccount.pseg.com/", "PSEG New Jersey"),
        ("http://myaccount.hrsd.com", "HRSD"),
    ],
)
def test_the_host_of_the_address_or_a_domain_above_it_has_the_hint(url: str, utility: str) -> None:
    assert utility_at(UtilityHints(), url) == utility


def test_an_operators_file_adds_changes_and_switches_off(tmp_path: Path) -> None:
    own = {"fjord.example": HINT, "coned.com": HINT | {"utility": "Edison"}, "oru.com": None, "water.pge.com": None}
    hints = UtilityHints(settings_of(tmp_path / "hints.json", own).utility_hints)
    assert utility_at(hints, "https://my.fjord.example") == "Fjord Power"
    assert utility_at(hints, "https://coned.com") == "Edison"
    assert utility_at(hints, "https://oru.com") is None
    assert utility_at(hints, "https://www.fpl.com") == "Florida Power & Light"
    assert (utility_at(hints, "https://pge.com"), utility_at(hints, "https://water.pge.com")) == ("PG&E", None)


def test_off_switches_all_of_them_off() -> None:
    settings = read(LEAST | {"MAGICLINK_UTILITY_HINTS": "off"})
    assert utility_at(UtilityHints(settings.utility_hints), "https://coned.com") is None
    assert utility_at(UtilityHints(read(LEAST).utility_hints), "https://coned.com") == "Con Edison"


def test_the_services_own_file_is_valid_and_asks_for_no_code() -> None:
    hints = {hint.host: hint for hint in built_in_hints()}
    documented = {"pge.com", "centerpointenergy.com", "coned.com", "oru.com", "duke-energy.com", "fpl.com"}
    assert hints.keys() >= documented | {"nj.myaccount.pseg.com", "swgas.com", "hrsd.com"}
    assert not [hint.host for hint in hints.values() if "code" in str(hint.needed)]


@given(st.text(max_size=300))
def test_any_text_is_an_address_with_or_without_a_hint(text: str) -> None:
    UtilityHints().for_url(text)


@given(st.one_of(st.text(max_size=100), st.dictionaries(st.text(max_size=30), st.integers()).map(json.dumps)))
def test_any_text_is_a_file_with_hints_or_with_problems(text: str) -> None:
    hints, problems = read_hints(text)
    assert not hints or not problems or len(hints) + len(problems) > 1

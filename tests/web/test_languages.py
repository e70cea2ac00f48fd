"""The catalogues: each has every sentence of the pages and no other, with the same fields and the same markup."""

import re
from collections import Counter

import pytest

from service.web.languages import Language, languages
from service.web.page_templates import page_templates
from tests.support.languages import sentences

ENGLISH = sentences()
CATALOGUES = [one for code, one in languages().items() if code != "en"]
FIELD = re.compile(r"%\(\w+\)s")
TAG = re.compile(r"<[^>]*>")
QUOTED = re.compile(r"“([^”]+)”")
# French: a space that does not break before these signs and inside of guillemets.
LOOSE = re.compile(r"(?<![\u00a0\u202f])[;:?!»](?!\S)| [;:?!»]|«(?!\u00a0)")

every_language = pytest.mark.parametrize("language", CATALOGUES, ids=lambda one: one.code)


def test_there_are_french_and_spanish() -> None:
    assert list(languages()) == ["en", "es", "fr"]


@every_language
def test_no_sentence_is_missing_and_none_is_left_over(language: Language) -> None:
    assert language.texts.keys() == ENGLISH


@every_language
def test_each_translation_has_the_fields_and_the_markup_of_its_sentence(language: Language) -> None:
    for english, translated in language.texts.items():
        assert Counter(FIELD.findall(translated)) == Counter(FIELD.findall(english)), english
        assert TAG.findall(translated) == TAG.findall(english), english
        bare = TAG.sub("", FIELD.sub("", translated))
        # A sentence also stands in attributes; and a lone percent sign would be read as a field.
        assert not set(bare) & set('"<>%{}'), english
        assert ("&" in bare) <= ("&" in english), english
        assert translated == translated.strip(), english


def test_no_sentence_has_a_lone_percent_sign() -> None:
    assert not [one for one in ENGLISH if "%" in FIELD.sub("", one)]  # a template would show it twice


@every_language
def test_a_control_is_called_as_its_button_says(language: Language) -> None:
    for english, translated in language.texts.items():
        for control in QUOTED.findall(english):
            assert language.say(control) in translated, english
            assert control not in translated, english


@every_language
def test_no_translation_is_the_english_sentence(language: Language) -> None:
    same = {english for english, translated in language.texts.items() if translated == english}
    untranslatable = {"%(hour)s:%(minute)s UTC"}
    untranslatable |= {one for one in ENGLISH if not re.search("[a-z]", TAG.sub("", FIELD.sub("", one)))}
    assert same <= untranslatable


def test_french_has_its_own_spaces_quotes_and_apostrophes() -> None:
    for translated in languages()["fr"].texts.values():
        text = TAG.sub("", FIELD.sub("x", translated))
        assert not LOOSE.search(text), text
        assert not set(text) & set("'\"“”"), text


def test_spanish_opens_its_questions() -> None:
    for translated in languages()["es"].texts.values():
        assert translated.count("?") == translated.count("¿"), translated
        assert translated.count("!") == translated.count("¡"), translated


def test_a_text_that_no_catalogue_has_stays_what_it_is_and_is_escaped() -> None:
    for environment in page_templates().values():
        template = environment.from_string("{{ text | translated }}")
        assert template.render(text="<b>100 %</b>") == "&lt;b&gt;100 %&lt;/b&gt;"


def test_a_value_in_a_sentence_is_escaped_in_every_language() -> None:
    for environment in page_templates().values():
        html = environment.from_string("{% trans %}For <bdi>{{ company }}</bdi>.{% endtrans %}").render(company="<&>")
        assert "<bdi>&lt;&amp;&gt;</bdi>" in html


def test_a_template_is_compiled_once_and_says_the_same_constant_in_each_language() -> None:
    source = '{{ "Close" | translated }} {{ _("Close") }}'
    said = {code: one.from_string(source).render() for code, one in page_templates().items()}
    assert said == {"en": "Close Close", "es": "Cerrar Cerrar", "fr": "Fermer Fermer"}

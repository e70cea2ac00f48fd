"""How the templates are rendered: escaped, in one language, and an unknown name is an error."""

from collections.abc import Callable, Mapping
from functools import cache
from types import CodeType

import jinja2
from jinja2.bccache import Bucket
from jinja2.runtime import Context
from markupsafe import Markup

from service.web.languages import Language, languages, templates_folder
from service.web.static_files import FOLDER


class _CompiledTemplates(jinja2.BytecodeCache):
    """Templates that one environment has compiled, for the others: a template is the same in every language."""

    def __init__(self) -> None:
        self._code: dict[str, CodeType] = {}

    def load_bytecode(self, bucket: Bucket) -> None:
        bucket.code = self._code.get(bucket.key)

    def dump_bytecode(self, bucket: Bucket) -> None:
        if bucket.code is not None:
            self._code[bucket.key] = bucket.code


@cache
def page_templates() -> Mapping[str, jinja2.Environment]:
    """Return the environments by the codes of their languages; each template is compiled once in a process."""
    return templates_in(languages())


def templates_in(known: Mapping[str, Language]) -> Mapping[str, jinja2.Environment]:
    """Return an environment for each of these languages."""
    compiled = _CompiledTemplates()
    return {code: _environment(language, compiled) for code, language in known.items()}


def _environment(language: Language, compiled: jinja2.BytecodeCache) -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(templates_folder()),
        auto_reload=False,
        autoescape=True,
        bytecode_cache=compiled,
        extensions=["jinja2.ext.i18n"],
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.newstyle_gettext = True  # type: ignore[attr-defined]  # `{% trans %}` gives its values by their names
    environment.globals["gettext"] = environment.globals["_"] = _sentence_of(language)
    environment.globals["static"] = FOLDER
    environment.filters["translated"] = _filter_of(language)
    return environment


def _sentence_of(language: Language) -> Callable[..., Markup]:
    """What `_()` calls: the templates' own sentences are markup, and the values in them are escaped."""
    marked = cache(lambda sentence: Markup(language.say(sentence)))  # noqa: S704 - as many as the templates have
    return lambda sentence, **values: marked(sentence) % values if values else marked(sentence)


def _filter_of(language: Language) -> Callable[[Context, str], str]:
    """For texts that come in a page's fields: a provider or an operator may have written them, so they stay text."""

    @jinja2.pass_context  # else a constant would be translated while it is compiled, once for all languages
    def translated(_context: Context, text: str) -> str:
        return language.say(text)

    return translated

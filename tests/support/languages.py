"""Every sentence that an end user's page may show, as the code has it: what each catalogue must translate."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

from jinja2 import Environment
from jinja2.ext import extract_from_ast

from service.domain.status_words import all_words
from service.settings.utility_hints import built_in_hints
from service.web.page_templates import page_templates

ROOT = Path(__file__).parents[2]


def sentences() -> set[str]:
    """Name each English sentence of templates, tables and code."""
    return {*of_templates(), *of_scripts(), *of_status_words(), *of_hints(), *of_code()}


def of_templates() -> Iterator[str]:
    environment: Environment = page_templates()["en"]
    for file in sorted((ROOT / "templates" / "pages").glob("*.html")):
        tree = environment.parse(file.read_text("utf-8"))
        for _line, _name, message in extract_from_ast(tree, babel_style=False):
            assert message is not None
            yield str(message[0])


def of_scripts() -> Iterator[str]:
    """Name what the scripts of host pages mark."""
    for file in sorted((ROOT / "service" / "static" / "embed").glob("*.js")):
        yield from re.findall(r'\b_\("([^"]+)"\)', file.read_text("utf-8"))


def of_status_words() -> Iterator[str]:
    for words in all_words():
        yield from (words.label, words.title, words.sentence, *(step.text for step in words.steps))


def of_hints() -> Iterator[str]:
    yield from (hint.needed for hint in built_in_hints() if hint.needed is not None)


def of_code() -> Iterator[str]:
    """Name the constants that `Language.say` is called with."""
    for file in sorted((ROOT / "service" / "web" / "pages").glob("*.py")):
        for node in ast.walk(ast.parse(file.read_text("utf-8"))):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "say":
                first = node.args[0]
                if isinstance(first, ast.Constant):
                    yield str(first.value)

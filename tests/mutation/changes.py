"""Every small change to a module's source that its tests should notice: one at a time, in the order of the source.

A change is spliced into the text, so that all else stays as it was written. Left alone are annotations, decorators,
docstrings, and the wording of errors (whether they are raised is not).
"""

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import takewhile

from tests.mutation.operators import replacements

_UNTOUCHED = {"annotation", "returns", "decorator_list", "bases"}
_SCOPES = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)


@dataclass(frozen=True, order=True)
class Mutant:
    """A change, named by its function and text: edits elsewhere, or a move to another module, leave it the same."""

    function: str
    line: str
    becomes: str


def mutants(source: str) -> dict[Mutant, str]:
    """Each mutant with its whole source."""
    found: dict[Mutant, str] = {}
    for scope, node, text in _places(ast.parse(source), ()):
        changed = _spliced(source, node, text)
        line, becomes = _difference(source, changed)
        if line != becomes:
            found.setdefault(Mutant(".".join(scope), line, becomes), changed)
    return found


def _places(node: ast.AST, scope: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], ast.expr | ast.stmt, str]]:
    inner = (*scope, node.name) if isinstance(node, _SCOPES) else scope
    for old, new in replacements(node, inside=bool(inner)):
        yield inner, old, _text(old, new)
    if isinstance(node, ast.JoinedStr | ast.Raise):
        return  # where the parts of an f-string stand differs between versions of Python
    for child in _children(node):
        yield from _places(child, inner)


def _children(node: ast.AST) -> Iterator[ast.AST]:
    for name, value in ast.iter_fields(node):
        if name in _UNTOUCHED:
            continue
        yield from (each for each in (value if isinstance(value, list) else [value]) if _is_code(each))


def _is_code(node: object) -> bool:
    docstring = isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
    return isinstance(node, ast.AST) and not docstring and not isinstance(node, ast.Import | ast.ImportFrom)


def _text(old: ast.AST, new: ast.AST) -> str:
    text = ast.unparse(new)
    plain = isinstance(new, ast.stmt | ast.Constant | ast.Name | ast.Call | ast.Set)
    return text if plain or (type(new) is type(old) and not isinstance(new, ast.BoolOp)) else f"({text})"


def _spliced(source: str, node: ast.expr | ast.stmt, text: str) -> str:
    lines = source.encode().splitlines(keepends=True)
    first, last = node.lineno - 1, (node.end_lineno or node.lineno) - 1
    before, after = lines[first][: node.col_offset], lines[last][node.end_col_offset :]
    return b"".join([*lines[:first], before, text.encode(), after, *lines[last + 1 :]]).decode()


def _difference(source: str, changed: str) -> tuple[str, str]:
    """The lines that were replaced, and those that replace them."""
    before, after = source.splitlines(), changed.splitlines()
    first = _common(before, after)
    last = _common(before[first:][::-1], after[first:][::-1])
    return _joined(before[first : len(before) - last]), _joined(after[first : len(after) - last])


def _common(before: list[str], after: list[str]) -> int:
    return sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(before, after, strict=False)))


def _joined(lines: list[str]) -> str:
    """One line, without its comments."""
    return re.sub(r"\s+", " ", " ".join(re.sub(r"  # .*$", "", line).strip() for line in lines))

"""What one piece of syntax may be changed into. Each change is one that a person could have made by mistake."""

import ast
import re
from collections.abc import Callable, Iterator
from itertools import pairwise

Replacement = tuple[ast.expr | ast.stmt, ast.expr | ast.stmt]

_COMPARISONS: dict[type[ast.cmpop], tuple[type[ast.cmpop], ...]] = {
    ast.Lt: (ast.LtE, ast.GtE),
    ast.LtE: (ast.Lt, ast.Gt),
    ast.Gt: (ast.GtE, ast.LtE),
    ast.GtE: (ast.Gt, ast.Lt),
    ast.Eq: (ast.NotEq,),
    ast.NotEq: (ast.Eq,),
    ast.Is: (ast.IsNot,),
    ast.IsNot: (ast.Is,),
    ast.In: (ast.NotIn,),
    ast.NotIn: (ast.In,),
}
_ARITHMETIC: dict[type[ast.operator], type[ast.operator]] = {
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.Div,
    ast.Div: ast.Mult,
    ast.BitAnd: ast.BitOr,
    ast.BitOr: ast.BitAnd,
}
_OPPOSITES = {"min": "max", "any": "all", "partition": "rpartition", "removeprefix": "removesuffix"}
_OPPOSITES |= {"startswith": "endswith", "lower": "upper", "fullmatch": "match", "match": "search"}
_NAMES = _OPPOSITES | {new: old for old, new in _OPPOSITES.items() if new not in _OPPOSITES}
_QUANTITY = re.compile(r"(?<=[{,])[0-9]+(?=[,}])")
_DROPPED = ast.Raise | ast.Expr | ast.Assign | ast.AugAssign | ast.Continue | ast.Break


def replacements(node: ast.AST, *, inside: bool) -> Iterator[Replacement]:
    """Pairs of a node and what stands in its place. `inside` a function or class, statements may go missing."""
    for kind, change in _CHANGES:
        if isinstance(node, kind):
            yield from change(node)
    if inside and isinstance(node, _DROPPED):
        yield node, ast.Pass()


def _compare(node: ast.Compare) -> Iterator[Replacement]:
    for at, operator in enumerate(node.ops):
        for other in _COMPARISONS[type(operator)]:
            yield node, ast.Compare(node.left, [*node.ops[:at], other(), *node.ops[at + 1 :]], node.comparators)


def _both(node: ast.BoolOp) -> Iterator[Replacement]:
    yield node, ast.BoolOp(ast.Or() if isinstance(node.op, ast.And) else ast.And(), node.values)
    for at in range(len(node.values)):
        rest = [*node.values[:at], *node.values[at + 1 :]]
        yield node, rest[0] if len(rest) == 1 else ast.BoolOp(node.op, rest)


def _unary(node: ast.UnaryOp) -> Iterator[Replacement]:
    yield node, node.operand


def _binary(node: ast.BinOp) -> Iterator[Replacement]:
    if type(node.op) in _ARITHMETIC:
        yield node, ast.BinOp(node.left, _ARITHMETIC[type(node.op)](), node.right)


def _constant(node: ast.Constant) -> Iterator[Replacement]:
    value = node.value
    if isinstance(value, bool):
        yield node, ast.Constant(not value)
    elif isinstance(value, int | float):
        yield from ((node, ast.Constant(other)) for other in (value + 1, value - 1))
    elif isinstance(value, bytes):
        yield from ((node, ast.Constant(other)) for other in (b"", value + b"X") if other != value)
    elif isinstance(value, str):
        others = ("", value + "X", *_quantities(value))
        yield from ((node, ast.Constant(other)) for other in others if other != value)


def _quantities(text: str) -> Iterator[str]:
    """A regular expression's own boundaries."""
    for found in _QUANTITY.finditer(text):
        for other in (int(found[0]) + 1, int(found[0]) - 1):
            yield f"{text[: found.start()]}{other}{text[found.end() :]}"


def _formatted(node: ast.JoinedStr) -> Iterator[Replacement]:
    yield node, ast.Constant("")


def _branch(node: ast.If | ast.While) -> Iterator[Replacement]:
    if not isinstance(node.test, ast.Compare | ast.UnaryOp):
        yield node.test, ast.UnaryOp(ast.Not(), node.test)


def _either(node: ast.IfExp) -> Iterator[Replacement]:
    yield node, node.body
    yield node, node.orelse


def _filter(node: ast.comprehension) -> Iterator[Replacement]:
    yield from ((condition, ast.Constant(True)) for condition in node.ifs)


def _return(node: ast.Return) -> Iterator[Replacement]:
    if node.value is not None and not (isinstance(node.value, ast.Constant) and node.value.value is None):
        yield node, ast.Return(ast.Constant(None))


def _early_return(node: ast.If | ast.For | ast.Try) -> Iterator[Replacement]:
    yield from ((each, ast.Pass()) for each in node.body if isinstance(each, ast.Return))


def _call(node: ast.Call) -> Iterator[Replacement]:
    either_way = isinstance(node.func, ast.Attribute) and node.func.attr == "compare_digest"
    for at, (left, right) in enumerate(pairwise(node.args)):
        if not either_way and not isinstance(left, ast.Starred) and not isinstance(right, ast.Starred):
            swapped = [*node.args[:at], right, left, *node.args[at + 2 :]]
            yield node, ast.Call(node.func, swapped, node.keywords)
    for keyword in node.keywords:
        yield node, ast.Call(node.func, node.args, [each for each in node.keywords if each is not keyword])
    yield from ((node, ast.Call(func, node.args, node.keywords)) for func in _opposites(node.func))


def _opposites(func: ast.expr) -> Iterator[ast.expr]:
    if isinstance(func, ast.Name) and func.id in _NAMES:
        yield ast.Name(_NAMES[func.id])
    if isinstance(func, ast.Attribute) and func.attr in _NAMES:
        yield ast.Attribute(func.value, _NAMES[func.attr])


def _set(node: ast.Set) -> Iterator[Replacement]:
    for one in node.elts:
        yield node, ast.Set([each for each in node.elts if each is not one])


def _caught(node: ast.ExceptHandler) -> Iterator[Replacement]:
    if isinstance(node.type, ast.Tuple):
        for one in node.type.elts:
            yield node.type, ast.Tuple([each for each in node.type.elts if each is not one])


_CHANGES: tuple[tuple[type | tuple[type, ...], Callable[..., Iterator[Replacement]]], ...] = (
    (ast.Compare, _compare),
    (ast.BoolOp, _both),
    (ast.UnaryOp, _unary),
    (ast.BinOp, _binary),
    (ast.Constant, _constant),
    (ast.JoinedStr, _formatted),
    ((ast.If, ast.While), _branch),
    (ast.IfExp, _either),
    (ast.comprehension, _filter),
    (ast.Return, _return),
    ((ast.If, ast.For, ast.Try), _early_return),
    (ast.Call, _call),
    (ast.Set, _set),
    (ast.ExceptHandler, _caught),
)

"""`params.py` of phy, which is parsed and never run: assignments of numbers, texts, or lists of them."""

import ast
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from nwb_neurid._system.files import open_regular
from nwb_neurid.errors import UnreadableSource
from nwb_neurid.readers.spikeinterface.files import decode

LARGEST_BYTES = 2**16

CASTS = frozenset(
    {
        *("float", "float16", "float32", "float64", "double", "single", "longdouble", "Decimal", "Fraction"),
        *("int", "int16", "int32", "int64", "uint16", "uint32", "uint64"),
        *("array", "asarray", "tensor"),
    }
)
"""Functions whose argument may be a number. They occur because scripts may write the repr of a NumPy scalar."""

ERRORS = (ValueError, SyntaxError, TypeError, MemoryError, RecursionError, OverflowError)
"""Errors of Python on text that is not an expression of constants."""


class Unparsed(str):
    """The source text of a value that is not a constant."""

    __slots__ = ()


def read_params(path: Path) -> dict[str, object]:
    """Read the settings of a `params.py`.

    Parameters
    ----------
    path
        The file; it need not exist.

    Returns
    -------
    dict
        Values by name, `Unparsed` if they are not constants; empty if there is no such file.

    Raises
    ------
    UnreadableSource
        If it cannot be read.
    """
    try:
        with open_regular(path) as file:
            text = decode(file.read(LARGEST_BYTES))
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise UnreadableSource(f"{path} cannot be read: {error.strerror or error}.") from error
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", SyntaxWarning)  # caused by backslashes in Windows paths
        return dict(_assignments(text))


def _assignments(text: str) -> Iterator[tuple[str, object]]:
    """Yield names and values of all statements. If the text is not valid Python, it is parsed line by line."""
    try:
        statements = ast.parse(text).body
    except ERRORS:
        for line in text.splitlines():
            name, is_assigned, value = line.partition("=")
            if is_assigned and name.strip().isidentifier():
                yield name.strip(), _parse(value.strip())
        return
    for statement in statements:
        if isinstance(statement, ast.Assign | ast.AnnAssign) and statement.value is not None:
            targets = statement.targets if isinstance(statement, ast.Assign) else [statement.target]
            for target in targets:
                if isinstance(target, ast.Name):
                    yield target.id, _evaluate(statement.value)


def _parse(text: str) -> object:
    try:
        return _evaluate(ast.parse(text, mode="eval").body)
    except ERRORS:
        return Unparsed(text)


def _evaluate(node: ast.expr) -> object:
    """Evaluate a constant, which may be the argument of a cast to a number. Return `Unparsed` for anything else."""
    called = node.func if isinstance(node, ast.Call) and len(node.args) == 1 and not node.keywords else None
    name = called.id if isinstance(called, ast.Name) else called.attr if isinstance(called, ast.Attribute) else ""
    try:
        if isinstance(node, ast.Call) and name in CASTS:
            value = take_single(ast.literal_eval(node.args[0]))
            return int(value) if "int" in name else float(value)
        return ast.literal_eval(node)
    except ERRORS:
        return Unparsed(_unparse(node))


def take_single(value: Any) -> Any:
    """Return the element of a list with one element, or otherwise the value itself."""
    return value[0] if isinstance(value, list | tuple) and len(value) == 1 else value


def _unparse(node: ast.expr) -> str:
    try:
        return ast.unparse(node)
    except ERRORS:
        return "something too deep"

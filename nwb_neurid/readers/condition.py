"""Conditions of users on the columns of a table: `quality == "good" and snr > 2`.

The grammar is that of Python, restricted to comparisons, `and`, `or`, `not`, `in`, names of columns, and constants. No
code is run. A column name that is not a valid name in Python is put in backticks: `` `amps.npy` > 50 ``.
"""

import ast
import operator
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from jaxtyping import Bool

from nwb_neurid.errors import InvalidOption
from nwb_neurid.readers.columns import Column, Columns

Constant: TypeAlias = str | int | float

EXAMPLE = "quality == \"good\" and snr > 2, phy_annotations >= 2, cell_type in ['PV', 'SST'], `amps.npy` > 50"

_QUOTED = re.compile(r"""("[^"]*"|'[^']*')|`([^`]*)`""")

_COMPARISONS: Mapping[type[ast.cmpop], Callable[[Any, Any], Any]] = {
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
    ast.In: np.isin,
    ast.NotIn: lambda values, among: ~np.isin(values, among),
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
}
_OF_ORDER = (ast.Lt, ast.LtE, ast.Gt, ast.GtE)


def rows_where(condition: str, table: Columns, option: str) -> Bool[np.ndarray, " rows"]:
    """Find the rows of a table that fulfil a condition on its columns. NaN fulfils only `!=`.

    Parameters
    ----------
    condition
        The condition of the user.
    table
        The table. Only columns with one text or number per row can be used.
    option
        The option in which it was given, for messages: "--where".

    Raises
    ------
    InvalidOption
        If the text is not a condition, uses a column that does not exist, or compares text with numbers.
    """
    in_backticks: dict[str, str] = {}

    def plain(match: re.Match[str]) -> str:
        if match[1] is not None:
            return match[1]
        name = f"in_backticks_{len(in_backticks)}"
        in_backticks[name] = match[2]
        return name

    where = f"{option} {condition!r}"
    no_condition = InvalidOption(f"{where} is not a valid condition. A valid one is, for example, {EXAMPLE}.")
    try:
        tree = ast.parse(_QUOTED.sub(plain, condition).strip(), mode="eval").body
    except (SyntaxError, ValueError, RecursionError, MemoryError):  # errors of Python's parser on any text
        raise no_condition from None
    try:
        return _Evaluation(table, where, in_backticks).truth(tree)
    except RecursionError:
        raise no_condition from None


@dataclass(frozen=True, slots=True)
class _Evaluation:
    """Evaluation of a condition in each row.

    Parameters
    ----------
    table
        The table with the columns.
    where
        The option and the condition, for messages.
    in_backticks
        Column names in backticks, by the valid Python name that replaces each of them.
    """

    table: Columns
    where: str
    in_backticks: Mapping[str, str]

    def truth(self, node: ast.expr) -> Bool[np.ndarray, " rows"]:
        """Evaluate a whole condition or a part of it as true or false in each row."""
        match node:
            case ast.BoolOp(ast.And(), parts):
                return np.logical_and.reduce([self.truth(part) for part in parts])
            case ast.BoolOp(ast.Or(), parts):
                return np.logical_or.reduce([self.truth(part) for part in parts])
            case ast.UnaryOp(ast.Not(), part):
                return ~self.truth(part)
            case ast.Compare(first, comparisons, others):
                sides = zip([first, *others[:-1]], comparisons, others, strict=True)
                return np.logical_and.reduce([self._compared(*side) for side in sides])
            case ast.Name(name):
                values = self._column(name)
                if values.dtype.kind == "U":
                    raise InvalidOption(
                        f"{self.where}: {self._told(node)} is text, not a condition. Compare it with another text."
                    )
                return (values != 0) & ~np.isnan(values)
        raise self._refused(node)

    def _compared(self, left: ast.expr, comparison: ast.cmpop, right: ast.expr) -> Bool[np.ndarray, " rows"]:
        compare = _COMPARISONS.get(type(comparison))
        if compare is None:
            raise self._refused(ast.Compare(left, [comparison], [right]))
        among = isinstance(comparison, ast.In | ast.NotIn)
        one, other = self._value(left), self._values(right) if among else self._value(right)
        kinds = {np.asarray(side).dtype.kind == "U" for side in (one, other)}
        if len(kinds) > 1:
            raise InvalidOption(
                f"{self.where}: {self._told(left)} and {self._told(right)} are text and a number, which cannot be "
                "compared. Write text in quotes, and numbers without."
            )
        if kinds == {True} and isinstance(comparison, _OF_ORDER):
            raise InvalidOption(f"{self.where}: text cannot be ordered. Compare it with ==, !=, in or not in.")
        return np.broadcast_to(compare(one, other), len(self.table))

    def _values(self, node: ast.expr) -> list[Constant]:
        """Return the constants after `in`, which must all be texts or all be numbers."""
        if isinstance(node, ast.List | ast.Tuple | ast.Set) and node.elts:
            values = [self._value(element) for element in node.elts]
            constants = [value for value in values if isinstance(value, str | int | float)]
            if len(constants) == len(values) and len({isinstance(value, str) for value in values}) == 1:
                return constants
        raise self._refused(node)

    def _value(self, node: ast.expr) -> Column | Constant:
        """Return the value of a column or a constant."""
        match node:
            case ast.Name(name):
                return self._column(name)
            case ast.Constant(str() | int() | float() as value):
                return value
            case ast.UnaryOp(ast.USub(), ast.Constant(int() | float() as value)):
                return -value
        raise self._refused(node)

    def _column(self, name: str) -> Column:
        name = self.in_backticks.get(name, name)
        columns = ("id", *self.table.names())
        known = [column for column in columns if self.table.is_text(column) or self.table.is_number(column)]
        if name not in known:
            raise InvalidOption(
                f"{self.where}: {self.table.where} has no column {name} with one value per row. It has: "
                f"{', '.join(known)}."
            )
        return np.char.strip(self.table.texts(name)) if self.table.is_text(name) else self.table.numbers(name)

    def _refused(self, node: ast.expr) -> InvalidOption:
        return InvalidOption(
            f"{self.where}: {self._told(node)} is not allowed in a condition. Use comparisons, and, or, not, in, "
            f"names of columns and constants, such as {EXAMPLE}."
        )

    def _told(self, node: ast.expr) -> str:
        """Format a part of the condition as the user wrote it."""
        told = ast.unparse(node)
        for stand_in, name in self.in_backticks.items():
            told = re.sub(rf"\b{stand_in}\b", lambda _, name=name: f"`{name}`", told)  # type: ignore[misc]
        return told

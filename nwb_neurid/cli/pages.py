"""Pages of --help without the names of Python types, which typer prints for parameters without a metavar."""

from collections.abc import Sequence
from typing import Any

from typer.core import TyperArgument, TyperCommand, TyperGroup


class Command(TyperCommand):
    """A command of the program."""

    def get_params(self, ctx: Any) -> Any:
        """Parameters of the command; arguments and flags are shown without a type."""
        return _drop_types(super().get_params(ctx))


class Group(TyperGroup):
    """Several commands."""

    def get_params(self, ctx: Any) -> Any:
        """Parameters of the group; flags are shown without a type."""
        return _drop_types(super().get_params(ctx))


def _drop_types(parameters: Sequence[Any]) -> Sequence[Any]:
    for each in parameters:
        if isinstance(each, TyperArgument) or (getattr(each, "is_flag", False) and each.metavar is None):
            each.display_type_rich = lambda ctx: ""  # noqa: ARG005 - as typer calls it
    return parameters

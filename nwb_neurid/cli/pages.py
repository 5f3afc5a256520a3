"""Pages of --help without names of Python types. Typer prints such names for parameters without a metavar."""

import re
from collections.abc import Sequence
from typing import Any

from typer.core import TyperArgument, TyperCommand, TyperGroup, TyperOption

from nwb_neurid.errors import UnknownPlugin

DEFAULT_ENCODER = re.compile(r"\{default encoder for (\w+)\}")
"""A placeholder in the help of an option, which is replaced by the name of the default encoder."""


class Command(TyperCommand):
    """A command of the program."""

    def get_params(self, ctx: Any) -> Any:
        """Parameters of the command; arguments and flags are shown without a type."""
        return _drop_types(super().get_params(ctx))

    def format_help(self, ctx: Any, formatter: Any) -> None:
        """Print the help."""
        self._fill_defaults()
        super().format_help(ctx, formatter)

    def shell_complete(self, ctx: Any, incomplete: str) -> Any:
        """Options that complete a word, with their help."""
        self._fill_defaults()
        return super().shell_complete(ctx, incomplete)

    def _fill_defaults(self) -> None:
        """Look up the default encoders only where help is shown, because this loads the installed encoders."""
        for each in self.params:
            if isinstance(each, TyperOption) and each.help:
                each.help = DEFAULT_ENCODER.sub(_find_default, each.help)


class Group(TyperGroup):
    """Several commands."""

    def get_params(self, ctx: Any) -> Any:
        """Parameters of the group; flags are shown without a type."""
        return _drop_types(super().get_params(ctx))


def _find_default(use: re.Match[str]) -> str:
    from nwb_neurid.registry import default_encoder

    try:
        return default_encoder(use[1])
    except UnknownPlugin:
        return "none"


def _drop_types(parameters: Sequence[Any]) -> Sequence[Any]:
    for each in parameters:
        if isinstance(each, TyperArgument) or (getattr(each, "is_flag", False) and each.metavar is None):
            each.display_type_rich = lambda ctx: ""  # noqa: ARG005 - as typer calls it
    return parameters

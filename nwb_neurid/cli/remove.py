"""`nwb-neurid remove`."""

from pathlib import Path
from typing import Annotated

import typer

from nwb_neurid._system import limits
from nwb_neurid.cli.terminal import Quiet, Verbose, terminal


def remove(
    file: Annotated[Path, typer.Argument(metavar="FILE.nwb", help="A file with results.", show_default=False)],
    name: Annotated[str, typer.Option(help="What the results are called, see `show`.", show_default=False)],
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="A file for a copy without them; FILE stays as it is.")
    ] = None,
    overwrite: Annotated[bool, typer.Option(help="Replace existing output.")] = False,
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> None:
    """Take results out of a file: tables, columns of units, and the room that they took."""
    with terminal(quiet=quiet, verbose=verbose) as out:
        from nwb_neurid.writers.nwb import store

        before_bytes = store.Fingerprint.of(file).size
        with limits.reading(file):
            path = store.remove(file, name, output=output, overwrite=overwrite)
        given_back_bytes = before_bytes - store.Fingerprint.of(path).size
        out.say(f"{path}: {name} was removed; {given_back_bytes / 1e6:,.1f} MB less")

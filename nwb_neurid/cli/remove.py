"""`nwb-neurid remove`."""

from pathlib import Path
from typing import Annotated

from nwb_neurid._system import limits
from nwb_neurid.cli.options import Overwrite, argument, option, output_option, with_terminal
from nwb_neurid.cli.terminal import Terminal


@with_terminal
def remove(
    file: Annotated[Path, argument("FILE.nwb", "A file with results.")],
    *,
    name: Annotated[str, option("--name", "NAME", "Name of the results (nwb-neurid show lists them).")],
    output: Annotated[
        Path | None,
        output_option("PATH", "Write a copy without the results to this file; FILE stays as it is."),
    ] = None,
    overwrite: Overwrite = False,
    out: Terminal,
) -> None:
    """Remove results from a file: their tables, and their columns in the table of units.

    $ nwb-neurid remove recording.nwb --name neurid_company

    The file is replaced by a verified copy without the results. If anything fails, the file stays unchanged.
    """
    from nwb_neurid.writers.nwb import store

    before_bytes = store.Fingerprint.of(file).size
    with limits.reading(file):
        path = store.remove(file, name, output=output, overwrite=overwrite)
    freed_bytes = before_bytes - store.Fingerprint.of(path).size
    out.say(f"{path}: {name} was removed; the file is {freed_bytes / 1e6:,.1f} MB smaller")

"""The options for writing results, as one value that is passed from the command line to the writer."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from nwb_neurid.population import Population

if TYPE_CHECKING:
    from nwb_neurid.writers.nwb.entry import Results

NWB = "nwb"


@dataclass(frozen=True, slots=True, kw_only=True)
class WriteOptions:
    """How and where results are written.

    Parameters
    ----------
    format
        Format of the results: "nwb", or another key of `nwb_neurid.writers.outputs.FORMATS`.
    name
        Name of the results; "" for "neurid_" followed by the name of the encoder.
    output
        File for the results: a copy of the recording, or a separate file. None for the recording itself, or a file
        beside it.
    overwrite
        Replace results of the same name, or an existing file.
    sidecar
        Write a separate, small NWB file beside the recording. For NWB only.
    units_columns
        Also write predictions as columns of the table of units. For NWB only.

    Examples
    --------
    >>> WriteOptions(name="first", sidecar=True).output is None
    True
    """

    format: str = NWB
    name: str = ""
    output: Path | None = None
    overwrite: bool = False
    sidecar: bool = False
    units_columns: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Output:
    """An output for results. When it is made, everything that is possible before reading the source is checked.

    Parameters
    ----------
    write
        Function that writes results, completely or not at all, and returns their path. The first results have the name
        of the options.
    check
        Function that checks everything that is possible before the computation. It raises the same errors as `write`.
    """

    write: "Callable[[Population, Sequence[Results]], Path]"
    check: Callable[[Population], None] = lambda _: None

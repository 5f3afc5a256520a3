"""Opening a saved analyzer with the results of this package at hand."""

from pathlib import Path
from typing import Any

from spikeinterface.core import SortingAnalyzer, load_sorting_analyzer

from nwb_neurid.errors import SourceNotFound


def load_analyzer(folder: str | Path, **options: Any) -> SortingAnalyzer:
    """A saved analyzer, with the extensions of nwb_neurid that it holds.

    `spikeinterface.load_sorting_analyzer` does the same once `nwb_neurid.analyzer` was imported. Without that import it
    says that the extensions are unknown, and leaves them out of whatever is made of the analyzer. They stay in the
    folder.

    Parameters
    ----------
    folder
        Where it was saved, as "binary_folder" or "zarr". SpikeInterface opens it, which may run code that the folder
        names: open folders of people that you trust.
    **options
        As for `spikeinterface.load_sorting_analyzer`; `read_only=True` computes without a change to the folder.

    Raises
    ------
    SourceNotFound
        If there is nothing.
    """
    if "://" not in str(folder) and not Path(folder).exists():
        raise SourceNotFound(f"{folder} does not exist.")
    return load_sorting_analyzer(folder, **options)

"""Reads sortings and analyzers of SpikeInterface (in Python or saved), and folders of phy and Kilosort.

Folders are read by this package itself, from their arrays, texts and JSON. The loaders of SpikeInterface import
modules to which a folder refers, load pickles, and run `params.py`. With these loaders, opening a folder from a
stranger could run any code.
"""

from collections.abc import Callable
from pathlib import Path

from nwb_neurid.contracts import CONTRACT, ReaderPlugin, ReaderSpec, ReadOptions
from nwb_neurid.population import Population
from nwb_neurid.readers.instances import is_of

CLASSES = frozenset({"BaseSorting", "SortingAnalyzer"})


def is_sorting(folder: Path) -> bool:
    """Return whether `BaseSorting.save` made this folder (format "numpy_folder")."""
    return (folder / "numpysorting_info.json").is_file()


def is_analyzer(folder: Path) -> bool:
    """Return whether this is an analyzer of the format "binary_folder"."""
    return (folder / "spikeinterface_info.json").is_file() and is_sorting(folder / "sorting")


def is_zarr(folder: Path) -> bool:
    """Return whether this is a sorting or an analyzer in Zarr."""
    return any((folder / group / "spikes" / "segment_slices").is_dir() for group in (".", "sorting"))


def is_phy(folder: Path) -> bool:
    """Return whether this is a folder that phy can open, or that Kilosort wrote."""
    return (folder / "spike_times.npy").is_file() and any(
        (folder / name).is_file() for name in ("spike_clusters.npy", "spike_templates.npy")
    )


FOLDERS: tuple[Callable[[Path], bool], ...] = (is_analyzer, is_sorting, is_zarr, is_phy)


def recognises(source: object) -> bool:
    """Return whether this is a sorting, an analyzer, or a folder of SpikeInterface, phy or Kilosort."""
    if not isinstance(source, str | Path):
        return is_of(source, "spikeinterface", CLASSES)  # the caller has already imported it
    try:
        return any(marked(Path(source)) for marked in FOLDERS)
    except OSError:  # access is denied
        return False


def read(source: object, options: ReadOptions) -> Population:
    """Read the units as a `Population`; see `objects`, `folders`, `zarr_folders` and `phy` in this package."""
    from nwb_neurid.readers.spikeinterface import folders, objects, phy, zarr_folders

    if not isinstance(source, str | Path):
        return objects.read_object(source, options)
    folder = Path(source)
    if is_analyzer(folder):
        return folders.read_analyzer(folder, options)
    if is_sorting(folder):
        return folders.read_sorting(folder, options)
    if is_zarr(folder):
        return zarr_folders.read_zarr(folder, options)
    return phy.read_phy(folder, options)


PLUGIN = ReaderPlugin(
    spec=ReaderSpec(
        name="spikeinterface",
        version="1",
        summary="Sorting and analyzer of SpikeInterface, and folders of phy and Kilosort",
        contract=CONTRACT,
        options=frozenset({"rate_hz", "where"}),
    ),
    recognises=recognises,
    read=read,
)

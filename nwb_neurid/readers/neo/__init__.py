"""Reads spike trains of Neo: its objects in Python, and files of the formats in `FORMATS`."""

from collections.abc import Mapping
from pathlib import Path

from nwb_neurid.contracts import CONTRACT, ReaderPlugin, ReaderSpec, ReadOptions, is_url
from nwb_neurid.population import Population
from nwb_neurid.readers.instances import is_of

CLASSES = frozenset({"Block", "Segment"})
TRAINS = frozenset({"SpikeTrain", "SpikeTrainProxy"})

FORMATS: Mapping[str, str] = {
    ".f32": "BrainwareF32IO",
    ".nev": "BlackrockIO",
    ".nex": "NeuroExplorerIO",
    ".nix": "NixIO",
    ".plx": "PlexonIO",
    ".set": "AxonaIO",
    ".smr": "Spike2IO",
    ".smrx": "CedIO",
    ".src": "BrainwareSrcIO",
}
"""The class of `neo.io` (0.14) for each file extension of the formats that can contain spike trains.

Some formats are left out. The class may unpickle the file (.pkl), download a library of the vendor (.pl2) or search for
one (.mcd), or need a library that does not support current NumPy (.kwik). It may crash Python on a damaged file (.mat),
or need to know the meaning of the columns (.gdf, .txt). The extension may be used for any content (.h5, .dat), or the
format has its own reader (.nwb). Such files can be opened with Neo in Python, and the resulting objects can be passed
to the reader.
"""

FOLDER_FORMATS: Mapping[str, str] = {
    "*.ntt": "NeuralynxIO",
    "*.nse": "NeuralynxIO",
    "*.spikes": "OpenEphysIO",
    "*.tsq": "TdtIO",
}
"""The class of `neo.io` for folders, by patterns of the files in them."""


def is_list_of_trains(source: object) -> bool:
    """Return whether this is a list of spike trains."""
    if isinstance(source, list | tuple):
        return len(source) > 0 and all(is_of(train, "neo", TRAINS) for train in source)
    return is_of(source, "neo", ("SpikeTrainList",))


def format_of(path: Path) -> str | None:
    """Find the class of `neo.io` for a file or a folder, from its name."""
    if path.is_dir():
        return next((name for pattern, name in FOLDER_FORMATS.items() if any(path.glob(pattern))), None)
    return FORMATS.get(path.suffix.lower())


def recognises(source: object) -> bool:
    """Return whether this is a block, a segment, spike trains, or the path of a file with spike trains."""
    if not isinstance(source, str | Path):
        return is_of(source, "neo", CLASSES | TRAINS) or is_list_of_trains(source)
    if is_url(source):
        return False
    try:
        return format_of(Path(source)) is not None
    except (OSError, ValueError):  # not a valid path on this system, or access is denied
        return False


def read(source: object, options: ReadOptions) -> Population:
    """Read spike trains as the units of a `Population`; see `nwb_neurid.readers.neo.trains`."""
    from nwb_neurid.readers.neo import files, trains

    if isinstance(source, str | Path):
        return trains.read_trains(files.read_file(Path(source)), str(source), options)
    return trains.read_object(source, options)


PLUGIN = ReaderPlugin(
    spec=ReaderSpec(
        name="neo",
        version="1",
        summary="Spike trains of Neo, and of files of Plexon, Blackrock, NeuroExplorer, Spike2, TDT and more",
        contract=CONTRACT,
        options=frozenset({"where"}),
    ),
    recognises=recognises,
    read=read,
)

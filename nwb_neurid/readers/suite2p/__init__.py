"""Reads folders of suite2p (Python version, before and since 1.0): ROIs and their traces."""

from pathlib import Path

from nwb_neurid.contracts import CONTRACT, ReaderPlugin, ReaderSpec, ReadOptions
from nwb_neurid.population import Population
from nwb_neurid.readers.suite2p.folder import trace_folders


def recognises(source: object) -> bool:
    """Return whether this is a suite2p folder: its root, the parent of the root, one plane, or the combined planes."""
    if not isinstance(source, str | Path):
        return False
    try:
        return bool(trace_folders(Path(source)))
    except (OSError, ValueError):  # not a valid path on this system, or access is denied
        return False


def read(source: object, options: ReadOptions) -> Population:
    """Read the ROIs of a suite2p folder as a `Population`; see `nwb_neurid.readers.suite2p.rois`."""
    from nwb_neurid.readers.suite2p.rois import read_rois

    return read_rois(Path(str(source)), options)


PLUGIN = ReaderPlugin(
    spec=ReaderSpec(
        name="suite2p",
        version="1",
        summary="ROIs and traces of suite2p folders",
        contract=CONTRACT,
        options=frozenset({"all_rois", "activity", "rate_hz", "where"}),
    ),
    recognises=recognises,
    read=read,
)

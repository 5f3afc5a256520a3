"""Reads units tables and traces of ROIs from NWB files (NWB schema 2.0 to 2.11, HDF5) through h5py."""

from pathlib import Path

from nwb_neurid.contracts import CONTRACT, ReaderPlugin, ReaderSpec, ReadOptions, is_url
from nwb_neurid.population import Population

SCHEMES = ("http", "https", "s3", "dandi")
HDF5_SIGNATURE = b"\x89HDF\r\n\x1a\n"


def recognises(source: object) -> bool:
    """Whether this is a file called `.nwb`, or one that begins as HDF5 does, or a URL, which is not asked."""
    if not isinstance(source, str | Path):
        return False
    if is_url(source):
        return str(source).partition(":")[0].lower() in SCHEMES
    path = Path(source)
    if path.suffix.lower() == ".nwb":
        return True
    try:
        with path.open("rb") as file:
            return file.read(len(HDF5_SIGNATURE)) == HDF5_SIGNATURE
    except (OSError, ValueError):  # no path of this system
        return False


def read(source: object, options: ReadOptions) -> Population:
    """The units or ROIs of an NWB file as a `Population`; see `nwb_neurid.readers.nwb.sources`."""
    from nwb_neurid.readers.nwb.sources import read_file

    return read_file(str(source), options)


PLUGIN = ReaderPlugin(
    spec=ReaderSpec(
        name="nwb",
        version="1",
        summary="Units tables and traces of ROIs of NWB files (HDF5)",
        contract=CONTRACT,
        options=frozenset({"keep_opto", "part", "where", "intervals", "all_rois", "activity", "covariates"}),
    ),
    recognises=recognises,
    read=read,
)

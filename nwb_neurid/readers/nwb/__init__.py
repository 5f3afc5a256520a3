"""Reads units tables of NWB files (NWB schema 2.0 to 2.11, HDF5) through h5py."""

from pathlib import Path

from nwb_neurid.contracts import CONTRACT, ReaderPlugin, ReaderSpec, ReadOptions
from nwb_neurid.population import Population

HDF5_SIGNATURE = b"\x89HDF\r\n\x1a\n"


def recognises(source: object) -> bool:
    """Whether this is a file called `.nwb`, or one that begins as HDF5 does."""
    if not isinstance(source, str | Path):
        return False
    path = Path(source)
    if path.suffix.lower() == ".nwb":
        return True
    try:
        with path.open("rb") as file:
            return file.read(len(HDF5_SIGNATURE)) == HDF5_SIGNATURE
    except (OSError, ValueError):  # no path of this system
        return False


def read(source: object, options: ReadOptions) -> Population:
    """The units of an NWB file as a `Population`; see `nwb_neurid.readers.nwb.units`."""
    from nwb_neurid.readers.nwb.units import read_units

    return read_units(Path(str(source)), options)


PLUGIN = ReaderPlugin(
    spec=ReaderSpec(
        name="nwb",
        version="1",
        summary="Units tables of NWB files (HDF5)",
        contract=CONTRACT,
        options=frozenset({"keep_opto"}),
    ),
    recognises=recognises,
    read=read,
)

"""Reads units tables and traces of ROIs from NWB files (NWB schema 2.0 to 2.11) in HDF5, through h5py, or in Zarr 2."""

from pathlib import Path

from nwb_neurid._system.files import open_regular
from nwb_neurid.contracts import CONTRACT, ReaderPlugin, ReaderSpec, ReadOptions, is_url
from nwb_neurid.population import Population
from nwb_neurid.readers.instances import is_of

SCHEMES = ("http", "https", "s3", "dandi")
HDF5_SIGNATURE = b"\x89HDF\r\n\x1a\n"
ZARR = ".nwb.zarr"
MOST_ATTRIBUTES = 2**16  # bytes


def recognises(source: object) -> bool:
    """Return whether a source is a `.nwb` file, an HDF5 file, a Zarr folder of NWB, or an `NWBFile` of PyNWB.

    URLs are recognised by their text alone, without a request.
    """
    if not isinstance(source, str | Path):
        return is_of(source, "pynwb", ("NWBFile",))  # the caller has already imported it
    if is_url(source):
        return str(source).partition(":")[0].lower() in SCHEMES
    path = Path(source)
    if path.suffix.lower() == ".nwb":
        return True
    try:
        if path.is_dir():
            return _is_nwb_in_zarr(path)
        with open_regular(path) as file:
            return file.read(len(HDF5_SIGNATURE)) == HDF5_SIGNATURE
    except (OSError, ValueError):  # not a valid path on this system
        return False


def _is_nwb_in_zarr(folder: Path) -> bool:
    """Return whether a Zarr folder is NWB, by its name or its attributes.

    Unsupported versions of the format also count.
    """
    if folder.name.lower().endswith(ZARR):
        return True
    told = [folder / name for name in (".zattrs", "zarr.json")]
    return any(path.is_file() and b'"nwb_version"' in path.read_bytes()[:MOST_ATTRIBUTES] for path in told)


def read(source: object, options: ReadOptions) -> Population:
    """Read the units or ROIs of an NWB file as a `Population`; see `nwb_neurid.readers.nwb.sources`."""
    from nwb_neurid.readers.nwb.sources import read_file

    return read_file(str(source) if isinstance(source, str | Path) else source, options)


PLUGIN = ReaderPlugin(
    spec=ReaderSpec(
        name="nwb",
        version="1",
        summary="Units tables and traces of ROIs of NWB files (HDF5 or Zarr)",
        contract=CONTRACT,
        options=frozenset({"keep_opto", "part", "where", "intervals", "all_rois", "activity", "covariates", "rate_hz"}),
    ),
    recognises=recognises,
    read=read,
)

"""A simulated population as the NWB file that a recording of it would have been."""

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from nwb_neurid.errors import CannotWrite
from nwb_neurid.simulate.simulation import CLOCK_HZ, DEPTH_UM, Simulation

if TYPE_CHECKING:
    from pynwb import NWBFile
    from pynwb.ecephys import ElectrodesTable
    from pynwb.misc import Units

PITCH_UM = 20.0
"""Distance between neighbouring sites of the simulated probe."""

_START = datetime(2003, 11, 1, tzinfo=UTC)  # the month of the model's paper: reruns agree
_SYNTHETIC = "http://purl.obolibrary.org/obo/NCBITaxon_32630"  # "synthetic construct"
_NOWHERE = "unknown"  # what NWB says for no brain area; another word would be read as the name of one
_CELL_TYPE = (
    "Type of the simulated neuron, by the parameters of Izhikevich (2003) that it was made with: RS regular "
    "spiking, IB intrinsically bursting, CH chattering, FS fast spiking, LTS low-threshold spiking."
)


def write_nwb(simulation: Simulation, path: Path, *, seed: int, overwrite: bool = False) -> Path:
    """Write a simulation as an NWB file, all of it or nothing.

    Parameters
    ----------
    simulation
        What to write.
    path
        Where to. Its folder must exist.
    seed
        The seed that it was simulated with, for the file's description.
    overwrite
        Replace a file that is there already.

    Returns
    -------
    Path
        `path`.

    Raises
    ------
    CannotWrite
        If there is a file and `overwrite` was not asked for, the folder does not exist, or writing fails.
    """
    import h5py
    from pynwb import NWBHDF5IO

    if not path.parent.is_dir():
        raise CannotWrite(f"Cannot write {path}: the folder {path.parent} does not exist. Make it first.")
    if path.is_dir():
        raise CannotWrite(f"Cannot write {path}: it is a folder. Name a file.")
    if path.exists() and not overwrite:
        raise CannotWrite(f"Cannot write {path}: it exists already. Pass --overwrite to replace it.")
    partial = path.with_name(path.name + ".partial")
    try:
        with h5py.File(str(partial), "w") as file, NWBHDF5IO(file=file, mode="w") as io:
            io.write(_to_nwb(simulation, seed))
        partial.replace(path)
    except OSError as error:
        raise CannotWrite(f"Cannot write {path}: {error}") from error
    finally:
        partial.unlink(missing_ok=True)
    return path


def _to_nwb(simulation: Simulation, seed: int) -> "NWBFile":
    """The whole file in memory."""
    from pynwb import NWBFile
    from pynwb.file import Subject

    size = f"{len(simulation.cell_type)} units, {simulation.duration_s:g} s"
    nwbfile = NWBFile(
        session_description=f"A computer simulation, not a recording: {size}, seed {seed}.",
        identifier=f"simulated: {size}, seed {seed}",
        session_start_time=_START,
        session_id=f"simulated-{len(simulation.cell_type)}-units-{simulation.duration_s:g}-s-seed-{seed}",
        experiment_description="Spike trains of a network of Izhikevich neurons whose types are known.",
        institution="None (simulation)",
        keywords=["simulation", "Izhikevich neuron", "cell type"],
        related_publications=["https://doi.org/10.1109/TNN.2003.820440"],
        subject=Subject(
            subject_id=f"simulated-{seed}",
            description="No animal: a simulated network of neurons.",
            species=_SYNTHETIC,
            age="P0D",
            sex="U",
        ),
    )
    _add_probe(nwbfile)
    nwbfile.units = _to_units(simulation, nwbfile.electrodes)
    return nwbfile


def _add_probe(nwbfile: "NWBFile") -> None:
    """One straight probe, with a site every `PITCH_UM` beside the neurons."""
    device = nwbfile.create_device("probe", description="A simulated probe with one straight row of sites.")
    group = nwbfile.create_electrode_group(
        "probe", description="All sites of the simulated probe.", location=_NOWHERE, device=device
    )
    for y in np.arange(0.0, DEPTH_UM + PITCH_UM, PITCH_UM):
        nwbfile.add_electrode(x=0.0, y=y, z=0.0, rel_x=0.0, rel_y=y, location=_NOWHERE, group=group)


def _to_units(simulation: Simulation, electrodes: "ElectrodesTable") -> "Units":
    """The units table, made of whole columns; each unit has the site nearest to it."""
    from hdmf.backends.hdf5 import H5DataIO
    from hdmf.common import DynamicTableRegion, VectorData, VectorIndex
    from pynwb.misc import Units

    every = np.arange(len(simulation.cell_type))
    spike_times = VectorData(
        name="spike_times",
        description="Spike times in seconds.",
        data=H5DataIO(simulation.times_s, compression="gzip", shuffle=True),
    )
    obs_intervals = VectorData(
        name="obs_intervals",
        description="When each unit was simulated: from the beginning to the end.",
        data=np.tile([0.0, simulation.duration_s], (len(every), 1)),
    )
    sites = DynamicTableRegion(
        name="electrodes",
        description="The site nearest to the neuron.",
        data=np.rint(simulation.positions_um[:, 1] / PITCH_UM).astype(np.int64),
        table=electrodes,
    )
    cell_type = VectorData(name="cell_type", description=_CELL_TYPE, data=simulation.cell_type.tolist())
    return Units(
        name="units",
        description="Simulated neurons.",
        resolution=1 / CLOCK_HZ,
        columns=[
            spike_times,
            VectorIndex(name="spike_times_index", data=simulation.splits[1:], target=spike_times),
            obs_intervals,
            VectorIndex(name="obs_intervals_index", data=every + 1, target=obs_intervals),
            sites,
            VectorIndex(name="electrodes_index", data=every + 1, target=sites),
            cell_type,
        ],
    )

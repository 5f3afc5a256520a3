"""A simulated population as sorted units of a probe."""

from typing import TYPE_CHECKING

import numpy as np

from nwb_neurid.simulate.simulation import CLOCK_HZ, REGION_UM, Simulation

if TYPE_CHECKING:
    from pynwb import NWBFile
    from pynwb.ecephys import ElectrodesTable
    from pynwb.misc import Units

PITCH_UM = 20.0
"""Distance between neighbouring sites of the simulated probe."""


def add_units(nwbfile: "NWBFile", simulation: Simulation, *, location: str, cell_type: str) -> None:
    """Add the units and the probe.

    Parameters
    ----------
    nwbfile
        The file in memory, which is changed.
    simulation
        The simulation.
    location
        Location of the whole probe.
    cell_type
        Description of the column of types.
    """
    _add_probe(nwbfile, simulation, location)
    nwbfile.units = _to_units(simulation, nwbfile.electrodes, cell_type)


def _add_probe(nwbfile: "NWBFile", simulation: Simulation, location: str) -> None:
    """Add one straight probe beside the neurons, with a site every `PITCH_UM`."""
    device = nwbfile.create_device("probe", description="A simulated probe with one straight row of sites.")
    group = nwbfile.create_electrode_group(
        "probe", description="All sites of the simulated probe.", location=location, device=device
    )
    for index, region in enumerate(simulation.regions or (location,)):
        for y in REGION_UM * index + np.arange(0.0, REGION_UM, PITCH_UM):
            nwbfile.add_electrode(x=0.0, y=y, z=0.0, rel_x=0.0, rel_y=y, location=region, group=group)


def _to_units(simulation: Simulation, electrodes: "ElectrodesTable", cell_type: str) -> "Units":
    """Make the units table from whole columns. The electrode of each unit is the nearest site."""
    from hdmf.backends.hdf5 import H5DataIO
    from hdmf.common import DynamicTableRegion, VectorData, VectorIndex
    from pynwb.misc import Units

    every = np.arange(len(simulation))
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
    types = VectorData(name="cell_type", description=cell_type, data=simulation.cell_type.tolist())
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
            types,
        ],
    )

"""A simulated population as an NWB file, like that of a real recording."""

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float64

from nwb_neurid._system.atomic import check_target, replace_file
from nwb_neurid.simulate.ecephys import add_units
from nwb_neurid.simulate.ophys import add_rois
from nwb_neurid.simulate.regions import SLOW_HZ
from nwb_neurid.simulate.simulation import Simulation

if TYPE_CHECKING:
    from pynwb import NWBFile
    from pynwb.file import Subject

_START = datetime(2003, 11, 1, tzinfo=UTC)  # the month of the model's paper: reruns agree
_SYNTHETIC = "http://purl.obolibrary.org/obo/NCBITaxon_32630"  # "synthetic construct"
_NOWHERE = "unknown"  # as NWB asks for; another word would be read as a brain area
_CELL_TYPE = (
    "Type of the simulated neuron, by the parameters of Izhikevich (2003) that it was made with: RS regular "
    "spiking, IB intrinsically bursting, CH chattering, FS fast spiking, LTS low-threshold spiking."
)


def write_nwb(
    simulation: Simulation, path: Path | str, *, imaging_hz: float | None = None, overwrite: bool = False
) -> Path:
    """Write a simulation into an NWB file. If writing fails, `path` is unchanged.

    Parameters
    ----------
    simulation
        The simulation.
    path
        The file. Its folder must exist.
    imaging_hz
        Frame rate in Hz. If given, the fluorescence of the neurons is written instead of their spikes.
    overwrite
        Replace an existing file.

    Returns
    -------
    Path
        `path`.

    Raises
    ------
    InvalidOption
        If the frame rate is not positive and finite, or if the simulation is shorter than one frame.
    CannotWrite
        If the file exists and `overwrite` is False, if the folder does not exist, or if writing fails.

    Examples
    --------
    >>> from tempfile import mkdtemp
    >>> import nwb_neurid
    >>> from nwb_neurid.simulate import simulate
    >>> path = write_nwb(simulate(units=7, duration_s=5.0), Path(mkdtemp()) / "simulated.nwb")
    >>> sorted(set(nwb_neurid.read(path).labels["cell_type"].tolist()))
    ['CH', 'FS', 'IB', 'LTS', 'RS']
    """
    path = Path(path)
    check_path(path, overwrite=overwrite)
    image = _to_bytes(_to_nwb(simulation, imaging_hz))
    with replace_file(path, overwrite=overwrite) as made:
        made.path.write_bytes(image)
    return path


def _to_bytes(nwbfile: "NWBFile") -> bytes:
    """Make the file in memory, as HDF5 can crash on a full disk."""
    import h5py
    from pynwb import NWBHDF5IO

    with (
        h5py.File("simulated.nwb", "w", driver="core", backing_store=False) as file,
        NWBHDF5IO(file=file, mode="w") as io,
    ):
        io.write(nwbfile)
        file.flush()
        image: bytes = file.id.get_file_image()
        return image


def check_path(path: Path, *, overwrite: bool) -> None:
    """Check that a simulation can be written to a path, before anything is simulated.

    Raises
    ------
    CannotWrite
        If the file exists and `overwrite` is False, the path is a folder, or its folder does not exist or is read-only.
    """
    check_target(path, overwrite=overwrite, instead="name another file")


def _to_nwb(simulation: Simulation, imaging_hz: float | None) -> "NWBFile":
    """Make the whole file in memory."""
    from pynwb import NWBFile

    what = _describe(simulation, imaging_hz)
    nwbfile = NWBFile(
        session_description=f"A computer simulation, not a recording: {what}.",
        identifier=f"simulated: {what}",
        session_start_time=_START,
        session_id=simulation.session_id,
        experiment_description="Spike trains of a network of Izhikevich neurons whose types are known.",
        institution="None (simulation)",
        keywords=["simulation", "Izhikevich neuron", "cell type"],
        related_publications=["https://doi.org/10.1109/TNN.2003.820440"],
        subject=_to_subject(simulation),
    )
    location = ", ".join(simulation.regions) or _NOWHERE
    if imaging_hz is None:
        add_units(nwbfile, simulation, location=location, cell_type=_CELL_TYPE)
    else:
        add_rois(nwbfile, simulation, imaging_hz, location=location, cell_type=_CELL_TYPE)
    if simulation.running_speed_cm_s is not None:
        _add_running(nwbfile, simulation.running_speed_cm_s)
    return nwbfile


def _describe(simulation: Simulation, imaging_hz: float | None) -> str:
    """Describe the size and the parameters of a simulation."""
    what = [f"{len(simulation)} units", f"{simulation.duration_s:g} s", f"seed {simulation.seed}"]
    if simulation.regions:
        what.append(f"{len(simulation.regions)} regions")
    if simulation.out_of_domain:
        what.append(f"animal {simulation.animal} of those outside the domain")
    elif simulation.animal:
        what.append(f"animal {simulation.animal}")
    if imaging_hz is not None:
        what.append(f"imaged at {imaging_hz:g} Hz")
    return ", ".join(what)


def _to_subject(simulation: Simulation) -> "Subject":
    from pynwb.file import Subject

    outside = " Its drive, noise and synapses lie outside the range of the other animals."
    return Subject(
        subject_id=simulation.subject_id,
        description="No animal: a simulated network of neurons." + outside * simulation.out_of_domain,
        species=_SYNTHETIC,
        age="P0D",
        sex="U",
    )


def _add_running(nwbfile: "NWBFile", speed_cm_s: Float64[np.ndarray, " samples"]) -> None:
    from pynwb import TimeSeries

    module = nwbfile.create_processing_module("behavior", "What the simulated animal did.")
    module.add(
        TimeSeries(
            name="running_speed",
            description="Speed of running, which moves the neurons of each region in its own way.",
            data=speed_cm_s,
            unit="cm/s",
            rate=float(SLOW_HZ),
            starting_time=0.0,
        )
    )

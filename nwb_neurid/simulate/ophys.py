"""A simulated population as the fluorescence of the ROIs of an imaging plane."""

from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float32, Int64

from nwb_neurid.simulate.simulation import Simulation

if TYPE_CHECKING:
    from pynwb import NWBFile
    from pynwb.ophys import ImageSegmentation, ImagingPlane, PlaneSegmentation

PLANE = "plane"
"""Name of the imaging plane."""

PIXEL_UM = 1.0
ORIGIN_UM = (-40.0, -10.0)
"""Position of the first pixel, across the neurons and along them."""

RADIUS_UM = 5.0
"""Radius of the mask of a neuron, a disc."""


def add_rois(nwbfile: "NWBFile", simulation: Simulation, rate_hz: float, *, location: str, cell_type: str) -> None:
    """Add the dF/F of the neurons and the imaging plane.

    Parameters
    ----------
    nwbfile
        The file in memory, which is changed.
    simulation
        The simulation.
    rate_hz
        Frame rate in Hz.
    location
        Location of the whole plane.
    cell_type
        Description of the column of types.

    Raises
    ------
    InvalidOption
        If the rate is not positive and finite, or the simulation is shorter than a frame.
    """
    from hdmf.backends.hdf5 import H5DataIO
    from pynwb.ophys import DfOverF, ImageSegmentation

    traces = simulation.traces(rate_hz)
    module = nwbfile.create_processing_module("ophys", "Fluorescence of the simulated neurons.")
    plane = _create_plane(nwbfile, rate_hz, location)
    segmentation = ImageSegmentation()
    module.add(segmentation)
    rois = _create_rois(segmentation, plane, simulation, cell_type)
    dff = DfOverF()
    module.add(dff)
    dff.create_roi_response_series(
        name="RoiResponseSeries",
        description="dF/F of each neuron: a GCaMP-like response to its spikes, saturation and noise.",
        data=H5DataIO(traces.values.T, compression="gzip", shuffle=True),
        rois=rois.create_roi_table_region("All neurons.", region=list(range(len(simulation)))),
        unit="n.a.",
        rate=float(rate_hz),
        starting_time=0.0,
    )


def _create_plane(nwbfile: "NWBFile", rate_hz: float, location: str) -> "ImagingPlane":
    from pynwb.ophys import OpticalChannel

    channel = OpticalChannel(name="green", description="Light of the simulated indicator.", emission_lambda=510.0)
    return nwbfile.create_imaging_plane(
        name=PLANE,
        description="The plane in which all simulated neurons were imaged.",
        optical_channel=channel,
        device=nwbfile.create_device("microscope", description="A simulated two-photon microscope."),
        excitation_lambda=920.0,
        imaging_rate=float(rate_hz),
        indicator="simulated, like GCaMP6",
        location=location,
        grid_spacing=[PIXEL_UM, PIXEL_UM],
        grid_spacing_unit="micrometers",
        origin_coords=[*ORIGIN_UM, 0.0],
        origin_coords_unit="micrometers",
    )


def _create_rois(
    segmentation: "ImageSegmentation", plane: "ImagingPlane", simulation: Simulation, cell_type: str
) -> "PlaneSegmentation":
    """Create one row for each neuron, with the names of its type and its region."""
    rois = segmentation.create_plane_segmentation(
        name="PlaneSegmentation", description="Simulated neurons.", imaging_plane=plane
    )
    for place in simulation.positions_um:
        rois.add_roi(pixel_mask=[(x, y, 1.0) for x, y in _find_pixels(place)])
    rois.add_column("cell_type", cell_type, data=simulation.cell_type.tolist())
    if simulation.regions:
        rois.add_column("brain_region", "Simulated region of the neuron.", data=simulation.brain_region.tolist())
    return rois


def _find_pixels(place_um: Float32[np.ndarray, " 3"]) -> Int64[np.ndarray, "pixels 2"]:
    """Find the pixels of the disc around the pixel nearest to a place."""
    centre = np.rint((place_um[:2] - ORIGIN_UM) / PIXEL_UM).astype(np.int64)
    reach = np.arange(-int(RADIUS_UM / PIXEL_UM), int(RADIUS_UM / PIXEL_UM) + 1)
    offsets = np.stack(np.meshgrid(reach, reach), axis=-1).reshape(-1, 2)
    return centre + offsets[np.hypot(*offsets.T) * PIXEL_UM <= RADIUS_UM]

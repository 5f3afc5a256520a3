"""The ROIs of a PlaneSegmentation: which are cells, what is known of them, and where they lie."""

import numpy as np
from jaxtyping import Float32, Float64, Shaped

from nwb_neurid.errors import InvalidSource
from nwb_neurid.readers.labels import find_labels
from nwb_neurid.readers.nwb.contents import Group
from nwb_neurid.readers.nwb.masks import centroids_px
from nwb_neurid.readers.nwb.metadata import text
from nwb_neurid.readers.nwb.selection import left_out_before
from nwb_neurid.readers.nwb.table import Table

CELL_COLUMNS = ("iscell", "is_cell", "valid_roi", "Accepted", "accepted")
"""What suite2p (`iscell`), the Allen Institute (`valid_roi`) and CaImAn's converters call the verdict on a ROI."""

MICROMETRES = {
    **dict.fromkeys(("m", "meter", "meters", "metre", "metres"), 1e6),
    **dict.fromkeys(("mm", "millimeter", "millimeters", "millimetre", "millimetres"), 1e3),
    **dict.fromkeys(("um", "micron", "microns", "micrometer", "micrometers", "micrometre", "micrometres"), 1.0),
    **dict.fromkeys(("nm", "nanometer", "nanometers", "nanometre", "nanometres"), 1e-3),
}
"""Micrometres in what files call their unit of length; the letter for micro is written u here."""

PIXEL_UM = (0.05, 100.0)
"""What a pixel of a plane of neurons can measure; beyond that, the unit is not the one that is stated."""


def no_cells(rois: Table) -> dict[int, str]:
    """Rows that the segmentation says are no cells, and why.

    Raises
    ------
    InvalidSource
        If the column has not one verdict a row, or one and its probability.
    """
    if before := left_out_before(rois):
        return before
    for name in CELL_COLUMNS:
        if name not in rois or rois.is_ragged(name):
            continue
        column = rois.dataset(name)
        if column.shape not in {(len(rois),), (len(rois), 1), (len(rois), 2)}:
            raise InvalidSource(
                f"{column.where} must have one verdict for each of {len(rois)} ROIs, or one and its probability, its "
                f"shape is {column.shape}. Validate the file."
            )
        verdict = column.numbers().reshape(len(rois), -1)[:, 0]
        rows = np.flatnonzero(~(verdict > 0)).tolist()  # also where it is NaN
        return dict.fromkeys(rows, f"{name} says that it is no cell; --all-rois takes it")
    return {}


def roi_labels(rois: Table) -> dict[str, Shaped[np.ndarray, " rois"]]:
    """Columns of text under their own names, what is known of type and region under ours; region is of the plane."""
    labels = find_labels({name: rois.texts(name).tolist() for name in rois.names() if rois.is_text(name)})
    plane = rois.group.group("imaging_plane")
    if plane is not None and "brain_region" not in labels:
        labels |= find_labels({"brain_region": [text(plane, "location")] * len(rois)})
    return labels


def plane_name(rois: Table) -> str:
    """The imaging plane of a table, or its own name where it says none."""
    group = rois.group
    return group.name_of("imaging_plane") if group.group("imaging_plane") is not None else group.path.rpartition("/")[2]


def positions_um(rois: Table) -> Float32[np.ndarray, "rois 3"] | None:
    """Centroid of the mask of each ROI in micrometres; NaN for one without a mask.

    None where there are no masks, or the imaging plane does not say credibly how large a pixel is. A plane that says
    nothing of its origin starts at 0.
    """
    plane = rois.group.group("imaging_plane")
    spacing = None if plane is None else _lengths_um(plane, "grid_spacing")
    if plane is None or spacing is None or not np.all((spacing >= PIXEL_UM[0]) & (spacing <= PIXEL_UM[1])):
        return None
    centroids = centroids_px(rois, len(spacing))
    if centroids is None:
        return None
    origin = _lengths_um(plane, "origin_coords")
    places = np.zeros((len(rois), 3), np.float32)
    places[:, : len(spacing)] = centroids * spacing
    if origin is not None:
        places[:, : len(origin)] += origin.astype(np.float32)
    places[np.isnan(places).any(axis=1)] = np.nan
    return places


def _lengths_um(plane: Group, name: str) -> Float64[np.ndarray, " axes"] | None:
    """Lengths along two axes or three, in micrometres; None where they are not told, or not in a known unit."""
    lengths = plane.dataset(name)
    if lengths is None or not lengths.is_number or lengths.shape not in {(2,), (3,)}:
        return None
    unit = (lengths.text_attribute("unit") or "meters").strip().lower()
    micrometres = MICROMETRES.get(unit.replace("\N{MICRO SIGN}", "u").replace("\N{GREEK SMALL LETTER MU}", "u"))
    values = lengths.numbers().astype(np.float64)
    return None if micrometres is None or not np.isfinite(values).all() else values * micrometres

"""The ROIs of a PlaneSegmentation: which are cells, their labels, and their positions."""

import re
from functools import partial

import numpy as np
from jaxtyping import Bool, Float32, Float64, Int64, Shaped

from nwb_neurid.readers.labels import find_labels
from nwb_neurid.readers.nwb.contents import Group, invalid
from nwb_neurid.readers.nwb.masks import centroids_px
from nwb_neurid.readers.nwb.metadata import text
from nwb_neurid.readers.nwb.selection import leave_out_before
from nwb_neurid.readers.nwb.table import Table
from nwb_neurid.readers.omissions import Omissions
from nwb_neurid.readers.words import split_words, squeeze

CELL_COLUMNS = (
    *("iscell", "cell", "validroi", "valid", "isvalid", "accepted", "isaccepted", "keep", "isneuron", "neuron"),
    *("good", "isgood", "selected"),
)
"""Columns with the verdict on an ROI in files of suite2p (`iscell`), the Allen Institute (`valid_roi`), CaImAn and
converters. All column names are compared in lower case and without punctuation.
"""

STATED = frozenset({"iscell", "validroi", "accepted", "keep", "rejected"})
"""Columns in which any number is a verdict. In other columns, only 0 and 1 are verdicts."""

REJECTING_COLUMNS = ("rejected", "isrejected", "discarded", "excluded")
"""Columns of CaImAn and converters that mark ROIs that are not cells."""

WORDED_COLUMNS = ("verdict", "status", "classification", "class", "celltype", "roitype", "type", "label", "curation")
"""Columns that may state in words that an ROI is not a cell."""

NO_CELL = re.compile(
    r"(no|non|not)( a| an)? ?(cell|neuron|roi)s?|(in|un)valid|false|no|reject(ed)?|discard(ed)?|excluded|bad|background"
    r"|neuropil|blood vessel|vessel|artifact|artefact|noise|junk"
)

PROBABLE = 0.5
"""Minimum probability of a cell, as in suite2p."""

MICROMETRES = {
    **dict.fromkeys(("m", "meter", "meters", "metre", "metres"), 1e6),
    **dict.fromkeys(("mm", "millimeter", "millimeters", "millimetre", "millimetres"), 1e3),
    **dict.fromkeys(("um", "micron", "microns", "micrometer", "micrometers", "micrometre", "micrometres"), 1.0),
    **dict.fromkeys(("nm", "nanometer", "nanometers", "nanometre", "nanometres"), 1e-3),
}
"""The length of each unit of length in micrometres, by its name in files. The micro sign is replaced by u."""

PIXEL_UM = (0.05, 100.0)
"""Plausible size of a pixel. Another size shows that the stated unit is wrong."""


def reject_rois(rois: Table, rows: Int64[np.ndarray, " traces"], omissions: Omissions) -> dict[int, str]:
    """Find the rows that are not cells according to the segmentation, and the reasons.

    The verdicts are taken from the first column that accepts some ROIs with a trace and rejects others. Other columns
    may not be filled, because CaImAn writes columns without values.

    Parameters
    ----------
    rois
        The table.
    rows
        The rows that have a trace.
    omissions
        Collects verdicts that cannot be read.
    """
    if before := omissions.attempt(lambda: leave_out_before(rois), None):
        return before
    columns = {squeeze(name): name for name in reversed(rois.names())}
    verdicts: list[dict[int, str]] = []
    for name in (columns[each] for each in (*CELL_COLUMNS, *REJECTING_COLUMNS, *WORDED_COLUMNS) if each in columns):
        cell = omissions.attempt(partial(_find_cells, rois, name), None)
        if cell is not None:
            why = dict.fromkeys(
                np.flatnonzero(~cell).tolist(), f"{name} marks it as not a cell; --all-rois includes it"
            )
            if why and cell[rows].any():
                return why
            verdicts.append(why)
    return min(verdicts, key=len, default={})


def _find_cells(rois: Table, name: str) -> Bool[np.ndarray, " rois"] | None:
    """Return which ROIs are cells according to a column.

    Return None if the column contains no verdicts, or none that rejects.

    Raises
    ------
    InvalidSource
        If the column does not have one verdict per row, or a verdict and its probability.
    """
    if rois.is_ragged(name):
        return None
    if rois.is_text(name):
        texts = [" ".join(split_words(text)) for text in rois.texts(name).tolist()]
        no_cell = np.array([NO_CELL.fullmatch(text) is not None for text in texts], bool)
        return None if not no_cell.any() else ~no_cell if squeeze(name) not in REJECTING_COLUMNS else no_cell
    column = rois.dataset(name)
    if squeeze(name) in WORDED_COLUMNS:
        return None
    if column.shape not in {(len(rois),), (len(rois), 1), (len(rois), 2)}:
        raise invalid(
            column.where,
            f"must have one verdict for each of {len(rois)} ROIs, or a verdict and its probability, its shape "
            f"is {column.shape}",
        )
    verdict = column.numbers().reshape(len(rois), -1)[:, 0]
    if squeeze(name) not in STATED and not np.all(np.isin(verdict, (0, 1)) | np.isnan(verdict)):
        return None  # they are ids or scores
    is_probability = np.any((verdict > 0) & (verdict < 1)) and not np.any(verdict > 1)
    said = verdict >= PROBABLE if is_probability else verdict > 0  # False for NaN in both cases
    if squeeze(name) in REJECTING_COLUMNS:
        return ~said if np.any(said) else None
    return np.asarray(said)


def read_labels(rois: Table, omissions: Omissions) -> dict[str, Shaped[np.ndarray, " rois"]]:
    """Read text columns under their own names, and cell type and region as `cell_type` and `brain_region`.

    The region is the location of the imaging plane.
    """
    labels = find_labels(rois.known_texts(omissions))
    plane = rois.group.group("imaging_plane")
    if plane is not None and "brain_region" not in labels:
        region = omissions.attempt(lambda: text(plane, "location"), "")
        labels |= find_labels({"brain_region": [region] * len(rois)})
    return labels


def plane_name(rois: Table) -> str:
    """Return the name of the imaging plane of a table, or the name of the table if it states none."""
    group = rois.group
    return group.name_of("imaging_plane") if group.group("imaging_plane") is not None else group.path.rpartition("/")[2]


def positions_um(rois: Table) -> Float32[np.ndarray, "rois 3"] | None:
    """Return the centroid of the mask of each ROI in micrometres, with NaN for an ROI without a mask.

    Return None if there are no masks, or the imaging plane does not state a credible pixel size. If the plane states no
    origin, the origin is 0.
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
    """Return lengths along two or three axes in micrometres.

    Return None if they are not stated, or their unit is not known.
    """
    lengths = plane.dataset(name)
    if lengths is None or not lengths.is_number or lengths.shape not in {(2,), (3,)}:
        return None
    unit = (lengths.text_attribute("unit") or "meters").strip().lower()
    micrometres = MICROMETRES.get(unit.replace("\N{MICRO SIGN}", "u").replace("\N{GREEK SMALL LETTER MU}", "u"))
    values = lengths.numbers().astype(np.float64)
    return None if micrometres is None or not np.isfinite(values).all() else values * micrometres

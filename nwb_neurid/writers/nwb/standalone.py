"""Write a population as a new NWB file, for sources that are not NWB."""

import uuid
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import h5py
import numpy as np
from jaxtyping import Float32, Shaped

from nwb_neurid._system.atomic import replace_file
from nwb_neurid.intervals import subtracted
from nwb_neurid.population import Population, Spikes, Traces
from nwb_neurid.readers.nwb.electrodes import POSITION
from nwb_neurid.readers.nwb.file import open_file
from nwb_neurid.writers.nwb.copying import reserve_room
from nwb_neurid.writers.nwb.entry import Results, make_entries
from nwb_neurid.writers.nwb.faults import convert_faults
from nwb_neurid.writers.nwb.writing import fill

if TYPE_CHECKING:
    from pynwb import NWBFile
    from pynwb.ophys import PlaneSegmentation

UNITS = "units"
ROIS = "processing/ophys/ImageSegmentation/PlaneSegmentation"
NAME = "name_in_source"
FIXED_BYTES = 2**20  # minimum size of a file of PyNWB, mainly its specification
BYTES_OF_UNIT = 200
UNKNOWN = "NaN where unknown."
PIXEL = [("x", "u4"), ("y", "u4"), ("weight", "f4")]


def write_recording(population: Population, path: Path) -> str:
    """Write a valid NWB file with the units or ROIs of a population, and their labels and other properties.

    Parameters
    ----------
    population
        It is written as a Units table with observed intervals, or as a PlaneSegmentation with a RoiResponseSeries. Ids
        that are not whole numbers are written into the column `name_in_source`.
    path
        The file. It must not exist.

    Returns
    -------
    str
        Path in the file of the table that holds the units.

    Raises
    ------
    OSError
        If the operating system refuses.
    """
    from pynwb import NWBHDF5IO, NWBFile
    from pynwb.file import Subject

    unknown = "The time at which it started is not known; 1 January 2000 is a placeholder."
    nwbfile = NWBFile(
        session_description=f"Activity of neurons from {Path(population.source).name or 'memory'}. {unknown}",
        identifier=str(uuid.uuid4()),
        session_start_time=datetime(2000, 1, 1, tzinfo=UTC),
        session_id=population.session_id or None,
        subject=Subject(
            subject_id=population.subject_id or "unknown",
            sex="U",
            age="P0D/",
            description="Age and sex are not known: U and P0D/ (any age) are placeholders.",
        ),
    )
    if isinstance(population.activity, Spikes):
        table = _add_units(nwbfile, population)
    else:
        table = _add_rois(nwbfile, population, population.activity)
    with h5py.File(path, "w-") as file, NWBHDF5IO(file=file, mode="w") as io:
        reserve_room(path, _estimate_bytes(population))  # HDF5 can crash if the disk is full
        io.write(nwbfile)
    return table


def _estimate_bytes(population: Population) -> int:
    """Estimate an upper limit of the file size of a population."""
    activity = population.activity
    values = activity.times_s if isinstance(activity, Spikes) else activity.values
    texts = [*population.labels.values(), *([] if population.group is None else [population.group])]
    intervals_bytes = 16 * len(population) * len(population.observed_s)
    texts_bytes = sum(each.nbytes + 32 * len(each) for each in texts)
    return FIXED_BYTES + values.nbytes + intervals_bytes + texts_bytes + BYTES_OF_UNIT * len(population)


def write_standalone(
    population: Population, results: Sequence[Results], target: Path, *, overwrite: bool = False
) -> Path:
    """Write a population and its results into a new NWB file, completely or not at all.

    Parameters
    ----------
    population
        The units.
    results
        Results with one row for each of them.
    target
        The file.
    overwrite
        Replace an existing file.

    Raises
    ------
    CannotWrite
        If the file exists and `overwrite` is False, or it cannot be written.
    """
    like = [Path(population.source)] if population.source else []
    with convert_faults(target), replace_file(target, overwrite=overwrite, like=like) as made:
        table = write_recording(population, made.path)
        ids = np.array(_list_ids(population))
        with open_file(made.path) as file:
            renamed = [_rename(each, ids) for each in results]
            entries = make_entries(file, [table], renamed, columns=False, overwrite=False)
        reserve_room(made.path, sum(entry.size_bytes for entry in entries))
        fill(made.path, target, entries)
    return target


def _rename(results: Results, ids: Shaped[np.ndarray, " units"]) -> Results:
    """Return the results with the ids that the units have in the file."""
    predictions = [replace(part, unit_ids=ids) for part in results.predictions]
    return Results(results.name, replace(results.embeddings, unit_ids=ids), predictions)


def _add_units(nwbfile: "NWBFile", population: Population) -> str:
    columns = _describe_columns(population)
    for name, (description, _) in columns.items():
        nwbfile.add_unit_column(name, description)
    for row, id_ in enumerate(_list_ids(population)):
        nwbfile.add_unit(
            id=id_,
            spike_times=population.spikes.train_s(row),
            obs_intervals=population.runs_s(row),
            **{name: values[row] for name, (_, values) in columns.items()},
        )
    nwbfile.units.resolution = population.spikes.resolution_s or None
    return UNITS


def _add_rois(nwbfile: "NWBFile", population: Population, traces: Traces) -> str:
    from pynwb.ophys import DfOverF, Fluorescence, ImageSegmentation

    rois = _make_plane_segmentation(nwbfile, population)
    container, what = {
        "dff": (DfOverF(), "dF/F of each ROI."),
        "fluorescence": (Fluorescence(), "Fluorescence of each ROI."),
        "deconvolved": (Fluorescence(name="Deconvolved"), "Deconvolved activity of each ROI."),
    }[traces.kind]
    module = nwbfile.create_processing_module("ophys", "Fluorescence traces of ROIs")
    module.add(ImageSegmentation(plane_segmentations=[rois]))
    module.add(container)
    container.create_roi_response_series(
        name="RoiResponseSeries",
        description=" ".join([what, *population.notes]),
        data=traces.values.T,
        rois=rois.create_roi_table_region(region=list(range(len(population))), description="Every ROI."),
        unit="n.a.",
        rate=traces.rate_hz,
        starting_time=traces.start_s,
    )
    end_s = traces.start_s + traces.values.shape[1] / traces.rate_hz
    for start, stop in subtracted(np.array([[traces.start_s, end_s]]), population.observed_s):
        nwbfile.add_invalid_time_interval(start_time=start, stop_time=stop)
    return ROIS


def _make_plane_segmentation(nwbfile: "NWBFile", population: Population) -> "PlaneSegmentation":
    from hdmf.common import VectorData, VectorIndex
    from pynwb.ophys import OpticalChannel, PlaneSegmentation

    plane = nwbfile.create_imaging_plane(
        name="ImagingPlane",
        optical_channel=OpticalChannel(name="channel", description="not known", emission_lambda=np.nan),
        description="All planes of the source; the column group of the ROIs tells them apart.",
        device=nwbfile.create_device("microscope", description="not known"),
        excitation_lambda=np.nan,
        indicator="unknown",
        location="unknown",
    )
    columns = [
        VectorData(name=name, description=description, data=values)
        for name, (description, values) in _describe_columns(population).items()
    ]
    if masks := population.masks_px:
        pixels = np.concatenate(masks)
        weighted = np.empty(len(pixels), PIXEL)
        weighted["x"], weighted["y"], weighted["weight"] = pixels.T
        said = "Pixels of each ROI with their weights, as the source has them; none for an ROI without a mask."
        mask = VectorData(name="pixel_mask", description=said, data=weighted)
        columns += [
            VectorIndex(name="pixel_mask_index", data=np.cumsum([len(each) for each in masks]), target=mask),
            mask,
        ]
    else:  # PyNWB requires a mask
        said = "Not known: an image of a single pixel of weight 0 for each ROI."
        columns.append(
            VectorData(name="image_mask", description=said, data=np.zeros((len(population), 1, 1), np.float32))
        )
    return PlaneSegmentation(
        name="PlaneSegmentation",
        description="The ROIs of the source",
        imaging_plane=plane,
        id=_list_ids(population),
        columns=columns,
    )


def _list_ids(population: Population) -> list[int]:
    """Return the ids of the source if they are unique whole numbers, or otherwise the row numbers."""
    ids = population.unit_ids
    whole = ids.dtype.kind in "iu" and len(np.unique(ids)) == len(ids)
    return [int(id_) for id_ in ids] if whole else list(range(len(ids)))


def _describe_columns(population: Population) -> dict[str, tuple[str, Any]]:
    """Return descriptions and values of the columns with the known properties of the units."""
    columns: dict[str, tuple[str, Any]] = {
        name: (f"The label {name} in the source; empty where unknown.", values.tolist())
        for name, values in population.labels.items()
    }
    own: dict[str, tuple[str, Any]] = {}
    if _list_ids(population) != population.unit_ids.tolist():
        own[NAME] = ("Name in the source.", [str(id_) for id_ in population.unit_ids])
    if population.group is not None:
        name, said = (
            ("probe_name", "Probe or shank.") if population.activity.kind == "spikes" else ("plane", "Imaging plane.")
        )
        own[name] = (said, [str(group) for group in population.group])
    if population.positions_um is not None:
        own[POSITION] = (f"Position in micrometres: x, y, z. {UNKNOWN}", population.positions_um)
        if population.activity.kind == "spikes":
            own["depth"] = (f"Position along the probe (y) in micrometres. {UNKNOWN}", population.positions_um[:, 1])
    if population.masks_px:
        own["centroid_px"] = (
            f"Centre of the mask by weight, in pixels: x, y. {UNKNOWN}",
            _find_centroids_px(population.masks_px),
        )
    if population.excluded:
        reasons = [population.excluded.get(row, "") for row in range(len(population))]
        own["left_out"] = ("Why the source rejects the unit; empty for a unit that it keeps.", reasons)
    return columns | own


def _find_centroids_px(masks_px: Sequence[Float32[np.ndarray, "_ 3"]]) -> Float32[np.ndarray, "rois 2"]:
    """Return the weighted centre of each mask, in pixels, with NaN for an ROI without a mask."""
    centres = np.full((len(masks_px), 2), np.nan, np.float32)
    for row, mask in enumerate(masks_px):
        weight = mask[:, 2].clip(0)
        if weight.sum() > 0:
            centres[row] = weight @ mask[:, :2] / weight.sum()
    return centres

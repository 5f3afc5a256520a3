"""The ROIs of a suite2p folder as a `Population`."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Bool, Float32, Float64, Shaped

from nwb_neurid._system.warning import warn
from nwb_neurid.activity import TraceKind, Traces
from nwb_neurid.contracts import ReadOptions
from nwb_neurid.dff import FLOOR, compute_dff
from nwb_neurid.errors import InvalidOption, NeuridError
from nwb_neurid.population import Population
from nwb_neurid.readers.columns import UnitColumns
from nwb_neurid.readers.omissions import Omissions
from nwb_neurid.readers.pickles import PickledArray
from nwb_neurid.readers.selection import leave_out
from nwb_neurid.readers.suite2p.folder import COMBINED, plane_folders, trace_folders
from nwb_neurid.readers.suite2p.numbers import flags
from nwb_neurid.readers.suite2p.plane import Plane, open_planes
from nwb_neurid.readers.suite2p.settings import Settings, frame_rate_hz

NEEDED: Mapping[str, tuple[TraceKind, tuple[str, ...]]] = {
    "dff": ("dff", ("F", "Fneu")),
    "fluorescence": ("fluorescence", ("F", "Fneu")),
    "deconvolved": ("deconvolved", ("spks",)),
}
"""For each value of the option `activity`, the kind of activity and the arrays that are needed."""

SAMPLES_AT_ONCE = 2**20

MASK = ("xpix", "ypix", "lam")
"""Names of the coordinates of an ROI's pixels and of their weights in `stat.npy`."""


def read_rois(path: Path, options: ReadOptions) -> Population:
    """Read all ROIs, including those that are not cells.

    All planes become one population, with one group per plane, over the frames that all of them have. The time between
    the scans of different planes within a frame is neglected. Ids are row numbers for a single plane, and of the form
    "plane0/12" for several planes. The label `redcell` is "red" for ROIs that are labelled in the second channel.
    suite2p does not store the size of pixels, so there are masks but no positions. The session clock starts with the
    first frame.

    Parameters
    ----------
    path
        The root of suite2p's output or its parent folder, the folder of one plane, or the combined folder.
    options
        `activity` is "dff" (the default, see `compute_dff`), "fluorescence" (corrected for neuropil) or "deconvolved"
        (by suite2p, in arbitrary units). `rate_hz` is the frame rate of one plane, if the settings do not state it or
        are wrong. `all_rois` keeps ROIs that `iscell.npy` rejects. `where` selects ROIs by `iscell`, `redcell`, `plane`
        and the numbers of `stat.npy` instead.

    Raises
    ------
    SourceNotFound, UnreadableSource, InvalidSource
        If the folder, or a file in it, cannot be read or used.
    InvalidOption
        If the folder cannot be read with these options.

    Warns
    -----
    NeuridWarning
        If a plane is left out or shortened, manual corrections may be missing, or two frame rates are stated.
    """
    activity = options.activity or "dff"
    if activity not in NEEDED:
        raise InvalidOption(f"suite2p folders hold {', '.join(NEEDED)}, not {activity!r}. Choose one of them.")
    kind, needed = NEEDED[activity]
    folders = _folders(path)
    omissions = Omissions(str(path))
    planes = open_planes(folders, needed, omissions, all_rois=options.all_rois and not options.where)
    omissions.warn()
    rate_hz = frame_rate_hz([plane.settings for plane in planes], options.rate_hz)
    if not options.all_rois and not options.where:
        _check_corrections(folders, planes)
    values, faults = _values(planes, kind, rate_hz)
    unit_ids = _ids(planes)
    rejected: dict[int, str] = {}
    if options.where:
        rejected = leave_out([UnitColumns.of(str(path), unit_ids, _columns(planes))], options)
    elif not options.all_rois:
        rejected = _rejected(planes, path)
    return Population(
        unit_ids=unit_ids,
        activity=Traces(values=values, rate_hz=rate_hz, kind=kind),
        observed_s=np.array([[0.0, values.shape[1] / rate_hz]]),
        group=np.repeat([plane.name for plane in planes], [len(plane) for plane in planes]),
        labels=_labels(planes),
        excluded={**faults, **rejected},
        source=str(path),
        masks_px=_masks_px(planes),
        notes=_notes(planes, kind),
    )


def _folders(path: Path) -> list[Path]:
    """Return the folders with traces, and warn about planes without traces."""
    folders = trace_folders(path)  # not empty, because `recognises` accepted the folder
    if path not in folders and folders[0].name != COMBINED:
        for plane in plane_folders(folders[0].parent):
            if plane not in folders:
                warn(f"{plane} has no F.npy and is left out.")
    return folders


def _check_corrections(folders: Sequence[Path], planes: Sequence[Plane]) -> None:
    """Warn about ROIs that are cells in the combined folder but not in the planes, or the other way round."""
    combined = folders[0].parent / COMBINED / "iscell.npy"
    cell = np.concatenate([plane.cell for plane in planes])
    if len(folders) == 1 or not combined.is_file():
        return
    try:
        differ = int((flags(combined, len(cell)) != cell).sum())
    except NeuridError:  # a folder of another run contains no corrections for this one
        return
    if differ:
        warn(
            f"{combined} differs from the iscell.npy of the planes in {differ} ROIs. The files of the planes are "
            f"used. If this is the file that you curated, read {combined.parent}."
        )


def _rejected(planes: Sequence[Plane], path: Path) -> dict[int, str]:
    """Return the rows that are not cells. The classification is ignored if it rejects every ROI."""
    cell = np.concatenate([plane.cell for plane in planes])
    if not cell.any():
        warn(f"{path}: iscell.npy rejects every ROI, so it is ignored and all {len(cell)} are kept.")
        return {}
    return dict.fromkeys(np.flatnonzero(~cell).tolist(), "not a cell (iscell.npy)")


def _columns(planes: Sequence[Plane]) -> dict[str, list[object]]:
    """Return the columns that a condition may use: the classifications, the plane, and the numbers of `stat.npy`."""
    columns: dict[str, list[object]] = {
        "iscell": [bool(cell) for plane in planes for cell in plane.cell],
        "plane": [plane.name for plane in planes for _ in range(len(plane))],
    }
    if all(plane.red is not None for plane in planes):
        columns["redcell"] = [bool(red) for plane in planes if plane.red is not None for red in plane.red]
    rois = [roi for plane in planes for roi in plane.rois]
    if len(rois) == sum(map(len, planes)):
        names = [name for name, value in rois[0].items() if isinstance(value, bool | int | float)]
        columns |= {name: [roi.get(name, np.nan) for roi in rois] for name in names}
    return columns


def _masks_px(planes: Sequence[Plane]) -> tuple[Float32[np.ndarray, "_ 3"], ...] | None:
    """Return the pixels of each ROI with their weights, or None if there is no `stat.npy`.

    An ROI without mask has no pixels.
    """
    if not any(plane.rois for plane in planes):
        return None
    none = np.empty((0, 3), np.float32)
    return tuple(
        none if (mask := _mask(roi)) is None else mask for plane in planes for roi in (plane.rois or [{}] * len(plane))
    )


def _mask(roi: Mapping[str, Any]) -> Float32[np.ndarray, "pixels 3"] | None:
    parts = [part.numbers for name in MASK if isinstance(part := roi.get(name), PickledArray)]
    told = [part for part in parts if part is not None and part.ndim == 1]
    if len(told) < len(MASK) or len({len(part) for part in told}) > 1:
        return None
    with np.errstate(over="ignore"):
        mask = np.column_stack([part.astype(np.float32) for part in told])
    return mask if np.isfinite(mask).all() else None


def _notes(planes: Sequence[Plane], kind: TraceKind) -> tuple[str, ...]:
    """Describe how the activity was computed. Planes with the same computation share a description."""
    if kind == "deconvolved":
        return ("Deconvolved activity is that of suite2p (spks.npy), in arbitrary units.",)
    notes = []
    for settings in (plane.settings for plane in planes):
        neuropil = f"F.npy with {settings.neuropil_coefficient:g} times the neuropil (Fneu.npy) subtracted"
        baseline = f"{settings.window_s:g} s after a Gaussian of {settings.sigma_frames:g} frames"
        if kind == "fluorescence":
            notes.append(f"Fluorescence is {neuropil}.")
        else:
            notes.append(
                f"dF/F was computed from {neuropil}, over its maximin baseline ({baseline}), with {FLOOR:.2f} of the "
                "baseline of F.npy as its lower limit."
            )
    return tuple(dict.fromkeys(notes))


def _ids(planes: Sequence[Plane]) -> Shaped[np.ndarray, " units"]:
    if len(planes) == 1:
        return np.arange(len(planes[0]))
    return np.array([f"{plane.name}/{row}" for plane in planes for row in range(len(plane))])


def _labels(planes: Sequence[Plane]) -> dict[str, Shaped[np.ndarray, " units"]]:
    if all(plane.red is None for plane in planes):
        return {}
    red = np.concatenate([np.zeros(len(plane), bool) if plane.red is None else plane.red for plane in planes])
    return {"redcell": np.where(red, "red", "")}


def _values(
    planes: Sequence[Plane], kind: TraceKind, rate_hz: float
) -> tuple[Float32[np.ndarray, "units samples"], dict[int, str]]:
    """Compute the activity of all ROIs, and the reasons for unusable traces by row.

    A few ROIs are read at once to save memory.
    """
    values = np.empty((sum(len(plane) for plane in planes), planes[0].frames), np.float32)
    step = max(1, SAMPLES_AT_ONCE // values.shape[1])
    faults: dict[int, str] = {}
    row = 0
    for plane in planes:
        for start in range(0, len(plane), step):
            arrays = [plane.traces[name][start : start + step].astype(np.float64) for name in NEEDED[kind][1]]
            rows = slice(row, row + len(arrays[0]))
            with np.errstate(over="ignore"):  # infinite values are excluded later
                values[rows] = _activity(arrays, plane.settings, kind, rate_hz)
            for faulty, why in _faults(arrays, values[rows]):
                faults |= dict.fromkeys((row + np.flatnonzero(faulty)).tolist(), why)
            row = rows.stop
    return values, faults


def _activity(
    arrays: Sequence[Float64[np.ndarray, "units samples"]], settings: Settings, kind: TraceKind, rate_hz: float
) -> Float64[np.ndarray, "units samples"]:
    if kind == "deconvolved":
        return arrays[0]
    raw, neuropil = arrays
    if kind == "fluorescence":
        return raw - settings.neuropil_coefficient * neuropil
    return compute_dff(
        raw,
        neuropil,
        coefficient=settings.neuropil_coefficient,
        sigma_frames=settings.sigma_frames,
        window_frames=int(settings.window_s * rate_hz),
    )


def _faults(
    arrays: Sequence[Float64[np.ndarray, "units samples"]], values: Float32[np.ndarray, "units samples"]
) -> Iterator[tuple[Bool[np.ndarray, " units"], str]]:
    """Yield faults of traces: which ROIs have the fault, and its description."""
    finite = np.all([np.isfinite(array).all(axis=1) for array in arrays], axis=0)
    constant = arrays[0].min(axis=1) == arrays[0].max(axis=1)
    undefined = ~np.isfinite(values).all(axis=1)
    yield ~finite, "its trace has values that are not finite"
    yield finite & constant, "its trace is constant"
    yield finite & ~constant & undefined, "its raw fluorescence has no positive baseline, so dF/F is undefined"

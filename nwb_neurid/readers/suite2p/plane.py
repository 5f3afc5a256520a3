"""The ROIs of an imaging plane on disk."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Bool, Int64, Shaped

from nwb_neurid._system.warning import warn
from nwb_neurid.errors import InvalidSource, UnreadableSource
from nwb_neurid.readers.omissions import Omissions
from nwb_neurid.readers.suite2p.folder import COMBINED
from nwb_neurid.readers.suite2p.numbers import flags, traces
from nwb_neurid.readers.suite2p.pickled import objects
from nwb_neurid.readers.suite2p.settings import Settings, read_settings

MOST_PLANES = 10_000


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Plane:
    """ROIs that were imaged together.

    Parameters
    ----------
    name
        `plane0` and so on.
    settings
        The settings with which suite2p was run on the plane.
    traces
        Memory-mapped arrays of shape (units, samples), by the names of their files without extension.
    cell
        Which ROIs are cells, according to the classifier and manual corrections.
    red
        Which ROIs are labelled in the second channel; None if there is no second channel.
    rois
        The entry in `stat.npy` for each ROI; empty if the file is missing or cannot be used.
    """

    name: str
    settings: Settings
    traces: Mapping[str, Shaped[np.ndarray, "units samples"]]
    cell: Bool[np.ndarray, " units"]
    red: Bool[np.ndarray, " units"] | None
    rois: Sequence[Mapping[str, Any]] = ()

    def __len__(self) -> int:
        return len(self.cell)

    @property
    def frames(self) -> int:
        """Return the number of samples of each trace."""
        return next(iter(self.traces.values())).shape[1]

    def part(self, rows: slice, frames: int) -> "Plane":
        """Select rows, and a number of samples from the start of their traces."""
        return replace(
            self,
            traces={name: array[rows, :frames] for name, array in self.traces.items()},
            cell=self.cell[rows],
            red=None if self.red is None else self.red[rows],
            rois=self.rois[rows],
        )


def open_planes(folders: Sequence[Path], needed: Sequence[str], omissions: Omissions, *, all_rois: bool) -> list[Plane]:
    """Open the planes in these folders, cut to the frames that all of them have.

    Parameters
    ----------
    folders
        The folder of each plane, or the folder of the combined planes.
    needed
        Names of the arrays of traces that are needed.
    all_rois
        Whether all ROIs are used. It then does not matter which ROIs are cells.
    omissions
        Collects files that cannot be used and are not needed: `iscell.npy`, `redcell.npy`, `stat.npy`.

    Raises
    ------
    UnreadableSource, InvalidSource
        If a file is missing or damaged, if they contradict one another, or if there are no ROIs or no frames.

    Warns
    -----
    NeuridWarning
        If `iscell.npy` is missing, or a plane is more than one frame shorter than another.
    """
    planes = [_open(folder, needed, omissions, all_rois=all_rois) for folder in folders]
    if [folder.name for folder in folders] == [COMBINED]:
        planes = _split(planes[0], folders[0])
    planes = [plane for plane in planes if len(plane)]
    where = folders[0] if len(folders) == 1 else folders[0].parent
    if not planes:
        raise UnreadableSource(f"{where} has no ROIs: its traces have no rows. Run suite2p's detection again.")
    shortest, longest = min(plane.frames for plane in planes), max(plane.frames for plane in planes)
    if shortest == 0:
        raise UnreadableSource(f"{where} has no frames: its traces have no columns. Run suite2p again.")
    if longest > shortest + 1:
        told = ", ".join(f"{plane.name} {plane.frames}" for plane in planes)
        warn(f"{where}: its planes have different numbers of frames ({told}); the first {shortest} of each are used.")
    return [plane.part(slice(None), shortest) for plane in planes]


def _open(folder: Path, needed: Sequence[str], omissions: Omissions, *, all_rois: bool) -> Plane:
    # Raw fluorescence is always opened, because it shows how combined planes were padded.
    names = dict.fromkeys(["F", *needed] if (folder / "F.npy").is_file() else needed)
    arrays = {name: traces(folder / f"{name}.npy") for name in names}
    first = next(iter(arrays))
    for name, array in arrays.items():
        if array.shape != arrays[first].shape:
            raise InvalidSource(
                f"{folder / name}.npy has {len(array)} ROIs and {array.shape[1]} frames, but {first}.npy has "
                f"{len(arrays[first])} and {arrays[first].shape[1]}: they come from different runs. Run suite2p again."
            )
    units, red = len(arrays[first]), folder / "redcell.npy"
    return Plane(
        name=folder.name,
        settings=read_settings(folder),
        traces=arrays,
        cell=np.ones(units, bool) if all_rois else _cells(folder / "iscell.npy", units, omissions),
        red=omissions.attempt(partial(flags, red, units), None) if red.exists() else None,
        rois=omissions.attempt(partial(_rois, folder / "stat.npy", units), []),
    )


def _cells(path: Path, units: int, omissions: Omissions) -> Bool[np.ndarray, " units"]:
    if not path.exists():
        warn(f"{path} is missing, so all {units} ROIs count as cells.")
        return np.ones(units, bool)
    return omissions.attempt(partial(flags, path, units), np.ones(units, bool))


def _rois(stat: Path, units: int) -> list[Mapping[str, Any]]:
    """Load the entries of `stat.npy`, one dict for each ROI. The list is empty if there is no such file.

    Raises
    ------
    UnreadableSource, InvalidSource
        If the file cannot be read, or does not belong to these ROIs.
    """
    if not stat.exists():
        return []
    rois = objects(stat)
    if len(rois) != units or not all(isinstance(roi, dict) for roi in rois):
        raise InvalidSource(f"{stat} must hold one dict for each of {units} ROIs, it has {len(rois)}. Copy it again.")
    return rois


def _split(combined: Plane, folder: Path) -> list[Plane]:
    """Split the planes that suite2p combined, and remove the zeros with which each plane was padded.

    Only `stat.npy` states the plane of each ROI. No file states the number of frames of a plane. Therefore, frames at
    the end that are exactly zero in all ROIs of a plane are considered as padding.
    """
    if not (folder / "stat.npy").is_file() or "F" not in combined.traces:
        missing = "stat.npy" if "F" in combined.traces else "F.npy"
        warn(
            f"{folder} has no {missing}: its ROIs are read as one plane, and zeros that suite2p appends to shorter "
            "planes are read as data."
        )
        return [combined]
    planes = _plane_of_each(folder / "stat.npy", len(combined))
    parts = []
    for number in np.unique(planes).tolist():
        rows = slice(*np.searchsorted(planes, [number, number + 1]).tolist())
        lit = np.flatnonzero(combined.traces["F"][rows].any(axis=0))
        frames = int(lit[-1]) + 1 if len(lit) else combined.frames
        parts.append(replace(combined.part(rows, frames), name=f"plane{number}"))
    return parts


def _plane_of_each(stat: Path, units: int) -> Int64[np.ndarray, " units"]:
    """Return the plane of each ROI.

    Raises
    ------
    InvalidSource
        If `stat.npy` does not state the plane of every ROI, or the ROIs are not sorted by plane.
    """
    rois = objects(stat)
    planes = [roi.get("iplane") if isinstance(roi, dict) else None for roi in rois]
    known = [plane for plane in planes if isinstance(plane, int) and 0 <= plane < MOST_PLANES]
    if not len(known) == len(planes) == units:
        raise InvalidSource(
            f"{stat} must state the plane (iplane) of each of {units} ROIs, but it has {len(planes)} ROIs and states "
            f"the plane of {len(known)}. Combine the planes again in suite2p."
        )
    numbers = np.array(known, np.int64)
    if np.any(np.diff(numbers) < 0):
        raise InvalidSource(
            f"{stat} must list the ROIs plane after plane, but does not. Combine them again in suite2p."
        )
    return numbers

"""Predictions in the format of BrainWideBench's scorer, `ibl-bwb-eval`: region of a unit, task suite 3.

Source of the format: `ibl-bwb-eval` 0.1.0. There is one file for each seed,
`LABEL/ts3-unit_cosmos/seed_N.safetensors`. It contains the ids of the units as rows of bytes, padded with zeros, and
the probability of each region in a fixed order.
"""

from pathlib import Path

import numpy as np
from jaxtyping import Float, Float32, Shaped, UInt8

from nwb_neurid._system.atomic import convert_errors, replace_file
from nwb_neurid.errors import CannotFit, InvalidOption
from nwb_neurid.evaluation.results import Evaluation

TASK = "ts3-unit_cosmos"
REGIONS = ("CB", "CNU", "CTXsp", "HB", "HPF", "HY", "Isocortex", "MB", "OLF", "TH")
"""The classes in the order of the columns. The scorer checks this order."""

IDS = "cluster_uuid"
"""The column of IBL's NWB files with ids that are unique across recordings. Without this column, unit ids are used."""

NEAREST, REACH_UM = 5, 60.0


def write_submission(
    evaluation: Evaluation,
    folder: Path,
    *,
    label: str,
    seed: int,
    ids: str = IDS,
    overwrite: bool = False,
) -> list[Path]:
    """Write the predictions of an evaluation in the scorer's format, for single units and averaged over neighbours.

    Parameters
    ----------
    evaluation
        An evaluation of Cosmos regions.
    folder
        The folder to write into. The folders `LABEL` and, if the positions of units are known, `LABEL-multi-unit` are
        made in it.
    label
        Name of the submission.
    seed
        The seed of the run. The benchmark requires the seeds 43 to 47.
    ids
        The label that holds the unit ids of the ground truth.
    overwrite
        Replace existing files.

    Returns
    -------
    list of Path
        The files.

    Raises
    ------
    CannotFit
        If the evaluation is not of Cosmos regions.
    InvalidOption
        If two units have the same id, or if an id is not ASCII.
    CannotWrite
        If a file already exists and `overwrite` is False, or if it cannot be written.
    """
    classes = [str(name) for name in evaluation.predictions.classes]
    if unknown := [name for name in classes if name not in REGIONS]:
        raise CannotFit(
            f"BrainWideBench scores the Cosmos regions {', '.join(REGIONS)}; this evaluation has {', '.join(unknown)}. "
            "Evaluate brain_region with --map cosmos."
        )
    tested = np.flatnonzero(evaluation.predictions.tested)
    shares = np.zeros((len(tested), len(REGIONS)), np.float32)
    shares[:, [REGIONS.index(name) for name in classes]] = evaluation.predictions.probabilities[tested]
    cohort = evaluation.cohort
    names = np.concatenate([each.labels.get(ids, each.unit_ids).astype(np.str_) for each in cohort.populations])
    written = [_write(folder, label, seed, names[tested], shares, overwrite)]
    places = [each.positions_um for each in cohort.populations]
    if all(place is not None for place in places):
        depth = np.concatenate([_find_depth(place) for place in places if place is not None])
        groups = [[""] * len(each) if each.group is None else each.group.tolist() for each in cohort.populations]
        probe = np.array([f"{at}/{name}" for at, names in enumerate(groups) for name in names])
        averaged = average_neighbours(shares, depth[tested], probe[tested])
        written.append(_write(folder, f"{label}-multi-unit", seed, names[tested], averaged, overwrite))
    return written


def average_neighbours(
    probabilities: Float32[np.ndarray, "units classes"],
    depth_um: Float[np.ndarray, " units"],
    probe: Shaped[np.ndarray, " units"],
) -> Float32[np.ndarray, "units classes"]:
    """Average the probabilities of each unit and its nearest units on the probe: up to five in all, within 60 µm.

    Parameters
    ----------
    probabilities
        Shape (units, classes).
    depth_um
        Depth on the probe, in µm, shape (units,).
    probe
        Name of the probe, shape (units,).

    Returns
    -------
    array
        Shape (units, classes).

    Examples
    --------
    >>> shares = np.array([[1, 0], [0, 1], [0, 1]], np.float32)
    >>> average_neighbours(shares, np.array([0.0, 40.0, 500.0]), np.array(["a", "a", "a"])).tolist()
    [[0.5, 0.5], [0.5, 0.5], [0.0, 1.0]]
    """
    averaged = np.zeros_like(probabilities)
    for unit in range(len(probabilities)):
        away = np.abs(depth_um - depth_um[unit])
        near = np.flatnonzero((probe == probe[unit]) & (away <= REACH_UM))
        chosen = near[np.argsort(away[near])][:NEAREST] if len(near) else np.array([unit])
        averaged[unit] = probabilities[chosen].mean(axis=0)
    return averaged


def encode_ids(names: Shaped[np.ndarray, " units"]) -> UInt8[np.ndarray, "units width"]:
    """Encode ids as rows of bytes, padded with zeros.

    Parameters
    ----------
    names
        Ids of units, shape (units,).

    Returns
    -------
    array
        Shape (units, longest id).

    Raises
    ------
    InvalidOption
        If an id is empty, is not ASCII, or occurs twice.

    Examples
    --------
    >>> encode_ids(np.array(["ab", "c"])).tolist()
    [[97, 98], [99, 0]]
    """
    listed = [str(name) for name in names.tolist()]
    wrong = [name for name in listed if not name or not name.isascii() or "\0" in name]
    if wrong or len({*listed}) < len(listed):
        what = f"{wrong[0]!r} is not such an id" if wrong else "one occurs twice"
        raise InvalidOption(
            f"BrainWideBench needs a unique id of ASCII characters for each unit, but {what}. Recordings of the "
            f"IBL have them as {IDS}."
        )
    packed = np.array([name.encode("ascii") for name in listed])
    return packed.view(np.uint8).reshape(len(listed), -1)


def _find_depth(positions_um: Float[np.ndarray, "units 3"]) -> Float[np.ndarray, " units"]:
    """Return the coordinate with the largest range over the units of a recording, which is the axis of the shank."""
    known = positions_um[np.isfinite(positions_um).all(axis=1)]
    axis = int(np.ptp(known, axis=0).argmax()) if len(known) else 0
    return positions_um[:, axis].astype(np.float64)


def _write(
    folder: Path,
    label: str,
    seed: int,
    names: Shaped[np.ndarray, " units"],
    shares: Float32[np.ndarray, "units classes"],
    overwrite: bool,
) -> Path:
    from safetensors.numpy import save_file

    path = folder / label / TASK / f"seed_{seed}.safetensors"
    about = {"label": label, "task": TASK, "seed": str(seed), "label_names": ",".join(REGIONS)}
    tensors = {"entity_ids": encode_ids(names), "pred_proba": np.ascontiguousarray(shares, np.float32)}
    with convert_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
    with replace_file(path, overwrite=overwrite) as made:
        save_file(tensors, made.path, metadata=about)
    return path

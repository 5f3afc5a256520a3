"""Predictions as columns of the table of neurons, for programs that display no other tables."""

import json
from collections.abc import Collection, Mapping, Sequence

import h5py
import numpy as np
from jaxtyping import Shaped

from nwb_neurid._system.names import PREFIX
from nwb_neurid.results import Predictions
from nwb_neurid.writers.nwb import layout
from nwb_neurid.writers.nwb.links import find_own
from nwb_neurid.writers.nwb.objects import MARK, Column, make_text

Labels = Mapping[str, Shaped[np.ndarray, " units"]]

LABELS = f"{PREFIX}labels_"
RESERVED = frozenset(
    {
        *("id", "spike_times", "obs_intervals", "electrodes", "electrode_group", "resolution"),
        *("waveform_mean", "waveform_sd", "waveforms"),
    }
)
"""Columns to which the NWB schema gives a special meaning."""


def make_columns(
    table: h5py.Group,
    name: str,
    predictions: Sequence[Predictions],
    labels: Labels | None = None,
    *,
    without: Sequence[str] = (),
) -> list[Column]:
    """Make two columns for each prediction, and one for each label of the user.

    The names for a prediction begin with `neurid_<label>` or, if that is in use, with `<name>_<label>`. A column with a
    label of the user has the name of the label or, if the table already has such a column or NWB uses the name for
    something else, `neurid_labels_<label>`.

    Parameters
    ----------
    table
        The table of neurons.
    name
        Name of the results.
    predictions
        One row for each row of the table.
    labels
        Labels of the user by their names, one for each row of the table.
    without
        Columns of the table that are ignored.
    """
    there = set(table) - set(without)
    found = []
    for part in predictions:
        label = f"{PREFIX}{part.label_name}"
        if {label, f"{label}_probability"} & there:
            label = f"{name}_{part.label_name}"
        found += _make_columns(label, name, part)
    for own, values in (labels or {}).items():
        label = f"{LABELS}{own}" if own in there or own in RESERVED or own.endswith("_index") else own
        said = f"{own}, as the user labelled the neuron. Empty if the user gave no label."
        found.append(
            Column(name=label, description=f"{said}{_write_mark(name, own, given=True)}", values=make_text(values))
        )
    return found


def list_own(table: h5py.Group, name: str, *, but: Collection[str] = ()) -> list[str]:
    """List the columns with predictions of the results `name`, except those of some labels."""
    items = {found: find_own(table, found) for found in layout.list_columns(table)}
    marks = {found: _read_mark(item) for found, item in items.items() if item is not None}
    return [found for found, mark in marks.items() if mark.get("results") == name and mark.get("label") not in but]


def _make_columns(label: str, name: str, part: Predictions) -> list[Column]:
    said = f"Predicted {part.label_name}{f' among {part.scope}' if part.scope else ''}"
    shown = np.where(part.abstained, "", part.label)
    found = [
        Column(
            name=label,
            description=f"{said}. Empty if the model abstains or the neuron has no vector."
            + _write_mark(name, part.label_name),
            values=make_text(shown),
        )
    ]
    if not np.isnan(part.class_probabilities).all():
        how = f"Probability, from 0 to 1, of the most probable {part.label_name}, even if the model abstains."
        values = part.probability.astype(np.float32)
        found.append(
            Column(name=f"{label}_probability", description=f"{how}{_write_mark(name, part.label_name)}", values=values)
        )
    return found


def _write_mark(name: str, label: str, *, given: bool = False) -> str:
    """Write the last line of a description.

    For a label of the user, it begins differently, so that the label counts as known.
    """
    mark = {"given": "by the user"} if given else {}
    return f"\n{MARK}{json.dumps({**mark, 'results': name, 'label': label}, ensure_ascii=False)}"


def _read_mark(column: h5py.HLObject) -> dict[str, str]:
    """Return the results and the label to which a column belongs. The dict is empty for columns of other software."""
    last = layout.read_text(column, "description").rpartition("\n")[2]
    try:
        mark = json.loads(last.removeprefix(MARK)) if last.startswith(MARK) else {}
    except (ValueError, RecursionError):
        return {}
    return mark if isinstance(mark, dict) else {}

"""Predictions as columns of the table of neurons itself, for programs that show nothing else."""

import json
from collections.abc import Sequence

import numpy as np

from nwb_neurid.results import Predictions
from nwb_neurid.writers.nwb import existing
from nwb_neurid.writers.nwb.links import own_item
from nwb_neurid.writers.nwb.objects import MARK, Column, text
from nwb_neurid.writers.nwb.opening import Group

PREFIX = "neurid_"


def columns(
    table: Group, name: str, predictions: Sequence[Predictions], *, without: Sequence[str] = ()
) -> list[Column]:
    """Two columns for each prediction, called `neurid_<label>`; where others have that, `<name>_<label>`.

    Parameters
    ----------
    table
        The table of neurons.
    name
        What the results are called.
    predictions
        One row for each row of the table.
    without
        Columns of the table that do not count.
    """
    there = set(table) - set(without)
    found = []
    for part in predictions:
        label = f"{PREFIX}{part.label_name}"
        if {label, f"{label}_probability"} & there:
            label = f"{name}_{part.label_name}"
        found += _columns(label, name, part)
    return found


def own(table: Group, name: str) -> list[str]:
    """The columns that hold predictions of the results `name`."""
    about = _mark(name)
    items = {found: own_item(table, found) for found in existing.column_names(table)}
    return [found for found, item in items.items() if item is not None and existing.description(item).endswith(about)]


def _columns(label: str, name: str, part: Predictions) -> list[Column]:
    said = f"Predicted {part.label_name}{f' among {part.scope}' if part.scope else ''}"
    shown = np.where(part.abstained, "", part.label)
    found = [
        Column(name=label, description=f"{said}; empty where the model declines.{_mark(name)}", values=text(shown))
    ]
    if not np.isnan(part.class_probabilities).all():
        how = f"Probability, from 0 to 1, of the most probable {part.label_name}, also where the model declines."
        values = part.probability.astype(np.float32)
        found.append(Column(name=f"{label}_probability", description=f"{how}{_mark(name)}", values=values))
    return found


def _mark(name: str) -> str:
    return f"\n{MARK}{json.dumps({'results': name}, ensure_ascii=False)}"

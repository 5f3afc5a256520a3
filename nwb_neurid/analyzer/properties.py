"""Predictions where SpikeInterface and its neighbours look for them: properties of units, and curations."""

from pathlib import Path
from typing import Any

import numpy as np
from spikeinterface.core import SortingAnalyzer

from nwb_neurid.analyzer.predictions import ComputeNeuridPredictions, find_names
from nwb_neurid.errors import CannotWrite, NoResults

PREFIX = "neurid_"
WIDTH = 64
"""Of texts: SpikeInterface cuts longer ones off when it writes a property in Zarr again."""


def get_predictions(analyzer: SortingAnalyzer) -> ComputeNeuridPredictions:
    """The extension `neurid_predictions` of an analyzer.

    Raises
    ------
    NoResults
        If it was not computed.
    """
    extension = analyzer.get_extension("neurid_predictions")
    if extension is None:
        raise NoResults(
            'The analyzer has no predictions: analyzer.compute("neurid_predictions", model=...) makes them.'
        )
    return extension


def set_neurid_properties(analyzer: SortingAnalyzer, *, save: bool = True) -> list[str]:
    """Make the predictions of an analyzer properties of its units.

    `neurid_<label>` is the class, "" where the model declines, and `neurid_<label>_probability` how probable the most
    probable class is.

    Parameters
    ----------
    analyzer
        With `neurid_predictions`.
    save
        Write them into its folder too.

    Returns
    -------
    list of str
        The names of the properties.

    Raises
    ------
    NoResults
        If there are no predictions.
    CannotWrite
        If the name of a class is too long for a property.
    """
    names = []
    for found in get_predictions(analyzer).all_predictions():
        if long := [name for name in found.classes.tolist() if len(name) > WIDTH]:
            raise CannotWrite(
                f"The class {long[0]!r} has {len(long[0])} characters, a property holds {WIDTH}. Fit the label head to "
                "shorter names."
            )
        name = f"{PREFIX}{found.label_name}"
        probability = found.probability.astype(np.float64)
        analyzer.set_sorting_property(name, find_names(found).astype(f"U{WIDTH}"), save=save)
        analyzer.set_sorting_property(f"{name}_probability", probability, save=save)
        names += [name, f"{name}_probability"]
    return names


def export_neurid_to_phy(analyzer: SortingAnalyzer, folder: str | Path, **options: Any) -> None:
    """Export to phy, with the predictions as columns of its table of clusters.

    SpikeInterface's `export_to_phy` does it; units without spikes are taken out before. It leaves them out too, but
    would number its clusters otherwise than their spikes.

    Parameters
    ----------
    analyzer
        With `neurid_predictions`, and what `export_to_phy` needs.
    folder
        Where to.
    **options
        As for `spikeinterface.exporters.export_to_phy`.

    Raises
    ------
    NoResults, CannotWrite
        As `set_neurid_properties`.
    """
    from spikeinterface.exporters import export_to_phy

    get_predictions(analyzer)
    spikes = analyzer.sorting.count_num_spikes_per_unit()
    fired = [unit for unit in analyzer.unit_ids if spikes[unit]]
    exported = analyzer if len(fired) == len(analyzer.unit_ids) else analyzer.select_units(fired)
    names = [*options.pop("additional_properties", ()), *set_neurid_properties(exported, save=False)]
    export_to_phy(exported, folder, additional_properties=names, **options)


def neurid_curation(analyzer: SortingAnalyzer) -> dict[str, Any]:
    """The predictions of an analyzer as a curation of SpikeInterface, format version 2, ready for JSON.

    `spikeinterface.curation.apply_curation` makes them the property `neurid_<label>`. A unit that the model declines to
    name has no label.

    Raises
    ------
    NoResults
        If there are no predictions.
    """
    parts = get_predictions(analyzer).all_predictions()
    unit_ids = np.asarray(analyzer.unit_ids).tolist()
    definitions = {
        f"{PREFIX}{part.label_name}": {"label_options": part.classes.tolist(), "exclusive": True} for part in parts
    }
    labels: dict[Any, dict[str, list[str]]] = {unit_id: {} for unit_id in unit_ids}
    for part in parts:
        for unit_id, name in zip(unit_ids, find_names(part).tolist(), strict=True):
            if name:
                labels[unit_id][f"{PREFIX}{part.label_name}"] = [name]
    return {
        "format_version": "2",
        "unit_ids": unit_ids,
        "label_definitions": definitions,
        "manual_labels": [{"unit_id": unit_id, "labels": own} for unit_id, own in labels.items() if own],
        "removed": [],
        "merges": [],
        "splits": [],
    }

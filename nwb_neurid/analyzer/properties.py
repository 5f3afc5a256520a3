"""Predictions as properties of units, curations, and columns of phy."""

from pathlib import Path
from typing import Any

import numpy as np
from spikeinterface.core import SortingAnalyzer

from nwb_neurid._system.names import PREFIX
from nwb_neurid.analyzer.predictions import ComputeNeuridPredictions, find_names
from nwb_neurid.errors import CannotWrite, NoResults

WIDTH = 64
"""Maximum length of text. SpikeInterface truncates longer text when it writes a property to Zarr again."""


def get_predictions(analyzer: SortingAnalyzer) -> ComputeNeuridPredictions:
    """Return the extension `neurid_predictions` of an analyzer.

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
    """Set the predictions of an analyzer as properties of its units.

    The property `neurid_<label>` is the predicted class, or "" if the model abstains. The property
    `neurid_<label>_probability` is the probability of the most probable class.

    Parameters
    ----------
    analyzer
        A sorting analyzer with the extension `neurid_predictions`.
    save
        Also write the properties into the folder of the analyzer.

    Returns
    -------
    list of str
        The names of the properties.

    Raises
    ------
    NoResults
        If there are no predictions.
    CannotWrite
        If the name of a class is longer than 64 characters.

    Examples
    --------
    >>> from spikeinterface import core
    >>> recording, sorting = core.generate_ground_truth_recording(durations=[20.0], num_channels=4, num_units=5, seed=0)
    >>> analyzer = core.create_sorting_analyzer(sorting, recording, sparse=False)
    >>> from nwb_neurid import fit_labels
    >>> from nwb_neurid.simulate import simulate
    >>> animals = [simulate(units=30, duration_s=30.0, animal=number).population() for number in range(3)]
    >>> groups = {"FS": "inhibitory", "LTS": "inhibitory", "*": "excitatory"}
    >>> model = fit_labels("isi", animals, label="cell_type", map=groups)
    >>> predictions = analyzer.compute("neurid_predictions", model=model, progress_bar=False)
    >>> set_neurid_properties(analyzer)
    ['neurid_cell_type', 'neurid_cell_type_probability']
    """
    names = []
    for found in get_predictions(analyzer).all_predictions():
        if long := [name for name in found.classes.tolist() if len(name) > WIDTH]:
            raise CannotWrite(
                f"The class {long[0]!r} has {len(long[0])} characters, a property of SpikeInterface can hold "
                f"{WIDTH}. Fit the label head with shorter names of classes."
            )
        name = f"{PREFIX}{found.label_name}"
        probability = found.probability.astype(np.float64)
        analyzer.set_sorting_property(name, find_names(found).astype(f"U{WIDTH}"), save=save)
        analyzer.set_sorting_property(f"{name}_probability", probability, save=save)
        names += [name, f"{name}_probability"]
    return names


def export_neurid_to_phy(analyzer: SortingAnalyzer, folder: str | Path, **options: Any) -> None:
    """Export an analyzer to phy, with the predictions as columns of phy's cluster table.

    This function removes units without spikes, and then calls SpikeInterface's `export_to_phy`. If `export_to_phy`
    removed these units itself, the cluster numbers in the table would not match the cluster numbers of the spikes.

    Parameters
    ----------
    analyzer
        A sorting analyzer with `neurid_predictions`, and the extensions that `export_to_phy` needs.
    folder
        The folder to create.
    **options
        The same as in `spikeinterface.exporters.export_to_phy`.

    Raises
    ------
    NoResults, CannotWrite
        For the same reasons as in `set_neurid_properties`.

    Examples
    --------
    >>> export_neurid_to_phy(analyzer, "phy")  # doctest: +SKIP
    """
    from spikeinterface.exporters import export_to_phy

    get_predictions(analyzer)
    spikes = analyzer.sorting.count_num_spikes_per_unit()
    fired = [unit for unit in analyzer.unit_ids if spikes[unit]]
    exported = analyzer if len(fired) == len(analyzer.unit_ids) else analyzer.select_units(fired)
    names = [*options.pop("additional_properties", ()), *set_neurid_properties(exported, save=False)]
    export_to_phy(exported, folder, additional_properties=names, **options)


def neurid_curation(analyzer: SortingAnalyzer) -> dict[str, Any]:
    """Convert the predictions of an analyzer to a curation of SpikeInterface (format version 2) for a JSON file.

    `spikeinterface.curation.apply_curation` sets the predictions as the property `neurid_<label>`. A unit from which
    the model abstains has no label.

    Parameters
    ----------
    analyzer
        A sorting analyzer with the extension `neurid_predictions`.

    Returns
    -------
    dict
        The curation.

    Raises
    ------
    NoResults
        If there are no predictions.

    Examples
    --------
    >>> from spikeinterface import core
    >>> recording, sorting = core.generate_ground_truth_recording(durations=[20.0], num_channels=4, num_units=5, seed=0)
    >>> analyzer = core.create_sorting_analyzer(sorting, recording, sparse=False)
    >>> from nwb_neurid import fit_labels
    >>> from nwb_neurid.simulate import simulate
    >>> animals = [simulate(units=30, duration_s=30.0, animal=number).population() for number in range(3)]
    >>> groups = {"FS": "inhibitory", "LTS": "inhibitory", "*": "excitatory"}
    >>> model = fit_labels("isi", animals, label="cell_type", map=groups)
    >>> predictions = analyzer.compute("neurid_predictions", model=model, progress_bar=False)
    >>> neurid_curation(analyzer)["label_definitions"]
    {'neurid_cell_type': {'label_options': ['excitatory', 'inhibitory'], 'exclusive': True}}
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

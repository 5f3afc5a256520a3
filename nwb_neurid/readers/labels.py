"""What units are known to be: the text that a source has on them, as the labels of a `Population`."""

from collections.abc import Mapping, Sequence

import numpy as np
from jaxtyping import Shaped

from nwb_neurid.population import UNKNOWN as UNKNOWN

OURS = "neurid_"
"""What this project wrote into a source: predictions, and so nothing that is known."""

ALIASES: Mapping[str, Sequence[str]] = {
    "cell_type": ("cell_type", "putative_cell_type", "celltype", "neuron_type"),
    "brain_region": ("brain_region", "brain_area", "region", "location", "structure_acronym"),
}
"""What sources call the labels that have one name here, the most telling first."""


def labels_of(columns: Mapping[str, Sequence[object]]) -> dict[str, Shaped[np.ndarray, " units"]]:
    """Every column that knows something of a unit, under its own name, and under ours if it has another.

    Parameters
    ----------
    columns
        One value a unit. What is no text counts as unknown, so that numbers make no label.

    Returns
    -------
    dict
        Text of shape (units,), "" where unknown. Columns in which all is unknown are left out.
    """
    labels = {}
    for name, values in columns.items():
        texts = [value.strip() if isinstance(value, str) else "" for value in values]
        if not name.startswith(OURS) and any(text.lower() not in UNKNOWN for text in texts):
            labels[name] = np.array(["" if text.lower() in UNKNOWN else text for text in texts], np.str_)
    for ours, theirs in ALIASES.items():
        for name in theirs:
            if name in labels:
                labels[ours] = labels[name]
                break
    return labels

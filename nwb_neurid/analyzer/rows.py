"""Transfer results to a changed list of units, for example after units were selected or merged."""

from collections.abc import Mapping
from dataclasses import replace
from typing import TypeVar

import numpy as np

from nwb_neurid.results import Embeddings, Predictions

AnyResults = TypeVar("AnyResults", Embeddings, Predictions)

MISSING: Mapping[str, str | float] = {
    "vectors": np.nan,
    "n_windows": 0,
    "stability": np.nan,
    "label": "",
    "class_probabilities": np.nan,
    "prediction_set": False,
    "abstained": True,
    "ood_score": np.nan,
}
"""The values of a unit without a result, for each field of the results."""


def spread_results(found: AnyResults, rows: np.ndarray, unit_ids: np.ndarray, why: str) -> AnyResults:
    """Transfer results to other units, given the row of each unit. A unit with a negative row gets the reason `why`."""
    absent = rows < 0
    parts = {name: getattr(found, name)[rows] for name in MISSING if hasattr(found, name)}
    for name, part in parts.items():
        part[absent] = MISSING[name]
    return replace(found, unit_ids=unit_ids, reasons=np.where(absent, why, found.reasons[rows]), **parts)

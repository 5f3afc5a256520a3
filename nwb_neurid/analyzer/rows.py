"""Transfer results to other units than those for which they were computed."""

from dataclasses import replace

import numpy as np

from nwb_neurid.results import Embeddings, Predictions


def spread_embeddings(found: Embeddings, rows: np.ndarray, unit_ids: np.ndarray, why: str) -> Embeddings:
    """Transfer embeddings to other units, given the row of each; a unit with a negative row gets the reason."""
    absent = rows < 0
    return replace(
        found,
        unit_ids=unit_ids,
        vectors=np.where(absent[:, None], np.float32(np.nan), found.vectors[rows]),
        n_windows=np.where(absent, np.int32(0), found.n_windows[rows]),
        stability=np.where(absent, np.float32(np.nan), found.stability[rows]),
        reasons=np.where(absent, why, found.reasons[rows]),
    )


def spread_predictions(found: Predictions, rows: np.ndarray, unit_ids: np.ndarray, why: str) -> Predictions:
    """Transfer predictions to other units, given the row of each; a unit with a negative row gets the reason."""
    absent = rows < 0
    return replace(
        found,
        unit_ids=unit_ids,
        label=np.where(absent, "", found.label[rows]),
        class_probabilities=np.where(absent[:, None], np.float32(np.nan), found.class_probabilities[rows]),
        prediction_set=~absent[:, None] & found.prediction_set[rows],
        abstained=absent | found.abstained[rows],
        reasons=np.where(absent, why, found.reasons[rows]),
        ood_score=np.where(absent, np.float32(np.nan), found.ood_score[rows]),
    )

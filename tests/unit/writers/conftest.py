"""Four units, one of them without a vector, and predictions of their type."""

import numpy as np
import pytest

from nwb_neurid.results import Embeddings, Predictions, Provenance


@pytest.fixture
def population(make_population):
    return make_population(
        labels={
            "cell_type": np.array(["PV", "", "SST", "PV"]),
            "reason": np.array(["a", "b", "", ""]),
            "label_reason": np.array(["x", "", "", ""]),
        },
        group=np.array(["imec0", "imec0", "imec1", "imec1"]),
    )


@pytest.fixture
def embeddings(population):
    vectors = np.random.default_rng(0).normal(size=(4, 3)).astype(np.float32)
    return Embeddings.of(
        population,
        vectors,
        reasons=["", "silent", "", ""],
        provenance=Provenance(encoder="isi", config={"bins": 3}, notes=("scaled",), software={"numpy": "2"}),
    )


@pytest.fixture
def predictions(population, embeddings):
    known = np.array([[0.9, 0.1], [np.nan, np.nan], [0.4, 0.6], [0.5, 0.5]], np.float32)
    return Predictions(
        label_name="cell_type",
        scope="",
        classes=np.array(["PV", "SST"]),
        unit_ids=population.unit_ids,
        label=np.array(["PV", "", "SST", "PV"]),
        class_probabilities=known,
        prediction_set=known > 0.45,
        abstained=np.array([False, True, False, True]),
        reasons=np.array(["", "silent", "", "unsure"]),
        ood_score=np.zeros(4, np.float32),
        prevalence=np.full(2, 0.5, np.float32),
        coverage=0.9,
    )

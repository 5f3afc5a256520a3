"""Animals whose units have vectors around the centre of their class, each animal a little off."""

from collections.abc import Callable

import numpy as np
import pytest

from nwb_neurid.labels.fitting import fit_head
from nwb_neurid.results import Embeddings, Provenance

CLASSES = ("CH", "FS", "RS")


class Animals:
    """Vectors, labels and subjects of some animals."""

    def __init__(self, animals=10, units=30, *, distance=3.0, dim=4, seed=0, shares=(0.2, 0.3, 0.5)):
        rng = np.random.default_rng(seed)
        centres = distance * np.eye(len(CLASSES), dim)
        truth = rng.choice(len(CLASSES), animals * units, p=shares)
        truth[: len(CLASSES)] = np.arange(len(CLASSES))
        of = np.repeat(np.arange(animals), units)
        off = rng.normal(scale=0.3, size=(animals, dim))
        self.vectors = (centres[truth] + off[of] + rng.normal(size=(len(truth), dim))).astype(np.float32)
        self.labels = np.array(CLASSES)[truth]
        self.subjects = np.array([f"mouse {animal}" for animal in of])

    def fit(self, **options):
        return fit_head(self.vectors, self.labels, self.subjects, **{"label_name": "cell_type"} | options)

    def embeddings(self, **provenance):
        return embeddings_of(self.vectors, **provenance)


def embeddings_of(vectors, *, n_windows=1, **provenance):
    """Embeddings with these vectors; a row of NaN has none."""
    vectors = np.asarray(vectors, np.float32)
    reasons = np.where(np.isnan(vectors).any(axis=1), "no spikes", "")
    return Embeddings(
        vectors=np.where((reasons == "")[:, None], vectors, np.nan).astype(np.float32),
        unit_ids=np.arange(len(vectors)),
        n_windows=np.where(reasons == "", n_windows, 0).astype(np.int32),
        stability=np.full(len(vectors), np.nan, np.float32),
        reasons=reasons,
        provenance=Provenance(encoder="isi", encoder_version="1", **provenance),
    )


@pytest.fixture(scope="session")
def animals() -> Callable[..., Animals]:
    """Makes `Animals`."""
    return Animals


@pytest.fixture(scope="session")
def embedded() -> Callable[..., Embeddings]:
    """Makes embeddings, see `embeddings_of`."""
    return embeddings_of


@pytest.fixture(scope="session")
def trained():
    """A head fitted to ten animals."""
    return Animals().fit()

"""`neurid_predictions`: what each unit of an analyzer is, with its probability, or why that is not said."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, final

import numpy as np
from spikeinterface.core import SortingAnalyzer

from nwb_neurid.analyzer.extension import WITHOUT_MODEL, NeuridExtension, read_population, register
from nwb_neurid.analyzer.rows import spread_predictions
from nwb_neurid.analyzer.serialization import pack_predictions, unpack_predictions
from nwb_neurid.contracts import Progress
from nwb_neurid.errors import InvalidOption
from nwb_neurid.labels.head import choose_head, identify_encoder
from nwb_neurid.model.model import Model
from nwb_neurid.population import Population
from nwb_neurid.results import Embeddings, Predictions

if TYPE_CHECKING:
    import pandas as pd

OPTIONS = ("coverage", "prior", "smooth")


@final
class ComputeNeuridPredictions(NeuridExtension):
    """What each unit is, with its calibrated probability and the right to decline, by the label heads of a model.

    The vectors of `neurid_embeddings` are used where they are of the same model, or else computed and not kept.
    Spikes are evidence, and unit locations are needed for `smooth` alone.

    Parameters
    ----------
    model
        A `nwb_neurid.Model` with label heads, or the folder of one.
    label
        Which head; "" for all that the model has.
    coverage, prior, smooth
        As for `nwb_neurid.labels.prediction.predict`.
    encoder, preset, untrained, seed, device, pool_groups, weights_sha256
        As for `neurid_embeddings`.

    Raises
    ------
    NeuridError
        Whatever stands in the way; earlier results stay as they were.
    """

    extension_name = "neurid_predictions"

    @classmethod
    def get_optional_dependencies(cls, **params: Any) -> list[str]:
        """The vectors too."""
        return [*super().get_optional_dependencies(**params), "neurid_embeddings"]

    def _set_params(
        self,
        model: Model | str | Path = "",
        label: str = "",
        coverage: float | None = None,
        prior: Mapping[str, float] | str | None = None,
        smooth: bool = False,
        encoder: str = "",
        preset: str | None = None,
        untrained: bool = False,
        seed: int = 0,
        device: str = "auto",
        pool_groups: bool = False,
        weights_sha256: str | None = None,
    ) -> dict[str, Any]:
        return self._with_model(
            model=model,
            label=label,
            coverage=coverage,
            prior=prior,
            smooth=smooth,
            encoder=encoder,
            preset=preset,
            untrained=untrained,
            seed=seed,
            device=device,
            pool_groups=pool_groups,
            weights_sha256=weights_sha256,
        )

    def _model(self) -> Model:
        found = super()._model()
        if self.params["label"] or not found.heads:
            choose_head(found.heads, self.params["label"])
        return found

    def _compute(self, analyzer: SortingAnalyzer, progress: Progress) -> dict[str, np.ndarray]:
        model = self._model()
        population = read_population(analyzer, model)
        embeddings = self._embed(analyzer, model, population, progress)
        options = {name: self.params[name] for name in OPTIONS}
        labels = [self.params["label"]] if self.params["label"] else list(model.heads)
        return pack_predictions(
            [model.predict(embeddings, label, population=population, **options) for label in labels]
        )

    def _embed(self, analyzer: SortingAnalyzer, model: Model, population: Population, progress: Progress) -> Embeddings:
        there = analyzer.get_extension("neurid_embeddings")
        if there is not None and there.params["pool_groups"] == self.params["pool_groups"] and there.is_whole:
            embeddings: Embeddings = there.embeddings()
            if identify_encoder(embeddings.provenance) == model.identity:
                return embeddings
        return model.embed(population, pool_groups=self.params["pool_groups"], progress=progress)

    def _keep_rows(self, unit_ids: np.ndarray, rows: np.ndarray) -> dict[str, np.ndarray]:
        return pack_predictions(
            [spread_predictions(part, rows, unit_ids, WITHOUT_MODEL) for part in self.all_predictions()]
        )

    def predictions(self, label: str = "") -> Predictions:
        """The results as nwb_neurid has them.

        Raises
        ------
        InvalidOption
            If there are none on this label, or on several and it is not said which.
        """
        found = {part.label_name: part for part in self.all_predictions()}
        if label in found or (not label and len(found) == 1):
            return found[label or next(iter(found))]
        raise InvalidOption(f"Name one of the labels that were predicted: {', '.join(found)}. Got {label!r}.")

    def all_predictions(self) -> list[Predictions]:
        """The results on each label."""
        return unpack_predictions(self.data, np.asarray(self.sorting_analyzer.unit_ids))

    def _get_data(self, outputs: str = "dataframe", label: str = "") -> "np.ndarray | pd.DataFrame":
        """Names and probabilities by unit id, or the probabilities of the classes as an array."""
        found = self.predictions(label)
        if outputs == "numpy":
            return found.class_probabilities
        if outputs == "dataframe":
            return tabulate(found)
        raise InvalidOption(f'outputs must be "numpy" or "dataframe", got {outputs!r}.')


def tabulate(found: Predictions) -> "pd.DataFrame":
    """The table of SpikeInterface's own model-based curation, and what else is known.

    The columns `prediction`, "" where the model declines, and `probability`, that of the most probable class, which
    stands in `most_probable`.
    """
    table = found.to_dataframe().set_index("unit_id").rename(columns={"predicted_label": "most_probable"})
    table.insert(0, "prediction", find_names(found).astype(object))
    table.insert(1, "probability", table.pop("probability"))
    return table


def find_names(found: Predictions) -> np.ndarray:
    """The class of each unit, "" where the model declines."""
    return np.where(found.abstained, "", found.label)


register(ComputeNeuridPredictions)
compute_neurid_predictions = ComputeNeuridPredictions.function_factory()

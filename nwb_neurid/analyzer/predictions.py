"""`neurid_predictions`: the predicted label of each unit of an analyzer, or the reason for abstaining."""

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
    """The predicted label of each unit with its calibrated probability, by the label heads of a model.

    The vectors of `neurid_embeddings` are used if they are of the same model; otherwise vectors are computed and not
    kept. Unit locations are needed for `smooth` only.

    Parameters
    ----------
    model
        A `nwb_neurid.Model` with label heads, or the folder of one.
    label
        Which label to predict; "" for every label that the model has a head for.
    coverage, prior, smooth
        As for `nwb_neurid.labels.prediction.predict`.
    encoder, preset, untrained, seed, device, pool_groups, weights_sha256
        As for `neurid_embeddings`.

    Raises
    ------
    NeuridError
        If labels cannot be predicted or saved; earlier results stay as they were.

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
    >>> predictions.get_data()[["prediction", "probability"]].shape
    (5, 2)
    """

    extension_name = "neurid_predictions"

    @classmethod
    def get_optional_dependencies(cls, **params: Any) -> list[str]:
        """List the extensions that are used if they are there. Called by SpikeInterface.

        Parameters
        ----------
        **params
            Parameters of the extension.

        Returns
        -------
        list of str
            Names of extensions, the vectors among them.
        """
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
        return self._add_model(
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

    def _load_model(self) -> Model:
        found = super()._load_model()
        if self.params["label"] or not found.heads:
            choose_head(found.heads, self.params["label"])
        return found

    def _compute(self, analyzer: SortingAnalyzer, progress: Progress) -> dict[str, np.ndarray]:
        model = self._load_model()
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
        """Return the results for one label.

        Parameters
        ----------
        label
            Which label; "" for the only one.

        Returns
        -------
        Predictions
            One row for each unit of the analyzer.

        Raises
        ------
        InvalidOption
            If there are no results for this label, or for several labels and `label` is empty.
        """
        found = {part.label_name: part for part in self.all_predictions()}
        if label in found or (not label and len(found) == 1):
            return found[label or next(iter(found))]
        raise InvalidOption(f"Name one of the labels that were predicted: {', '.join(found)}. Got {label!r}.")

    def all_predictions(self) -> list[Predictions]:
        """Return the results for every label.

        Returns
        -------
        list of Predictions
            One for each label that was predicted, one row per unit of the analyzer.
        """
        return unpack_predictions(self.data, np.asarray(self.sorting_analyzer.unit_ids))

    def _get_data(self, outputs: str = "dataframe", label: str = "") -> "np.ndarray | pd.DataFrame":
        """Return labels and probabilities by unit id, or the probabilities of the classes as an array."""
        found = self.predictions(label)
        if outputs == "numpy":
            return found.class_probabilities
        if outputs == "dataframe":
            return tabulate(found)
        raise InvalidOption(f'outputs must be "numpy" or "dataframe", got {outputs!r}.')


def tabulate(found: Predictions) -> "pd.DataFrame":
    """Tabulate predictions as SpikeInterface's own model-based curation does, with further columns.

    `prediction` is "" where the model abstains; `probability` is that of the most probable class, `most_probable`.
    """
    table = found.to_dataframe().set_index("unit_id").rename(columns={"predicted_label": "most_probable"})
    table.insert(0, "prediction", find_names(found).astype(object))
    table.insert(1, "probability", table.pop("probability"))
    return table


def find_names(found: Predictions) -> np.ndarray:
    """Find the predicted class of each unit; "" where the model abstains."""
    return np.where(found.abstained, "", found.label)


register(ComputeNeuridPredictions)
compute_neurid_predictions = ComputeNeuridPredictions.function_factory()

"""`neurid_predictions`: the predicted label of each unit of an analyzer, or the reason for abstaining."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, final

import numpy as np
from spikeinterface.core import SortingAnalyzer

from nwb_neurid.analyzer.extension import WITHOUT_MODEL, NeuridExtension, read_population, register
from nwb_neurid.analyzer.models import names_model
from nwb_neurid.analyzer.rows import spread_results
from nwb_neurid.analyzer.serialization import pack_beside, pack_predictions, unpack_beside, unpack_predictions
from nwb_neurid.contracts import Progress
from nwb_neurid.errors import InvalidOption
from nwb_neurid.labels.criteria import AUTO, NONE
from nwb_neurid.labels.head import choose_head, identify_encoder
from nwb_neurid.labels.prediction import PredictionOptions
from nwb_neurid.model.model import Model
from nwb_neurid.population import Population
from nwb_neurid.results import Embeddings, Predictions
from nwb_neurid.workflows.cell_types import plan_cell_types

if TYPE_CHECKING:
    import pandas as pd

OPTIONS = ("coverage", "prior", "smooth")


@final
class ComputeNeuridPredictions(NeuridExtension):
    """The predicted label of each unit and its calibrated probability, computed by the label heads of a model.

    If no model is given, cell types are predicted as in `nwb-neurid embed`, with published criteria and with the
    included model for cell types. The criteria and this model need the extension `templates`.

    If `neurid_embeddings` was computed with the same model, its vectors are used. Otherwise, vectors are computed but
    not kept. Unit locations are needed only for `smooth`.

    Parameters
    ----------
    model
        A `nwb_neurid.Model` with label heads, or the folder of such a model.
    label
        The label to predict; "" for all labels of the model.
    coverage, prior, smooth
        The same as in `nwb_neurid.labels.prediction.predict`.
    encoder, preset, untrained, seed, device, pool_groups, weights_sha256
        The same as in `neurid_embeddings`.
    criteria
        The name of a published criterion for cell types, "none", or "auto" for all suitable criteria. The default is
        "none" if a model is given, and "auto" otherwise.
    cell_types
        Also predict with the included models that have label heads. By default, this is done only if no model is given.

    Raises
    ------
    NeuridError
        If labels cannot be predicted or saved. Earlier results are then unchanged.

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
        """List the extensions that are used if they exist. SpikeInterface calls this method.

        Parameters
        ----------
        **params
            Parameters of the extension.

        Returns
        -------
        list of str
            Names of the extensions, including `neurid_embeddings`.
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
        criteria: str = "",
        cell_types: bool | None = None,
    ) -> dict[str, Any]:
        params = {name: value for name, value in locals().items() if name != "self"}
        named = names_model(params)
        params["criteria"] = criteria or (NONE if named else AUTO)
        params["cell_types"] = not named if cell_types is None else cell_types
        return self._add_model(**params)

    def _load_model(self) -> Model:
        found = super()._load_model()
        only = self.params.get("criteria", NONE) == NONE and not self.params.get("cell_types")
        if only and (self.params["label"] or not found.heads):
            choose_head(found.heads, self.params["label"])
        return found

    def _compute(self, analyzer: SortingAnalyzer, progress: Progress) -> dict[str, np.ndarray]:
        model, asked = self._load_model(), self.params["label"]
        population = read_population(analyzer, model)
        options = {name: self.params[name] for name in OPTIONS}
        plan = plan_cell_types(
            population,
            self.params.get("criteria", NONE),
            models=bool(self.params.get("cell_types")),
            device=self.params["device"],
        )
        plan.check(population, PredictionOptions(**options), "")
        labels = [label for label in model.heads if asked in ("", label)]
        found: list[Predictions] = []
        if labels:
            embeddings = self._embed(analyzer, model, population, progress)
            found = [model.predict(embeddings, label, population=population, **options) for label in labels]
        others = plan.apply(
            population, PredictionOptions(**options), pool_groups=self.params["pool_groups"], progress=progress
        )
        further = [part for each in others for part in each.results.predictions]
        found += [part for part in further if part.label_name not in labels and asked in ("", part.label_name)]
        if not found:
            known = sorted({*model.heads, *(part.label_name for part in further)})
            raise InvalidOption(
                f"There are no predictions of {asked!r}. Labels with predictions: {', '.join(known) or 'none'}."
            )
        kept = {each.results.name: each.results.embeddings for each in others if each.is_worth_keeping}
        return {**pack_predictions(found), **pack_beside(kept)}

    def _embed(self, analyzer: SortingAnalyzer, model: Model, population: Population, progress: Progress) -> Embeddings:
        there = analyzer.get_extension("neurid_embeddings")
        if there is not None and there.params["pool_groups"] == self.params["pool_groups"] and there.is_whole:
            embeddings: Embeddings = there.embeddings()
            if identify_encoder(embeddings.provenance) == model.identity:
                return embeddings
        return model.embed(population, pool_groups=self.params["pool_groups"], progress=progress)

    def _keep_rows(self, unit_ids: np.ndarray, rows: np.ndarray) -> dict[str, np.ndarray]:
        kept = {name: spread_results(each, rows, unit_ids, WITHOUT_MODEL) for name, each in self.beside().items()}
        parts = [spread_results(part, rows, unit_ids, WITHOUT_MODEL) for part in self.all_predictions()]
        return {**pack_predictions(parts), **pack_beside(kept)}

    def predictions(self, label: str = "") -> Predictions:
        """Return the results for one label.

        Parameters
        ----------
        label
            Name of the label. It can be "" if there are results for only one label.

        Returns
        -------
        Predictions
            One row for each unit of the analyzer.

        Raises
        ------
        InvalidOption
            If there are no results for this label, or if `label` is empty although there are results for several
            labels.
        """
        found = {part.label_name: part for part in self.all_predictions()}
        if label in found or (not label and len(found) == 1):
            return found[label or next(iter(found))]
        raise InvalidOption(f"label must be one of the predicted labels ({', '.join(found)}), got {label!r}.")

    def all_predictions(self) -> list[Predictions]:
        """Return the results for every label.

        Returns
        -------
        list of Predictions
            One `Predictions` for each predicted label, with one row per unit of the analyzer.
        """
        return unpack_predictions(self.data, np.asarray(self.sorting_analyzer.unit_ids))

    def beside(self) -> dict[str, Embeddings]:
        """Return the measurements of the criteria, and the vectors of the included models for cell types.

        Returns
        -------
        dict of Embeddings
            One `Embeddings` object for each criterion and for each included model whose results were kept, by the name
            of these results. The object of a criterion holds the measurements that the criterion uses, and the object
            of a model holds its vectors. Each object contains its predictions, and has one row per unit of the
            analyzer. The dictionary is empty if a model was given.
        """
        vectors = unpack_beside(self.data, np.asarray(self.sorting_analyzer.unit_ids))
        parts = self.all_predictions()
        return {
            name: replace(
                each, predictions={part.label_name: part for part in parts if part.provenance == each.provenance}
            )
            for name, each in vectors.items()
        }

    def _get_data(self, outputs: str = "dataframe", label: str = "") -> "np.ndarray | pd.DataFrame":
        """Return labels and probabilities by unit id, or the probabilities of the classes as an array."""
        found = self.predictions(label)
        if outputs == "numpy":
            return found.class_probabilities
        if outputs == "dataframe":
            return tabulate(found)
        raise InvalidOption(f'outputs must be "numpy" or "dataframe", got {outputs!r}.')


def tabulate(found: Predictions) -> "pd.DataFrame":
    """Tabulate predictions with the columns of SpikeInterface's model-based curation, and with further columns.

    The column `prediction` is "" if the model abstains. The column `probability` is the probability of the most
    probable class, which is in the column `most_probable`.
    """
    table = found.to_dataframe().set_index("unit_id").rename(columns={"predicted_label": "most_probable"})
    table.insert(0, "prediction", find_names(found).astype(object))
    table.insert(1, "probability", table.pop("probability"))
    return table


def find_names(found: Predictions) -> np.ndarray:
    """Find the predicted class of each unit; "" if the model abstains from the unit."""
    return np.where(found.abstained, "", found.label)


register(ComputeNeuridPredictions)
compute_neurid_predictions = ComputeNeuridPredictions.function_factory()

"""Cell types in addition to the vectors: by published criteria, and by bundled models that have label heads."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import partial

from nwb_neurid.contracts import Progress, silent
from nwb_neurid.contracts.compatibility import list_problems
from nwb_neurid.errors import InvalidOption
from nwb_neurid.labels.criteria import Criterion, apply_criterion, choose_criteria
from nwb_neurid.labels.head import LabelHead
from nwb_neurid.labels.prediction import PredictionOptions, check_options, predict_all
from nwb_neurid.model.bundled import list_with_heads, read_spec
from nwb_neurid.model.making import load_model
from nwb_neurid.model.model import Model
from nwb_neurid.population import Population
from nwb_neurid.results import Embeddings, Predictions
from nwb_neurid.writers.outputs import Results, name_after


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class CellTypes:
    """Cell types by one criterion or model.

    Parameters
    ----------
    results
        Name of the results in a file, a vector per unit, and the predictions.
    summary
        One line with the number of units per class; "" for a model, whose predictions are reported one by one.
    """

    results: Results
    summary: str = ""

    @property
    def embeddings(self) -> Embeddings:
        """Return the vectors with their predictions."""
        _, embeddings, predictions = self.results
        return replace(embeddings, predictions={part.label_name: part for part in predictions})

    @property
    def is_worth_keeping(self) -> bool:
        """Return whether any unit has a vector or a class."""
        measured = bool((self.results.embeddings.reasons == "").any())
        return measured or any(bool((~each.abstained).any()) for each in self.results.predictions)


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class CellTypePlan:
    """The criteria and models to apply to a recording.

    Parameters
    ----------
    criteria
        Published criteria, by the name of their results.
    models
        Bundled models with label heads, by the name of their results.
    """

    criteria: dict[str, Criterion]
    models: dict[str, Model]

    def check(self, population: Population, prediction: PredictionOptions, name: str) -> None:
        """Refuse options that none of the heads supports, and a name that is already in use.

        Parameters
        ----------
        population
            The recording.
        prediction
            The options of the heads.
        name
            The name of the results of the main model.

        Raises
        ------
        InvalidOption
            If there is such an option, or the name is in use.
        """
        if name in {*self.criteria, *self.models}:
            raise InvalidOption(
                f"--name {name} is already the name of the cell types that are written beside the "
                "vectors: choose another."
            )
        for model in self.models.values():
            check_options(model.heads, population, prediction)

    def apply(
        self, population: Population, prediction: PredictionOptions, *, pool_groups: bool, progress: Progress
    ) -> list[CellTypes]:
        """Apply all criteria and models to a recording."""
        found = []
        for name, criterion in self.criteria.items():
            judgement = apply_criterion(criterion, population, progress=progress)
            results = Results(name, judgement.measured, [judgement.predictions])
            found.append(CellTypes(results=results, summary=judgement.summary))
        for name, model in self.models.items():
            made = embed_and_predict(model, population, prediction, pool_groups=pool_groups, progress=progress)
            found.append(CellTypes(results=Results(name, *made)))
        return found


def embed_and_predict(
    model: Model, population: Population, prediction: PredictionOptions, *, pool_groups: bool, progress: Progress
) -> tuple[Embeddings, list[Predictions]]:
    """Compute the vectors of a recording, and the predictions of the label heads of the model."""
    embeddings = model.embed(population, pool_groups=pool_groups, progress=progress)
    again = partial(model.embed, pool_groups=pool_groups, progress=silent)
    return embeddings, predict_all(model.heads, embeddings, population, prediction, again)


def plan_cell_types(population: Population, criteria: str, *, models: bool, device: str) -> CellTypePlan:
    """Choose the criteria and models to apply to a recording.

    Parameters
    ----------
    population
        The recording.
    criteria
        As for `nwb_neurid.labels.criteria.choose_criteria`.
    models
        Whether to also apply bundled models with label heads.
    device
        The device for these models.

    Raises
    ------
    InvalidOption
        If there is no such criterion, or it cannot be applied to this recording.
    """
    able = [name for name in list_with_heads(population.activity.kind) if models and _fits(population, name)]
    loaded = {name_after(name.replace("-", "_")): load_model(name, device=device) for name in able}
    return CellTypePlan(
        criteria={name_after(each.name): each for each in choose_criteria(population, criteria)},
        models={name: model for name, model in loaded.items() if not explain_abstention(population, model.heads)},
    )


def _fits(population: Population, name: str) -> bool:
    return not list_problems(population, read_spec(name))


def explain_abstention(population: Population, heads: Mapping[str, LabelHead]) -> str:
    """Explain why these heads would abstain from every unit of a recording.

    Return "" if at least one head would not.
    """
    required = [head.required for head in heads.values() if head.required is not None and head.required.of]
    if len(required) < len(heads) or any(getattr(population, each.of, None) is not None for each in required):
        return ""
    return "; ".join(dict.fromkeys(each.reason for each in required))

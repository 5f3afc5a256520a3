"""What is said of the kinds of units beside their vectors: published criteria, and the models that ship with heads."""

from dataclasses import dataclass

from nwb_neurid.contracts import Progress
from nwb_neurid.contracts.compatibility import list_problems
from nwb_neurid.errors import InvalidOption
from nwb_neurid.labels.criteria import Criterion, apply_criterion, choose_criteria
from nwb_neurid.labels.prediction import PredictionOptions, check_options, predict_all
from nwb_neurid.model.bundled import list_naming, read_spec
from nwb_neurid.model.model import Model, load_model
from nwb_neurid.population import Population
from nwb_neurid.writers.outputs import Results, name_after


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Naming:
    """What one criterion or model says of the kinds of units.

    Parameters
    ----------
    results
        What it is called in a file, a vector for each unit, and its predictions.
    summary
        One line on how many units are of which class; "" for a model, whose predictions each say that.
    """

    results: Results
    summary: str = ""

    @property
    def is_worth_keeping(self) -> bool:
        """Whether any unit got a vector or a class."""
        measured = bool((self.results.embeddings.reasons == "").any())
        return measured or any(bool((~each.abstained).any()) for each in self.results.predictions)


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class NamingPlan:
    """What is to be asked about the kinds of units.

    Parameters
    ----------
    criteria
        Published criteria, by what they are called in a file.
    models
        Models that ship with label heads, by what they are called in a file.
    """

    criteria: dict[str, Criterion]
    models: dict[str, Model]

    def check(self, population: Population, prediction: PredictionOptions, name: str) -> None:
        """Refuse options that no head takes, and a name of the results that is taken.

        Raises
        ------
        InvalidOption
            If there is one.
        """
        if name in {*self.criteria, *self.models}:
            raise InvalidOption(
                f"{name!r} is what results beside those of the model are called: choose another --name."
            )
        for model in self.models.values():
            check_options(model.heads, population, prediction)

    def apply(
        self, population: Population, prediction: PredictionOptions, *, pool_groups: bool, progress: Progress
    ) -> list[Naming]:
        """Apply all of it to a recording."""
        found = []
        for name, criterion in self.criteria.items():
            judgement = apply_criterion(criterion, population, progress=progress)
            results = Results(name, judgement.measured, [judgement.predictions])
            found.append(Naming(results=results, summary=judgement.summary))
        for name, model in self.models.items():
            embeddings = model.embed(population, pool_groups=pool_groups, progress=progress)
            predictions = predict_all(model.heads, embeddings, population, prediction)
            found.append(Naming(results=Results(name, embeddings, predictions)))
        return found


def plan_naming(population: Population, criteria: str, *, models: bool, device: str) -> NamingPlan:
    """Choose what is asked about the kinds of units of a recording.

    Parameters
    ----------
    population
        The recording.
    criteria
        As for `nwb_neurid.labels.criteria.choose_criteria`.
    models
        Whether models that ship with label heads are asked too.
    device
        What they are built for.

    Raises
    ------
    InvalidOption
        If there is no such criterion, or it is not for this recording.
    """
    able = [name for name in list_naming(population.activity.kind) if models and _fits(population, name)]
    return NamingPlan(
        criteria={name_after(each.name): each for each in choose_criteria(population, criteria)},
        models={name_after(name.replace("-", "_")): load_model(name, device=device) for name in able},
    )


def _fits(population: Population, name: str) -> bool:
    return not list_problems(population, read_spec(name))

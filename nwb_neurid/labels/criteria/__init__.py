"""Published criteria for the type of a unit, applied without training.

A criterion is an instance of `Criterion`. Each included criterion is a module that defines `CRITERION`.
"""

from collections.abc import Mapping

from nwb_neurid.errors import InvalidOption
from nwb_neurid.labels.criteria import bombcell, cellexplorer
from nwb_neurid.labels.criteria.criterion import Criterion as Criterion
from nwb_neurid.labels.criteria.criterion import Judgement as Judgement
from nwb_neurid.labels.criteria.criterion import Unit as Unit
from nwb_neurid.labels.criteria.criterion import Verdict as Verdict
from nwb_neurid.labels.criteria.criterion import apply_criterion as apply_criterion
from nwb_neurid.population import Population

CRITERIA: Mapping[str, Criterion] = {
    criterion.name: criterion for criterion in (cellexplorer.CRITERION, bombcell.CRITERION)
}
AUTO, NONE = "auto", "none"
CHOICES = (AUTO, *CRITERIA, NONE)


def choose_criteria(population: Population, name: str = AUTO) -> list[Criterion]:
    """Choose the criteria for a recording.

    Parameters
    ----------
    population
        The recording.
    name
        The name of a criterion, "none", or "auto" for those that fit the recording.

    Raises
    ------
    InvalidOption
        If there is no such criterion, or a criterion is given by name but the recording has no spikes.
    """
    if name == AUTO:
        return [criterion for criterion in CRITERIA.values() if criterion.suits(population)]
    if name == NONE:
        return []
    if name not in CRITERIA:
        raise InvalidOption(f"There is no criterion {name!r}. Choose one of: {', '.join(CHOICES)}.")
    if population.activity.kind != "spikes":
        raise InvalidOption(
            f"Criterion {name!r} is for spikes, {population.source or 'the recording'} has {population.activity.kind}. "
            "Leave --criteria out."
        )
    return [CRITERIA[name]]

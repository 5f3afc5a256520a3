"""`Cohort`: the units of several recordings side by side, with what is known of them."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Int64, Shaped

from nwb_neurid.population import Population


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Cohort:
    """One row for each unit of all recordings, one recording after the other.

    Parameters
    ----------
    label
        What is to be told.
    populations
        The recordings, with the subject of each.
    truth
        The class of each unit, shape (units,); "" where it is not known.
    neuron
        Which neuron each row is, shape (units,): rows of one neuron share it.
    helps_only
        Whether a unit is only ever trained on, shape (units,).
    """

    label: str
    populations: tuple[Population, ...]
    truth: Shaped[np.ndarray, " units"]
    neuron: Int64[np.ndarray, " units"]
    helps_only: Bool[np.ndarray, " units"]

    @property
    def sizes(self) -> list[int]:
        """Units of each recording."""
        return [len(population) for population in self.populations]

    @property
    def subject(self) -> Shaped[np.ndarray, " units"]:
        """The animal of each unit, shape (units,)."""
        return np.repeat([population.subject_id for population in self.populations], self.sizes)

    @property
    def recording(self) -> Int64[np.ndarray, " units"]:
        """Which recording each unit is of, shape (units,)."""
        return np.repeat(np.arange(len(self.populations)), self.sizes)

    @property
    def row(self) -> Int64[np.ndarray, " units"]:
        """Row of each unit in its recording, shape (units,)."""
        return np.concatenate([np.arange(size) for size in self.sizes])

    def rows_of(self, recording: int) -> Int64[np.ndarray, " rows"]:
        """Rows here of the units of a recording."""
        return np.flatnonzero(self.recording == recording)


def cohort_of(
    label: str,
    populations: Sequence[Population],
    truth: Shaped[np.ndarray, " units"],
    *,
    helping: int = 0,
    neuron: Int64[np.ndarray, " units"] | None = None,
) -> Cohort:
    """A cohort of recordings, of which the last `helping` are only ever trained on."""
    sizes = [len(population) for population in populations]
    first_helper = sum(sizes[: len(sizes) - helping])
    return Cohort(
        label=label,
        populations=tuple(populations),
        truth=truth,
        neuron=np.arange(len(truth)) if neuron is None else neuron,
        helps_only=np.arange(len(truth)) >= first_helper,
    )

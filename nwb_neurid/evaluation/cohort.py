"""The cohort: the units of several recordings in one table, with their labels."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

import numpy as np
from jaxtyping import Bool, Int64, Shaped

from nwb_neurid._system.warning import warn
from nwb_neurid.contracts import Progress, ReadOptions, silent
from nwb_neurid.errors import InvalidOption
from nwb_neurid.labels.duplicates import find_neurons
from nwb_neurid.labels.mapping import check_table, map_labels, read_subjects
from nwb_neurid.labels.training_data import collect_examples
from nwb_neurid.model.model import Model
from nwb_neurid.population import Population
from nwb_neurid.readers import check_each_once, read_for, reader_for
from nwb_neurid.workflows.datasets import StoredRecording, open_datasets
from nwb_neurid.workflows.fit_labels import match_stored, read_named, select_labelled

Table: TypeAlias = Mapping[str, str] | str | Path | None
"""A mapping of names, the path of a table with pairs of names, or None."""


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Cohort:
    """One row for each unit of all recordings, one recording after the other.

    Parameters
    ----------
    label
        The label to predict.
    populations
        The recordings, each with its subject.
    truth
        The class of each unit, shape (units,); "" where it is not known.
    neuron
        Index of the neuron of each row, shape (units,). Rows that may be one neuron have the same index.
    train_only
        Whether a unit is used only for training and never tested, shape (units,).
    stored
        The stored recordings, if the populations come from datasets of vectors. Datasets do not contain the activity.
    """

    label: str
    populations: tuple[Population, ...]
    truth: Shaped[np.ndarray, " units"]
    neuron: Int64[np.ndarray, " units"]
    train_only: Bool[np.ndarray, " units"]
    stored: tuple[StoredRecording, ...] = ()

    @classmethod
    def of(
        cls,
        label: str,
        populations: Sequence[Population],
        truth: Shaped[np.ndarray, " units"],
        *,
        train_only: int = 0,
        neuron: Int64[np.ndarray, " units"] | None = None,
        stored: Sequence[StoredRecording] = (),
    ) -> "Cohort":
        """Build the cohort of some recordings. The last `train_only` recordings are never tested."""
        sizes = [len(population) for population in populations]
        first = sum(sizes[: len(sizes) - train_only])
        return cls(
            label=label,
            populations=tuple(populations),
            truth=truth,
            neuron=np.arange(len(truth)) if neuron is None else neuron,
            train_only=np.arange(len(truth)) >= first,
            stored=tuple(stored),
        )

    @property
    def sizes(self) -> list[int]:
        """Number of units of each recording."""
        return [len(population) for population in self.populations]

    @property
    def subject(self) -> Shaped[np.ndarray, " units"]:
        """The animal of each unit, shape (units,)."""
        return np.repeat([population.subject_id for population in self.populations], self.sizes)

    @property
    def recording(self) -> Int64[np.ndarray, " units"]:
        """Index of the recording of each unit, shape (units,)."""
        return np.repeat(np.arange(len(self.populations)), self.sizes)

    @property
    def row(self) -> Int64[np.ndarray, " units"]:
        """Row of each unit in its recording, shape (units,)."""
        return np.concatenate([np.arange(size) for size in self.sizes])

    def find_rows(self, recording: int) -> Int64[np.ndarray, " rows"]:
        """Find the rows of the cohort that contain the units of a recording."""
        return np.flatnonzero(self.recording == recording)


def read_cohort(
    models: Sequence[Model],
    sources: Sequence[object],
    *,
    label: str,
    train: Sequence[object] = (),
    map: Table = None,
    subjects: Table = None,
    reading: ReadOptions | None = None,
    pool_groups: bool = False,
    progress: Progress = silent,
) -> tuple[Cohort, dict[str, set[str]]]:
    """Read recordings into a cohort. The parameters are those of `nwb_neurid.evaluate`.

    Returns
    -------
    tuple
        The cohort, and all names that each subject has in the recordings and in the table.

    Raises
    ------
    NeuridError
        If a recording, a table or the label cannot be used.
    """
    check_table(map)
    named = read_subjects(subjects)
    check_each_once([*sources, *train])
    both = [open_datasets(each, models[0], reading=reading, pool_groups=pool_groups) for each in (sources, train)]
    every = [*both[0], *both[1]]
    if len({isinstance(each, StoredRecording) for each in every}) > 1:
        raise InvalidOption(
            "Datasets of vectors and recordings cannot be mixed: pass only datasets or only "
            "recordings, also to --train."
        )
    spec = next((each.spec for each in models if each.spec.uses_covariates), models[0].spec)
    options = reading or ReadOptions()
    found = [
        source
        if isinstance(source, Population | StoredRecording)
        else read_for(spec, reader_for(source), source, options)
        for source in progress(every, label="recordings", total=len(every))
    ]
    populations, aliases = read_named(models[0], found, named, options, silent)
    never_tested = {id(population) for population in populations[len(both[0]) :]}
    known = select_labelled(populations, label)
    stored = match_stored(every, populations, known)
    cohort = Cohort.of(
        label,
        known,
        map_labels(np.concatenate([each.labels[label].astype(np.str_) for each in known]), map),
        train_only=sum(id(population) in never_tested for population in known),
        neuron=find_neurons(known, found=[each.neuron for each in stored] or None, progress=progress),
        stored=stored,
    )
    return cohort, aliases


def select_scorable(cohort: Cohort, has_vector: Bool[np.ndarray, " units"]) -> Bool[np.ndarray, " units"]:
    """Select the units that have a vector and a label of a class with enough units.

    Raises
    ------
    CannotFit
        If there are fewer than two classes of two units.

    Warns
    -----
    NeuridWarning
        If units are left out, or the labels are doubtful.
    """
    known = cohort.truth != ""
    if lost := int((known & ~has_vector).sum()):
        warn(
            f"{lost} of {int(known.sum())} units with a known {cohort.label} are not scored, because at least one "
            "encoder has no vector for them."
        )
    labels = np.where(has_vector, cohort.truth, "")
    examples, notes = collect_examples(np.zeros((len(labels), 1)), labels, cohort.subject, None, None, cohort.label)
    for note in notes:
        warn(note)
    return np.asarray(has_vector & np.isin(labels, examples.classes))

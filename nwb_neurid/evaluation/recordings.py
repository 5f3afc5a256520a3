"""From recordings to a cohort: whose units they are, what is known of them, and which can be scored."""

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Bool

from nwb_neurid.contracts import Progress, ReadOptions, silent
from nwb_neurid.errors import NeuridWarning
from nwb_neurid.evaluation.cohort import Cohort, cohort_of
from nwb_neurid.labels.duplicates import find_neurons
from nwb_neurid.labels.mapping import check_table, map_labels, read_subjects
from nwb_neurid.labels.training_data import collect_examples
from nwb_neurid.model.model import Model
from nwb_neurid.population import Population
from nwb_neurid.readers import check_each_once, read_for, reader_for
from nwb_neurid.workflows.fit_labels import with_label, with_subjects

Table = Mapping[str, str] | str | Path | None


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Wanted:
    """Recordings, and what is wanted of them; fields as for `nwb_neurid.evaluation.run.evaluate`."""

    sources: Sequence[object]
    train: Sequence[object]
    label: str
    map: Table
    subjects: Table
    reading: ReadOptions


def gathered(models: Sequence[Model], wanted: Wanted, progress: Progress) -> tuple[Cohort, dict[str, set[str]]]:
    """The cohort, and by which names its recordings call each subject.

    Raises
    ------
    NeuridError
        Whatever is wrong with a recording, a table, or the label.
    """
    check_table(wanted.map)
    named = read_subjects(wanted.subjects)
    every = [*wanted.sources, *wanted.train]
    check_each_once(every)
    spec = next((each.spec for each in models if each.spec.uses_covariates), models[0].spec)
    found = [
        source if isinstance(source, Population) else read_for(spec, reader_for(source), source, wanted.reading)
        for source in progress(every, label="recordings", total=len(every))
    ]
    called, aliases = with_subjects(models[0], found, named, wanted.reading, silent)
    helping = {id(population) for population in called[len(wanted.sources) :]}
    known = with_label(called, wanted.label)
    truth = map_labels(np.concatenate([each.labels[wanted.label].astype(np.str_) for each in known]), wanted.map)
    helpers = sum(id(population) in helping for population in known)
    neuron = find_neurons(known, progress=progress)
    return cohort_of(wanted.label, known, truth, helping=helpers, neuron=neuron), aliases


def scorable(cohort: Cohort, seen: Bool[np.ndarray, " units"]) -> Bool[np.ndarray, " units"]:
    """Units with a vector whose label can be learnt; what is left out, and what is doubtful in the labels, is told.

    Raises
    ------
    CannotFit
        If fewer than two classes can be told apart.
    """
    known = cohort.truth != ""
    if lost := int((known & ~seen).sum()):
        warnings.warn(
            f"{lost} of {int(known.sum())} units with a known {cohort.label} are not scored: not every encoder has a "
            "vector of them.",
            NeuridWarning,
            stacklevel=3,
        )
    labels = np.where(seen, cohort.truth, "")
    examples, notes = collect_examples(np.zeros((len(labels), 1)), labels, cohort.subject, None, None, cohort.label)
    for note in notes:
        warnings.warn(note, NeuridWarning, stacklevel=3)
    return np.asarray(seen & np.isin(labels, examples.classes))

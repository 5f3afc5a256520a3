"""Check whether recordings agree with a recipe."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from nwb_neurid.contracts import Progress, ReadOptions, silent
from nwb_neurid.datasets.dataset import Dataset
from nwb_neurid.errors import NeuridError, SourceNotFound
from nwb_neurid.labels.mapping import map_labels
from nwb_neurid.population import Population
from nwb_neurid.readers import read_with, reader_for


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """Result of the check of one recording.

    Parameters
    ----------
    path
        The recording.
    subject, session
        Subject and session that the recording states.
    units
        Number of units that are not excluded.
    classes
        Number of units of each class of the label.
    problem
        The problem with the recording; "" if there is none.
    """

    path: Path
    subject: str = ""
    session: str = ""
    units: int = 0
    classes: tuple[tuple[str, int], ...] = ()
    problem: str = ""


def check(
    dataset: Dataset, paths: Sequence[Path], reading: ReadOptions, *, progress: Progress = silent
) -> tuple[list[Finding], list[str]]:
    """Check that each recording can be read, has units and the label, and that the test subjects are present.

    Parameters
    ----------
    dataset
        The recipe.
    paths
        The recordings.
    reading
        Options for reading them.
    progress
        Reports every recording.

    Returns
    -------
    tuple
        The result for each recording, and a list of what is missing from the dataset.

    Raises
    ------
    SourceNotFound
        If there are no recordings.
    """
    check_found(dataset, paths)
    found = [_look(dataset, path, reading) for path in progress(paths, label="recordings", total=len(paths))]
    subjects, sessions = {each.subject for each in found}, {each.session for each in found}
    lacking = []
    if dataset.source.sessions is not None and len(paths) < dataset.source.sessions:
        lacking.append(f"{len(paths)} of {dataset.source.sessions} recordings were found.")
    if missing := [name for name in dataset.splits.test_subjects if name not in subjects]:
        lacking.append(f"Test subjects without a recording: {', '.join(missing)}.")
    if missing := [name for name in dataset.splits.test_sessions if name not in sessions]:
        lacking.append(f"{len(missing)} of {len(dataset.splits.test_sessions)} test sessions were not found.")
    return found, lacking


def check_found(dataset: Dataset, sources: Sequence[object]) -> None:
    """Check that at least one recording is given.

    Raises
    ------
    SourceNotFound
        If no recording is given.
    """
    if not sources:
        raise SourceNotFound(
            f"No recordings of {dataset.name} were found. Download them, or pass the folder that holds them."
        )


def find_test_subjects(dataset: Dataset, populations: Sequence[Population]) -> list[str]:
    """Find the test subjects of a recipe, by their names and by their sessions.

    Parameters
    ----------
    dataset
        The recipe.
    populations
        The recordings.

    Returns
    -------
    list of str
        The test subjects that are among the recordings.
    """
    named, sessions = {*dataset.splits.test_subjects}, {*dataset.splits.test_sessions}
    return sorted({each.subject_id for each in populations if each.subject_id in named or each.session_id in sessions})


def _look(dataset: Dataset, path: Path, reading: ReadOptions) -> Finding:
    try:
        population = read_with(reader_for(path), path, replace(reading, covariates=False))
        about = Finding(path=path, subject=population.subject_id, session=population.session_id)
        kept = [row for row in range(len(population)) if row not in population.excluded]
        if dataset.label.name not in population.labels:
            there = ", ".join(population.labels) or "none"
            return replace(
                about, units=len(kept), problem=f"it has no label {dataset.label.name} (it has: {there}); see --labels"
            )
        named = map_labels(population.labels[dataset.label.name][kept], dataset.label.map or None)
    except NeuridError as error:
        return Finding(path=path, problem=str(error))
    classes = Counter(name for name in named.tolist() if name)
    problem = "" if kept else "no unit is left"
    return replace(about, units=len(kept), classes=tuple(classes.most_common()), problem=problem)

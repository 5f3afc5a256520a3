"""Fit a label head: read recordings, embed them, collect the known labels of their units, and fit the head."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from jaxtyping import Int64

from nwb_neurid._system.bars import automatic
from nwb_neurid._system.text import join_some
from nwb_neurid._system.warning import warn
from nwb_neurid.contracts import Progress, ReadOptions
from nwb_neurid.errors import CannotFit, InvalidOption
from nwb_neurid.labels.duplicates import find_neurons
from nwb_neurid.labels.fitting import check_head, check_label, fit_head
from nwb_neurid.labels.mapping import check_table, check_unambiguous, find_subject, map_labels, read_subjects
from nwb_neurid.labels.neighbours import REGION_LABELS, find_nearest_rows, stack_rows
from nwb_neurid.model.model import Model
from nwb_neurid.population import Population
from nwb_neurid.readers import check_each_once, read_for, reader_for
from nwb_neurid.workflows.datasets import is_stored, open_datasets
from nwb_neurid.workflows.models import resolve_model
from nwb_neurid.writers.dataset import StoredRecording


def fit_labels(
    model: Model | str | Path,
    sources: Sequence[object],
    *,
    label: str,
    head: str = "linear",
    map: Mapping[str, str] | str | Path | None = None,
    subjects: Mapping[str, str] | str | Path | None = None,
    scope: str = "",
    coverage: float = 0.9,
    seed: int = 0,
    reading: ReadOptions | None = None,
    pool_groups: bool = False,
    progress: Progress = automatic,
) -> Model:
    """Fit a label head to the vectors of recordings whose labels are known. The model itself is not changed.

    The head is calibrated on held-out animals. If there is only one animal, the neurons are split into folds instead,
    and duplicates of a neuron stay in the same fold.

    Parameters
    ----------
    model
        A model, its folder, the name of an included model, or the name of an encoder that needs no training.
    sources
        Recordings, in any form that `nwb_neurid.read` accepts, or as `Population`. A dataset of vectors is accepted
        as well, that is, a folder that `nwb-neurid embed --workers N --output FOLDER` writes. The recordings of a
        dataset are not embedded again.
    label
        The label to learn: "cell_type", "brain_region", or the name of a text column.
    head
        Classifier: "linear" (multinomial logistic regression) or "mlp".
    map
        New names of classes: a mapping from old to new names, a csv table with the columns `old` and `new`, or the name
        of a grouping of Allen CCF regions, which is "beryl" or "cosmos".
    subjects
        The subjects of recordings that do not state their subject: a mapping from path or file name to subject, or a
        csv table with the columns `source` and `subject`.
    scope
        A text that describes the neurons for which the predictions are valid, for example "opto-tagged interneurons of
        mouse V1".
    coverage
        Share of units whose prediction set should contain the true label, between 0 and 1.
    seed
        Random seed, for reproducible results.
    reading
        Options for reading the recordings.
    pool_groups
        Embed all groups of units (probes, imaging planes) of a recording together. By default, each group is embedded
        separately.
    progress
        Progress callback for the long loops. By default, progress bars are shown in a notebook.

    Returns
    -------
    Model
        The model with the new head. If the model already had a head for this label, the new head replaces it.
        `Model.save` writes the model to a folder.

    Raises
    ------
    InvalidOption
        If a recording has no subject or is listed twice, or an option cannot be used.
    CannotFit
        If no recording has the label, or fewer than two classes can be learned.
    NeuridError
        If a recording or the model cannot be read.

    Warns
    -----
    NeuridWarning
        If a recording is left out, if the encoder was trained on some of the animals, or if labels are doubtful.
        Labels are doubtful, for example, if two names may mean the same class.

    Examples
    --------
    >>> from dataclasses import replace
    >>> import numpy as np
    >>> from nwb_neurid.testing import mock_population
    >>> known = {"cell_type": np.array(["PV", "SST"] * 6)}
    >>> animals = [
    ...     replace(mock_population(units=12, seed=seed), labels=known, subject_id=f"mouse {seed}") for seed in range(3)
    ... ]
    >>> model = fit_labels("isi", animals, label="cell_type", scope="simulated neurons")
    >>> model.heads["cell_type"].classes.tolist()
    ['PV', 'SST']
    """
    check_head(head, coverage)
    check_label(label)
    check_table(map)
    check_each_once(sources)
    built = resolve_model(model)
    named = read_subjects(subjects)
    opened = open_datasets(sources, built, reading=reading, pool_groups=pool_groups)
    populations, aliases = read_named(built, opened, named, reading or ReadOptions(), progress)
    known = select_labelled(populations, label)
    stored = match_stored(opened, populations, known)
    vectors = [each.embeddings.vectors for each in stored] or [
        built.embed(each, pool_groups=pool_groups, progress=progress).vectors
        for each in progress(known, label="embedding", total=len(known))
    ]
    names = [each.subject_id for each in known]
    seen = _find_seen(built, {name: aliases[name] for name in names})
    alone = len({*names}) == 1  # whether folds split neurons instead of animals
    fitted = fit_head(
        np.concatenate(vectors),
        map_labels(np.concatenate([each.labels[label].astype(np.str_) for each in known]), map),
        np.repeat(names, [len(each) for each in known]),
        label_name=label,
        scope=scope,
        kind=head,
        coverage=coverage,
        seed=seed,
        groups=find_neurons(known, found=[each.neuron for each in stored] or None, progress=progress)
        if alone
        else None,
        neighbours=_find_voters(known) if label in REGION_LABELS else None,
        encoder=built.identity,
        details={
            "activities": sorted({each.activity.kind for each in known}),
            "recordings": len(known),
            "sessions": sorted({each.session_id for each in known} - {""}),
            "animals_seen_by_encoder": len(seen),
        },
        progress=progress,
    )
    return replace(built, heads={**built.heads, label: fitted})


def read_named(
    model: Model, sources: Sequence[object], subjects: Mapping[str, str], options: ReadOptions, progress: Progress
) -> tuple[list[Population], dict[str, set[str]]]:
    """Read recordings with their subjects. Also return all names that each subject has in the table and in the files.

    Raises
    ------
    InvalidOption
        If a recording has no subject.
    """
    nameless, found = [], []
    aliases: dict[str, set[str]] = {}
    sources = [each.population if isinstance(each, StoredRecording) else each for each in sources]
    check_unambiguous([each.source if isinstance(each, Population) else str(each) for each in sources], subjects)
    for source in progress(sources, label="recordings", total=len(sources)):
        if isinstance(source, Population):
            population, name = source, source.source
        else:
            population, name = read_for(model.spec, reader_for(source), source, options), str(source)
        subject = find_subject(name, population.subject_id, subjects)
        if not subject:
            nameless.append(name or "a population in memory")
        found.append(replace(population, subject_id=subject))
        aliases.setdefault(subject, set()).update({subject, population.subject_id} - {""})
    if nameless:
        raise InvalidOption(
            f"{len(nameless)} of {len(sources)} recordings do not state their subject ({join_some(nameless)}), which "
            "is needed to tell animals apart. State it in a table: --subjects table.csv, with the columns source and "
            "subject."
        )
    return found, aliases


def select_labelled(populations: Sequence[Population], label: str) -> list[Population]:
    """Select the recordings that have units and this label.

    Raises
    ------
    CannotFit
        If there is no such recording.

    Warns
    -----
    NeuridWarning
        If a recording is left out.
    """
    known = [population for population in populations if label in population.labels and len(population)]
    if not known:
        there = dict.fromkeys(name for population in populations for name in population.labels)
        raise CannotFit(f"No recording has the label {label}. Labels of the recordings: {', '.join(there) or 'none'}.")
    for lacks in ("units", label):
        without = [
            population.source or "a recording in memory"
            for population in populations
            if (not len(population) if lacks == "units" else len(population) and label not in population.labels)
        ]
        if len(without) == 1:
            warn(f"{without[0]} has no {lacks} and is left out.")
        elif without:
            left_out = f"{len(without)} recordings have no {lacks} and are left out: {join_some(without)}."
            warn(left_out)
    return known


def match_stored(
    opened: Sequence[object], populations: Sequence[Population], known: Sequence[Population]
) -> list[StoredRecording]:
    """Find the stored recordings of populations, in order. The result is empty if recordings were embedded."""
    if not is_stored(opened):
        return []
    origin = {id(population): each for population, each in zip(populations, opened, strict=True)}
    return [origin[id(population)] for population in known]


def _find_voters(populations: Sequence[Population]) -> Int64[np.ndarray, "units nearest"] | None:
    """Return the rows of the units that vote together, over all recordings.

    Return None unless all have groups and positions.
    """
    found = []
    for population in populations:
        if population.group is None or population.positions_um is None:
            return None
        found.append(find_nearest_rows(population.group, population.positions_um))
    return stack_rows(found)


def _find_seen(model: Model, aliases: Mapping[str, set[str]]) -> set[str]:
    """Return the subjects on which the encoder was trained. All names of a subject are considered."""
    trained = model.details.get("subjects")
    known = {*map(str, trained)} if isinstance(trained, list | tuple) else set()
    seen = {subject for subject, names in aliases.items() if names & known}
    if seen:
        warn(
            f"The encoder was trained on {len(seen)} of these {len(aliases)} subjects, without labels: on other "
            "subjects, the head may do worse than its scores and coverage suggest."
        )
    return seen

"""Fitting a label head: read recordings, embed them, collect what is known of their units, fit."""

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from jaxtyping import Float32, Int64, Shaped

from nwb_neurid import registry
from nwb_neurid.contracts import Progress, ReadOptions, silent
from nwb_neurid.errors import CannotFit, InvalidOption, NeuridWarning, UntrainedEncoder
from nwb_neurid.labels.duplicates import find_neurons
from nwb_neurid.labels.fitting import check_head, fit_head
from nwb_neurid.labels.mapping import check_table, check_unambiguous, find_subject, map_labels, read_subjects
from nwb_neurid.labels.neighbours import REGION_LABELS, find_nearest_rows
from nwb_neurid.model.model import Model, load_model, new_model
from nwb_neurid.population import Population
from nwb_neurid.readers import check_each_once, read_for, reader_for


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class _Units:
    """Units of some recordings with what is known of them, one row each."""

    vectors: Float32[np.ndarray, "units dim"]
    labels: Shaped[np.ndarray, " units"]
    subjects: Shaped[np.ndarray, " units"]
    neighbours: Int64[np.ndarray, "units nearest"] | None


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
    progress: Progress = silent,
) -> Model:
    """Fit a head that predicts a label from the vectors of a model. The model itself stays as it is.

    Parameters
    ----------
    model
        A model, its folder, or the name of an encoder that needs no training.
    sources
        Recordings, each whatever `nwb_neurid.read` takes, or a `Population`.
    label
        Which of their labels: "cell_type", "brain_region", or the name of a column of text.
    head
        "linear" or "mlp".
    map
        New names of classes, see `nwb_neurid.labels.mapping.map_labels`.
    subjects
        The subject of each recording that names none, by its path or file name, or a table with the columns source
        and subject.
    scope
        Among which neurons the prediction holds, in words: "opto-tagged interneurons of mouse V1".
    coverage, seed
        As for `nwb_neurid.labels.fitting.fit_head`.
    reading
        For the readers.
    pool_groups, progress
        As for `Model.embed`.

    Returns
    -------
    Model
        With the head, in place of one for the same label. `Model.save` keeps it.

    Raises
    ------
    InvalidOption
        If no recording has the label, one has no subject, or an option cannot be.
    CannotFit
        If fewer than two classes can be told apart.
    NeuridError
        Whatever is wrong with a recording or the model.
    """
    check_head(head, coverage)
    check_table(map)
    check_each_once(sources)
    built = as_model(model)
    named = read_subjects(subjects)
    populations, aliases = with_subjects(built, sources, named, reading or ReadOptions(), progress)
    known = with_label(populations, label)
    units = _collected(built, known, label, pool_groups, progress)
    seen = _seen_by_encoder(built, {name: aliases[name] for name in units.subjects.tolist()})
    alone = len(np.unique(units.subjects)) == 1  # then folds part neurons, and otherwise animals
    fitted = fit_head(
        units.vectors,
        map_labels(units.labels, map),
        units.subjects,
        label_name=label,
        scope=scope,
        kind=head,
        coverage=coverage,
        seed=seed,
        groups=find_neurons(known, progress=progress) if alone else None,
        neighbours=units.neighbours,
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


def as_model(model: Model | str | Path) -> Model:
    """A model as it is, that of a folder, or a new one of an encoder that needs no training.

    Raises
    ------
    InvalidModel
        If it is neither a folder with a model nor the name of an encoder.
    UntrainedEncoder
        If it is an encoder that learns.
    """
    if isinstance(model, Model):
        return model
    if is_encoder(model):
        try:
            return new_model(str(model))
        except UntrainedEncoder:
            raise UntrainedEncoder(
                f"Encoder {str(model)!r} learns: name the folder of a model instead, as nwb-neurid train writes it."
            ) from None
    return load_model(model)


def is_encoder(model: str | Path) -> bool:
    """Whether this names an installed encoder rather than a folder with a model."""
    return not (Path(model) / "model.json").is_file() and str(model) in registry.encoders()


def with_subjects(
    model: Model, sources: Sequence[object], subjects: Mapping[str, str], options: ReadOptions, progress: Progress
) -> tuple[list[Population], dict[str, set[str]]]:
    """The recordings, each with its subject, and all names of each subject: in the table and in the files."""
    nameless, found = [], []
    aliases: dict[str, set[str]] = {}
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
        some = ", ".join(nameless[:3]) + (", ..." if len(nameless) > 3 else "")
        raise InvalidOption(
            f"{len(nameless)} of {len(sources)} recordings name no subject ({some}), and animals must not be mistaken "
            "for one. Name them: --subjects table.csv, with the columns source and subject."
        )
    return found, aliases


def with_label(populations: Sequence[Population], label: str) -> list[Population]:
    """Those that have units and know this label of them."""
    known = [population for population in populations if label in population.labels and len(population)]
    if not known:
        there = dict.fromkeys(name for population in populations for name in population.labels)
        raise CannotFit(f"No recording has the label {label}. They have: {', '.join(there) or 'none'}.")
    for population in populations:
        lacks = "units" if not len(population) else label if label not in population.labels else ""
        if lacks:
            name = population.source or "A recording in memory"
            warnings.warn(f"{name} has no {lacks} and is left out.", NeuridWarning, stacklevel=3)
    return known


def _collected(model: Model, populations: Sequence[Population], label: str, pool: bool, progress: Progress) -> _Units:
    vectors = [
        model.embed(population, pool_groups=pool, progress=progress).vectors
        for population in progress(populations, label="embedding", total=len(populations))
    ]
    sizes = [len(population) for population in populations]
    near = _near(populations, np.cumsum([0, *sizes[:-1]]).tolist()) if label in REGION_LABELS else None
    return _Units(
        vectors=np.concatenate(vectors),
        labels=np.concatenate([population.labels[label].astype(np.str_) for population in populations]),
        subjects=np.repeat([population.subject_id for population in populations], sizes),
        neighbours=near,
    )


def _near(populations: Sequence[Population], first: Sequence[int]) -> Int64[np.ndarray, "units nearest"] | None:
    """Who votes together, rows counted over all recordings; None unless all tell groups and positions."""
    found = []
    for population, offset in zip(populations, first, strict=True):
        if population.group is None or population.positions_um is None:
            return None
        rows = find_nearest_rows(population.group, population.positions_um)
        found.append(np.where(rows >= 0, rows + offset, -1))
    return np.concatenate(found)


def _seen_by_encoder(model: Model, aliases: Mapping[str, set[str]]) -> set[str]:
    """Which of these subjects, each with all of its names, the encoder was trained on."""
    trained = model.details.get("subjects")
    known = {*map(str, trained)} if isinstance(trained, list | tuple) else set()
    seen = {subject for subject, names in aliases.items() if names & known}
    if seen:
        warnings.warn(
            f"The encoder was trained on {len(seen)} of these {len(aliases)} subjects, without labels: on "
            "others the head may do worse than its scores and its coverage say.",
            NeuridWarning,
            stacklevel=3,
        )
    return seen

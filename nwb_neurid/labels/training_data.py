"""The training units of label heads, warnings about doubtful labels, and folds that keep animals together."""

import warnings
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float64, Int64, Shaped

from nwb_neurid._system.names import CLASS_RULE, is_class_name
from nwb_neurid._system.text import join_some
from nwb_neurid.errors import CannotFit
from nwb_neurid.labels.spelling import group_spellings, group_variants


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Examples:
    """The training rows of a head.

    Parameters
    ----------
    vectors
        Shape (rows, dim).
    truth
        Index of the class, shape (rows,); -1 for rows that are neighbours only.
    animal, apart
        Index of the animal and of the neuron, shape (rows,).
    neighbours
        Rows of the neighbours, shape (rows, nearest), -1 if there are fewer; None if they are not known.
    classes
        Names of the classes, shape (classes,), ascending.
    """

    vectors: Float64[np.ndarray, "rows dim"]
    truth: Int64[np.ndarray, " rows"]
    animal: Int64[np.ndarray, " rows"]
    apart: Int64[np.ndarray, " rows"]
    neighbours: Int64[np.ndarray, "rows nearest"] | None
    classes: Shaped[np.ndarray, " classes"]

    @property
    def known(self) -> Bool[np.ndarray, " rows"]:
        """Return which rows have a known class."""
        return self.truth >= 0


def collect_examples(
    vectors: np.ndarray,
    labels: np.ndarray,
    subjects: np.ndarray,
    groups: np.ndarray | None,
    neighbours: np.ndarray | None,
    label_name: str,
) -> tuple[Examples, tuple[str, ...]]:
    """Collect the units that can be used for training, and warnings about doubtful labels.

    Raises
    ------
    CannotFit
        If there are fewer than two classes with at least two units, or the name of a class cannot be used.
    """
    seen = np.isfinite(vectors).all(axis=1)
    labels = np.where(seen, labels, "")
    names, counts = np.unique(labels[labels != ""], return_counts=True)
    if odd := [name for name in names.tolist() if not is_class_name(name)]:
        raise CannotFit(f"{label_name} has a class {odd[0]!r:.60}: {CLASS_RULE}. Rename it (--map).")
    single = names[counts == 1].tolist()
    notes = [
        f"{label_name} {name!r} has one unit and is left out: a class needs at least two units." for name in single
    ]
    classes = names[counts > 1]
    if len(classes) < 2:
        raise CannotFit(_explain_too_few(label_name, names, counts, int(seen.sum())))
    truth = np.where(np.isin(labels, classes), np.searchsorted(classes, labels), -1)
    kept = np.flatnonzero(seen & np.isin(subjects, np.unique(subjects[truth >= 0])))
    _, animal = np.unique(subjects[kept], return_inverse=True)
    apart = np.arange(len(labels)) if groups is None else np.unique(groups, return_inverse=True)[1]
    place = np.full(len(labels) + 1, -1, np.int64)
    place[kept] = np.arange(len(kept))
    examples = Examples(
        vectors=vectors[kept].astype(np.float64),
        truth=truth[kept],
        animal=animal,
        apart=apart[kept],
        neighbours=None if neighbours is None else place[neighbours[kept]],
        classes=classes,
    )
    return examples, (*notes, *_find_doubts(label_name, names, classes, truth, subjects))


def _explain_too_few(label_name: str, names: np.ndarray, counts: np.ndarray, seen: int) -> str:
    if not len(names):
        return f"No unit has a known {label_name}: of {seen} units with a vector, all are unknown."
    found = ", ".join(f"{name} {count}" for name, count in zip(names.tolist(), counts.tolist(), strict=True))
    return f"{label_name} needs two classes of at least two units each, got: {found}."


def _find_doubts(
    label_name: str, names: np.ndarray, classes: np.ndarray, truth: np.ndarray, subjects: np.ndarray
) -> list[str]:
    notes = [
        f"{label_name} {', '.join(map(repr, same))} may be one class spelt differently. If so, join them (--map)."
        for same in group_variants(names.tolist())
    ]
    known = truth >= 0
    notes += [
        f"Subjects {', '.join(map(repr, same))} may be one animal spelt differently, which would then be both trained "
        "on and tested. If so, give them one name (--subjects)."
        for same in group_spellings(np.unique(subjects[known]).tolist())
    ]
    pairs = np.unique(np.column_stack([np.unique(subjects[known], return_inverse=True)[1], truth[known]]), axis=0)
    animals = np.unique(subjects[known])
    if len(animals) == 1:
        return [
            *notes,
            f"All units are of one subject ({animals[0]}): it is unknown how well the label head does on "
            "other subjects.",
        ]
    from_one = classes[np.bincount(pairs[:, 1], minlength=len(classes)) == 1].tolist()
    if from_one:
        notes.append(
            f"{label_name} {', '.join(map(repr, from_one))} come{'s' if len(from_one) == 1 else ''} from one subject "
            "only: it is not known whether other subjects' units can be recognised."
        )
    of_one = animals[np.bincount(pairs[:, 0]) == 1].tolist()
    if of_one:
        notes.append(
            f"{len(of_one)} of {len(animals)} subjects have units of one {label_name} only ({join_some(of_one, 5)}): "
            "differences between classes and between subjects cannot be separated there."
        )
    return notes


def draw_folds(examples: Examples, count: int, seed: int) -> list[np.ndarray]:
    """Draw the rows that are held out in each fold.

    They are whole animals, or whole neurons if there is only one animal.
    """
    from sklearn.model_selection import StratifiedGroupKFold

    group = examples.animal if len(np.unique(examples.animal[examples.known])) > 1 else examples.apart
    rows = np.flatnonzero(examples.known)
    neurons = len(np.unique(group[rows]))
    if neurons < 2:
        raise CannotFit(
            f"All {len(rows)} units with a label may be one neuron recorded several times (their activity or place is "
            "the same): no unit is left to test a head on. Add recordings of other animals."
        )
    count = min(count, neurons, int(np.bincount(examples.truth[rows]).max()))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # about classes with fewer units than folds
        splits = StratifiedGroupKFold(count, shuffle=True, random_state=seed).split(
            rows, examples.truth[rows], group[rows]
        )
        left_out = [np.unique(group[rows[test]]) for _, test in splits]
    folds = [np.flatnonzero(np.isin(group, names)) for names in left_out if len(names)]
    rest = np.setdiff1d(np.arange(len(group)), np.concatenate(folds))  # neighbours of unknown class, with one animal
    folds[0] = np.concatenate([folds[0], rest])
    return folds

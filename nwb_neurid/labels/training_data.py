"""What label heads are fitted to, what its owner should know of it, and the folds that part no animal."""

import warnings
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float64, Int64, Shaped

from nwb_neurid.errors import CannotFit
from nwb_neurid.labels.spelling import group_spellings, group_variants


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Examples:
    """What a head is fitted to; `truth` is -1 for rows that only vote as neighbours."""

    vectors: Float64[np.ndarray, "rows dim"]
    truth: Int64[np.ndarray, " rows"]
    animal: Int64[np.ndarray, " rows"]
    apart: Int64[np.ndarray, " rows"]
    neighbours: Int64[np.ndarray, "rows nearest"] | None
    classes: Shaped[np.ndarray, " classes"]

    @property
    def known(self) -> Bool[np.ndarray, " rows"]:
        """Where the class is known."""
        return self.truth >= 0


def collect_examples(
    vectors: np.ndarray,
    labels: np.ndarray,
    subjects: np.ndarray,
    groups: np.ndarray | None,
    neighbours: np.ndarray | None,
    label_name: str,
) -> tuple[Examples, tuple[str, ...]]:
    """The units that can be learnt from, and what should be known about them."""
    seen = np.isfinite(vectors).all(axis=1)
    labels = np.where(seen, labels, "")
    names, counts = np.unique(labels[labels != ""], return_counts=True)
    single = names[counts == 1].tolist()
    notes = [f"{label_name} {name!r} has one unit and is left out: a class needs two." for name in single]
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
    return f"{label_name} needs two classes of at least two units each to be told apart, got: {found}."


def _find_doubts(
    label_name: str, names: np.ndarray, classes: np.ndarray, truth: np.ndarray, subjects: np.ndarray
) -> list[str]:
    notes = [
        f"{label_name} {', '.join(map(repr, same))} may be one class spelt differently. If so, join them (--map)."
        for same in group_variants(names.tolist())
    ]
    known = truth >= 0
    notes += [
        f"Subjects {', '.join(map(repr, same))} may be one animal spelt differently, which would then be trained on "
        "and tested. If so, name them alike (--subjects)."
        for same in group_spellings(np.unique(subjects[known]).tolist())
    ]
    pairs = np.unique(np.column_stack([np.unique(subjects[known], return_inverse=True)[1], truth[known]]), axis=0)
    animals = np.unique(subjects[known])
    if len(animals) == 1:
        return [*notes, f"All units are of one subject ({animals[0]}): nothing is known about others."]
    from_one = classes[np.bincount(pairs[:, 1], minlength=len(classes)) == 1].tolist()
    if from_one:
        notes.append(
            f"{label_name} {', '.join(map(repr, from_one))} come{'s' if len(from_one) == 1 else ''} from one subject "
            "only: whether that can be told in others is not known."
        )
    of_one = animals[np.bincount(pairs[:, 0]) == 1].tolist()
    if of_one:
        notes.append(
            f"{len(of_one)} of {len(animals)} subjects have units of one {label_name} only ({', '.join(of_one[:5])}"
            f"{', ...' if len(of_one) > 5 else ''}): there, what is of the class and what is of the subject cannot be "
            "told apart."
        )
    return notes


def draw_folds(examples: Examples, count: int, seed: int) -> list[np.ndarray]:
    """Which rows are left out in each fold: whole animals, or of one animal whole neurons."""
    from sklearn.model_selection import StratifiedGroupKFold

    parted = examples.animal if len(np.unique(examples.animal[examples.known])) > 1 else examples.apart
    rows = np.flatnonzero(examples.known)
    neurons = len(np.unique(parted[rows]))
    if neurons < 2:
        raise CannotFit(
            f"All {len(rows)} units with a label may be one neuron recorded several times (their activity or place is "
            "the same): nothing is left to check a head with. Add recordings of other animals."
        )
    count = min(count, neurons, int(np.bincount(examples.truth[rows]).max()))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # of classes with fewer units than folds
        splits = StratifiedGroupKFold(count, shuffle=True, random_state=seed).split(
            rows, examples.truth[rows], parted[rows]
        )
        left_out = [np.unique(parted[rows[test]]) for _, test in splits]
    folds = [np.flatnonzero(np.isin(parted, names)) for names in left_out if len(names)]
    rest = np.setdiff1d(np.arange(len(parted)), np.concatenate(folds))  # neighbours of unknown class, in one animal
    folds[0] = np.concatenate([folds[0], rest])
    return folds

"""The three protocols of the NuCLR paper (arXiv 2512.01199), and checks against leaks in each protocol.

- transductive: the encoder may have seen the test units. The head is trained on other units of the same recordings.
- transductive-zero-shot: the encoder may have seen the test animals. The head has not seen them.
- inductive-zero-shot: neither the encoder nor the head has seen the test animals.
"""

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Int64

from nwb_neurid.errors import CannotFit, InvalidOption, Leak
from nwb_neurid.evaluation.cohort import Cohort
from nwb_neurid.results import Json

TRANSDUCTIVE = "transductive"
INDUCTIVE = "inductive-zero-shot"
PROTOCOLS = (TRANSDUCTIVE, "transductive-zero-shot", INDUCTIVE)


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Split:
    """Rows of a cohort on whose labels a head is trained, and rows on which the head is tested."""

    train: Int64[np.ndarray, " train"]
    test: Int64[np.ndarray, " test"]


def check_protocol(protocol: str) -> None:
    """Check that the protocol exists.

    Raises
    ------
    InvalidOption
        If the protocol is none of `PROTOCOLS`.
    """
    if protocol not in PROTOCOLS:
        raise InvalidOption(f"There is no protocol {protocol!r}. Choose one of: {', '.join(PROTOCOLS)}.")


def split_cohort(
    cohort: Cohort,
    scored: Bool[np.ndarray, " units"],
    protocol: str,
    *,
    folds: int = 5,
    seed: int = 0,
    test_subjects: Sequence[str] = (),
) -> list[Split]:
    """Split a cohort into training and test units, fold by fold, without a leak.

    Parameters
    ----------
    cohort
        The units.
    scored
        Whether each unit can be used for training or for the test, shape (units,).
    protocol
        One of `PROTOCOLS`.
    folds
        Number of folds. With the protocol "transductive", neurons are split into folds. With the other protocols,
        subjects are split into folds.
    seed
        Random seed of the folds.
    test_subjects
        Test only these subjects. In the zero-shot protocols, all other subjects are used for training.

    Returns
    -------
    list of Split
        One split for each fold.

    Raises
    ------
    InvalidOption
        If the protocol or a subject does not exist, or if there are fewer than two folds.
    CannotFit
        If there are too few subjects or units.
    Leak
        If information about the test units would leak into training.
    """
    check_protocol(protocol)
    if folds < 2:
        raise InvalidOption(f"--folds must be at least 2, got {folds}.")
    subject = cohort.subject
    if unknown := sorted(set(test_subjects) - set(subject[~cohort.train_only].tolist())):
        there = ", ".join(np.unique(subject[~cohort.train_only]).tolist())
        raise InvalidOption(
            f"There is no recording of the test subject {', '.join(unknown)}. The recordings are of: {there}."
        )
    tested = scored & ~cohort.train_only & (np.isin(subject, list(test_subjects)) if test_subjects else True)
    if protocol != TRANSDUCTIVE and (both := sorted(set(subject[tested]) & set(subject[cohort.train_only]))):
        raise Leak(f"Test subjects also have recordings in --train: {', '.join(both)}. Leave those recordings out.")
    group = cohort.neuron if protocol == TRANSDUCTIVE else np.unique(subject, return_inverse=True)[1]
    held_out = bool(test_subjects) or bool(cohort.train_only.any())
    if protocol != TRANSDUCTIVE and held_out:
        left_out = [np.flatnonzero(tested)]
    else:
        left_out = _draw_folds(cohort, np.flatnonzero(tested), group, folds, seed, protocol)
    found = []
    for test in left_out:
        rest = scored & ~np.isin(group, group[test])
        found.append(Split(train=np.flatnonzero(rest), test=test))
        check_split(cohort, found[-1], protocol)
    return found


def _draw_folds(
    cohort: Cohort, tested: np.ndarray, group: np.ndarray, folds: int, seed: int, protocol: str
) -> list[np.ndarray]:
    from sklearn.model_selection import StratifiedGroupKFold

    count = len(np.unique(group[tested]))
    if count < 2:
        who = ", ".join(np.unique(cohort.subject[tested]).tolist()) or "none"
        what = "neurons" if protocol == TRANSDUCTIVE else "subjects"
        raise CannotFit(
            f"The protocol {protocol} holds out {what}, and needs at least two of them with a known {cohort.label}, "
            "got "
            f"{count} (subjects: {who})."
        )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # of classes with fewer units than folds
        most = np.unique(cohort.truth[tested], return_counts=True)[1].max()
        cut = StratifiedGroupKFold(min(folds, count, int(most)), shuffle=True, random_state=seed)
        parts = [tested[test] for _, test in cut.split(tested, cohort.truth[tested], group[tested])]
    return [part for part in parts if len(part)]


def check_split(cohort: Cohort, split: Split, protocol: str) -> None:
    """Check that a head is not trained on any of the units on which it is tested.

    Raises
    ------
    Leak
        If a neuron (or, in a zero-shot protocol, a subject) is used both for training and for the test.
    CannotFit
        If there are no training units or no test units.
    """
    if not len(split.train) or not len(split.test):
        side = "test" if len(split.train) else "train on"
        raise CannotFit(
            f"No unit with a known {cohort.label} is left to {side}. Choose other test subjects (--test-subjects), "
            "or add recordings."
        )
    both = np.intersect1d(cohort.neuron[split.train], cohort.neuron[split.test])
    if len(both):
        raise Leak(f"{len(both)} neurons would be in both the training and the test data.")
    if protocol == TRANSDUCTIVE:
        return
    if shared := sorted(set(cohort.subject[split.train].tolist()) & set(cohort.subject[split.test].tolist())):
        raise Leak(f"The head would be trained on subjects that it is tested on: {', '.join(shared)}.")


def check_encoder(
    name: str, details: Mapping[str, Json], protocol: str, test_subjects: Sequence[str], *, learns: bool
) -> None:
    """Check that the protocol allows an encoder with this training record.

    Parameters
    ----------
    name
        Name of the model, for the message.
    details
        Its training record, `Model.details`.
    protocol
        One of `PROTOCOLS`. Only inductive-zero-shot restricts the training of the encoder.
    test_subjects
        All names of the test subjects.
    learns
        Whether the encoder was trained.

    Raises
    ------
    Leak
        If the encoder was trained on a test subject, or if its training record does not list all subjects.
    """
    if protocol != INDUCTIVE or not learns:
        return
    known = details.get("subjects")
    nameless = details.get("populations_without_subject", 0)
    if not isinstance(known, list | tuple) or not known or nameless:
        raise Leak(
            f"It is not recorded which subjects {name} was trained on, so they may include the test subjects. Train "
            "it on recordings that state their subject, or choose another protocol."
        )
    if seen := sorted({*map(str, known)} & {*test_subjects}):
        raise Leak(
            f"{name} was trained on subjects that it would be tested on: {', '.join(seen)}. Test it on other "
            "subjects (--test-subjects), or choose another protocol."
        )

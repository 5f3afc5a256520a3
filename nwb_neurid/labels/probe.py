"""The standard linear probe, which measures how well vectors separate known types."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float32, Shaped

from nwb_neurid.errors import InvalidOption
from nwb_neurid.labels.classifier import fit_classifier

FOLDS = 5
CHANCE_DRAWS = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class ProbeScore:
    """Macro F1 of a cross-validated linear probe, compared with guessing.

    Parameters
    ----------
    macro_f1
        Macro F1 of the pooled predictions of all folds.
    chance
        Mean macro F1 of guesses drawn with the frequencies of the classes.
    units
        Number of scored units.
    classes
        Names of their classes.
    """

    macro_f1: float
    chance: float
    units: int
    classes: tuple[str, ...]


def probe(vectors: Float32[np.ndarray, "units dim"], labels: Shaped[np.ndarray, " units"], *, seed: int) -> ProbeScore:
    """Score a cross-validated class-balanced multinomial logistic regression on standardised vectors.

    Parameters
    ----------
    vectors
        Shape (units, dim). Units without a vector are not scored.
    labels
        Shape (units,). Units labelled "", and classes with fewer units than folds, are not scored.
    seed
        Random seed of the folds and the guesses.

    Returns
    -------
    ProbeScore
        The score, pooled over five folds.

    Raises
    ------
    InvalidOption
        If fewer than two classes are left.
    """
    from sklearn.dummy import DummyClassifier
    from sklearn.metrics import f1_score
    from sklearn.model_selection import StratifiedKFold

    seen = np.isfinite(vectors).all(axis=1) & (labels != "")
    names, counts = np.unique(labels[seen], return_counts=True)
    classes = names[counts >= FOLDS]
    scored = seen & np.isin(labels, classes)
    if len(classes) < 2:
        raise InvalidOption(
            f"A probe needs two classes of at least {FOLDS} units with vectors each, got "
            f"{dict(zip(names.tolist(), counts.tolist(), strict=True))}."
        )
    known, truth = vectors[scored], labels[scored]
    folds = StratifiedKFold(FOLDS, shuffle=True, random_state=seed)
    predicted = np.empty_like(truth)
    for train, test in folds.split(known, truth):
        own = np.searchsorted(classes, truth[train])
        fitted = fit_classifier(known[train].astype(np.float64), own, len(classes))
        predicted[test] = classes[fitted.score(known[test]).argmax(axis=1)]
    guesses = [
        DummyClassifier(strategy="stratified", random_state=seed + draw).fit(known, truth).predict(known)
        for draw in range(CHANCE_DRAWS)
    ]
    return ProbeScore(
        macro_f1=float(f1_score(truth, predicted, average="macro")),
        chance=float(np.mean([f1_score(truth, guess, average="macro") for guess in guesses])),
        units=int(scored.sum()),
        classes=tuple(classes.tolist()),
    )

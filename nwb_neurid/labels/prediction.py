"""Prediction of labels from vectors, with abstention."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float64, Int64, Shaped

from nwb_neurid.errors import CannotEncode, InvalidOption
from nwb_neurid.intervals import divided
from nwb_neurid.labels.calibration import check_coverage, note_few_animals
from nwb_neurid.labels.criteria.regions import find_part
from nwb_neurid.labels.head import LabelHead, choose_head, identify_encoder
from nwb_neurid.labels.neighbours import check_smoothable, find_neighbours
from nwb_neurid.labels.novelty import UNLIKE
from nwb_neurid.population import Population, Spikes
from nwb_neurid.results import Embeddings, Predictions

MIN_SPIKES = 50
MIN_WINDOWS = 4
UNIFORM = "uniform"
AMBIGUOUS = "several classes are plausible"
UNSURE = "not confident enough"
NONE = "no class is plausible"
NOVEL = "unlike anything seen in training"
LITTLE = "too little evidence"
ELSEWHERE = "not valid in its region"
RARE = "too few training units of the class"
CHANGES = "predicted class differs between parts of the recording"

Prior = Mapping[str, float] | str | None
Embed = Callable[[Population], Embeddings]


@dataclass(frozen=True, slots=True, kw_only=True)
class PredictionOptions:
    """Options of predictions.

    Parameters
    ----------
    label
        The label to predict; "" for all labels that have a head.
    coverage, prior, smooth
        The same as in `predict`.
    """

    label: str = ""
    coverage: float | None = None
    prior: Prior = None
    smooth: bool = False


def predict_all(
    heads: Mapping[str, LabelHead],
    embeddings: Embeddings,
    population: Population,
    options: PredictionOptions,
    embed: Embed | None = None,
) -> list[Predictions]:
    """Predict with every head that the options select. It raises the same errors as `predict`."""
    return [
        predict(
            head,
            embeddings,
            coverage=options.coverage,
            prior=options.prior,
            smooth=options.smooth,
            population=population,
            embed=embed,
        )
        for head in choose_heads(heads, options)
    ]


def check_options(heads: Mapping[str, LabelHead], population: Population, options: PredictionOptions) -> None:
    """Check the options before anything is computed. It raises the same errors as `predict_all`."""
    for head in choose_heads(heads, options):
        check_coverage(head.coverage if options.coverage is None else options.coverage)
        parse_prior(head, options.prior)
        if options.smooth:
            _find_neighbours(head, population)


def choose_heads(heads: Mapping[str, LabelHead], options: PredictionOptions) -> list[LabelHead]:
    """Choose the heads that the options select.

    Raises
    ------
    InvalidOption
        If there is no such head, or options for predictions are given but there are no heads.
    """
    if options.label or (options != PredictionOptions() and not heads):
        return [choose_head(heads, options.label)]
    return list(heads.values())


def predict(
    head: LabelHead,
    embeddings: Embeddings,
    *,
    coverage: float | None = None,
    prior: Prior = None,
    smooth: bool = False,
    population: Population | None = None,
    min_spikes: int = MIN_SPIKES,
    min_windows: int = MIN_WINDOWS,
    embed: Embed | None = None,
    counts: Int64[np.ndarray, " units"] | None = None,
) -> Predictions:
    """Predict the label of every unit, or abstain with a reason.

    The head abstains if the prediction set is not a single class, if the probability of this class is too low for the
    target error rate (see `Calibration.find_confidence`), if the unit is unlike all units in the training data, or if
    there are too few spikes or windows. The prediction set always contains the most probable class.

    Parameters
    ----------
    head
        A fitted label head.
    embeddings
        Vectors of the encoder for which the head was fitted.
    coverage
        The share of units whose prediction set should contain the true class. By default, the coverage of the head is
        used.
    prior
        Assumed frequency of each class in this recording: a mapping from class to share or count, "uniform" for equal
        shares, or the name of one of `LabelHead.priors`. With equal shares, the predictions are those of the
        class-balanced probe. By default, the shares of the classes in the training data are used, unless the head
        states other shares.
    smooth
        Average the probabilities of each unit with the probabilities of its nearest units on the same probe, that is,
        of up to five units within 60 µm.
    population
        The embedded units. Their numbers of spikes are compared with `min_spikes`, and smoothing needs their groups and
        positions.
    min_spikes
        The head abstains from units with fewer spikes, if the population has spikes.
    min_windows
        The head abstains from units that were seen in fewer windows, if the encoder uses windows.
    embed
        Function that computes the vectors of a population, with the encoder of `embeddings`. Heads that compare
        stretches of the recording (`LabelHead.stretches`) need it, together with `population`.
    counts
        Number of spikes of each unit, shape (units,), if the population no longer contains them.

    Returns
    -------
    Predictions
        One row for each unit of `embeddings`.

    Raises
    ------
    WrongWeights
        If the vectors are from another encoder.
    InvalidOption
        If `coverage` or `prior` is invalid, the units are not those of the population, or the label, the units or the
        head do not allow smoothing.

    Examples
    --------
    >>> from nwb_neurid import fit_labels
    >>> from nwb_neurid.simulate import simulate
    >>> animals = [simulate(units=30, duration_s=30.0, animal=number).population() for number in range(5)]
    >>> groups = {"FS": "inhibitory", "LTS": "inhibitory", "*": "excitatory"}
    >>> model = fit_labels("isi", animals[:4], label="cell_type", map=groups)
    >>> found = predict(model.heads["cell_type"], model.embed(animals[4]), population=animals[4])
    >>> found.classes.tolist(), len(found)
    (['excitatory', 'inhibitory'], 30)
    """
    head.check_encoder(identify_encoder(embeddings.provenance))
    coverage = head.coverage if coverage is None else coverage
    _check(head, embeddings, population, coverage)
    shares = parse_prior(head, prior)
    near = _find_neighbours(head, population) if smooth else None
    probabilities = head.calibration.compute_probabilities(
        head.classifier.score(embeddings.vectors), prior=shares, neighbours=near
    )
    seen = embeddings.reasons == ""
    plausible = seen[:, None] & (
        probabilities >= head.calibration.find_set_threshold(coverage, prior=shares, smooth=smooth) - 1e-12
    )
    best = np.where(seen, np.nan_to_num(probabilities).argmax(axis=1), 0)
    novelty = head.novelty.score(head.classifier.standardise(embeddings.vectors))
    if counts is None and population is not None and isinstance(population.activity, Spikes):
        counts = population.activity.counts()
    few = _explain_little_evidence(embeddings, counts, min_spikes, min_windows)
    unsure = _explain_unsure(probabilities, head.calibration.find_confidence(prior=shares, smooth=smooth))
    reasons = _explain(head, embeddings, plausible, novelty, few, unsure, coverage)
    limits = _explain_limits(head, embeddings, population)
    reasons = np.where(seen & (limits != ""), limits, reasons)
    if head.stretches and embed is not None and population is not None and (reasons == "").any():
        changes = _explain_changes(head, best, divide(population, head.stretches, embed), shares)
        reasons = np.where(reasons == "", changes, reasons)
    sets = plausible.copy()
    sets[np.flatnonzero(seen), best[seen]] = True
    return Predictions(
        label_name=head.label_name,
        scope=head.scope,
        classes=head.classes,
        unit_ids=embeddings.unit_ids,
        label=np.where(seen, head.classes[best], ""),
        class_probabilities=probabilities.astype(np.float32),
        prediction_set=sets,
        abstained=reasons != "",
        reasons=reasons,
        ood_score=novelty.astype(np.float32),
        prevalence=head.prevalence.astype(np.float32),
        coverage=coverage,
        provenance=embeddings.provenance,
        notes=collect_notes(head, coverage, prior, smooth),
    )


def parse_prior(head: LabelHead, prior: Prior) -> Float64[np.ndarray, " classes"] | None:
    """Convert a prior to shares that sum to 1, shape (classes,). Return None for the shares of the training data.

    Raises
    ------
    InvalidOption
        If its classes are not exactly those of the head, or a share is invalid.
    """
    if prior is None:
        return None
    names = head.classes.tolist()
    if isinstance(prior, str):
        if prior == UNIFORM:
            return np.full(len(names), 1 / len(names))
        if prior not in head.priors:
            raise InvalidOption(
                f"A prior must be a share for each class of {head.label_name}, or one of "
                f"{', '.join([UNIFORM, *head.priors])}, got {prior!r}."
            )
        prior = head.priors[prior].shares
    if prior.keys() != set(names):
        raise InvalidOption(
            f"A prior needs a share for each class of {head.label_name} ({', '.join(names)}), got "
            f"{', '.join(prior) or 'none'}."
        )
    shares = np.array([float(prior[name]) for name in names])
    if not np.isfinite(shares).all() or np.any(shares < 0) or shares.sum() <= 0:
        raise InvalidOption(f"The shares of a prior must not be negative, got {dict(prior)}.")
    return shares / shares.sum()


def collect_notes(head: LabelHead, coverage: float, prior: Prior = None, smooth: bool = False) -> tuple[str, ...]:
    """Collect notes on predictions for the user, one sentence each."""
    notes = [*note_few_animals(head.calibration.animals, coverage)]
    if guessing := head.explain_guessing():
        notes.append(guessing)
    if prior is None:
        notes += head.caveats
    elif isinstance(prior, str) and prior in head.priors:
        notes.append(f"Probabilities use the class shares of {prior}: {head.priors[prior].source}.")
    else:
        notes.append("Probabilities use the class shares that were given, not those of the training data.")
    if smooth:
        notes.append("Probabilities are means over up to five nearest units within 60 µm on the same probe.")
    return tuple(notes)


def _check(head: LabelHead, embeddings: Embeddings, population: Population | None, coverage: float) -> None:
    check_coverage(coverage)
    if embeddings.vectors.shape[1] != head.dim:
        raise InvalidOption(
            f"The label head {head.label_name!r} takes vectors of {head.dim} dimensions, got "
            f"{embeddings.vectors.shape[1]}."
        )
    if population is not None and not np.array_equal(population.unit_ids, embeddings.unit_ids):
        raise InvalidOption("The population must hold the units of the embeddings, in the same order.")


def _find_neighbours(head: LabelHead, population: Population | None) -> Int64[np.ndarray, "units nearest"]:
    check_smoothable(head.label_name)
    if head.calibration.neighbours is None:
        raise InvalidOption(
            f"The label head {head.label_name!r} was fitted to units without positions, so its prediction sets "
            "cannot be calibrated after smoothing. Leave out --smooth, or fit the head to recordings with positions."
        )
    if population is None:
        raise InvalidOption("Smoothing needs the population, for the groups and positions of its units.")
    return find_neighbours(population)


def _explain_little_evidence(
    embeddings: Embeddings, counts: Int64[np.ndarray, " units"] | None, min_spikes: int, min_windows: int
) -> Shaped[np.ndarray, " units"]:
    """Explain that there is too little evidence on a unit. Return "" for units with enough evidence."""
    few = np.full(len(embeddings), "", dtype=object)
    if embeddings.provenance.window_s > 0:
        for row in np.flatnonzero(embeddings.n_windows < min_windows):
            few[row] = f"{LITTLE}: {embeddings.n_windows[row]} of {min_windows} windows"
    if counts is not None:
        for row in np.flatnonzero(counts < min_spikes):
            few[row] = f"{LITTLE}: {counts[row]} of {min_spikes} spikes"
    return few.astype(np.str_)


def _explain_other_activity(head: LabelHead, population: Population | None) -> str:
    """Explain that the head was not trained on this kind of activity. Return "" if it was."""
    known = head.details.get("activities")
    if population is None or not isinstance(known, list | tuple) or population.activity.kind in known:
        return ""
    return f"{NOVEL}: {population.activity.kind}, fitted on {' and '.join(map(str, known))}"


def _explain_limits(
    head: LabelHead, embeddings: Embeddings, population: Population | None
) -> Shaped[np.ndarray, " units"]:
    """Explain why a head is not valid for a unit. Return "" if it is valid.

    The reason may be the activity, the region of the unit, or a missing part of its vector.
    """
    units = len(embeddings)
    if other := _explain_other_activity(head, population):
        return np.full(units, other)
    why = np.full(units, "", dtype=object)
    if head.required is not None:
        why[~embeddings.vectors[:, list(head.required.dims)].any(axis=1)] = head.required.reason
    regions = None if population is None else population.labels.get("brain_region")
    for row, region in enumerate(map(str, regions if regions is not None and head.parts else ())):
        if region and find_part(region) not in head.parts:
            why[row] = f"{ELSEWHERE}: {region}"
    return why.astype(np.str_)


def divide(population: Population, count: int, embed: Embed) -> list[Embeddings]:
    """Compute vectors for equal stretches of a recording. Stretches that are too short for the encoder are left out."""
    found = []
    for stretch_s in divided(population.observed_s, count):
        with suppress(CannotEncode):
            found.append(embed(population.restrict(stretch_s)))
    return found


def _explain_changes(
    head: LabelHead,
    best: Int64[np.ndarray, " units"],
    stretches: Sequence[Embeddings],
    shares: Float64[np.ndarray, " classes"] | None,
) -> Shaped[np.ndarray, " units"]:
    """Explain that the most probable class differs in a part of the recording.

    Return "" if it is the same in all parts.

    A part in which a unit has no vector is ignored.
    """
    names = np.full((len(best), len(stretches)), "", dtype=object)
    for at, part in enumerate(stretches):
        scores = head.classifier.score(np.nan_to_num(part.vectors))
        own = head.calibration.compute_probabilities(scores, prior=shares).argmax(axis=1)
        names[:, at] = np.where(part.reasons == "", head.classes[own], "")
    others = [sorted({*row} - {"", head.classes[own]}) for row, own in zip(names.tolist(), best.tolist(), strict=True)]
    return np.array([f"{CHANGES}: {', '.join(row)}" if row else "" for row in others], np.str_).reshape(len(best))


def _explain_unsure(probabilities: Float64[np.ndarray, "units classes"], sure: float) -> Shaped[np.ndarray, " units"]:
    """Explain that a single plausible class is not probable enough. Return "" if it is."""
    best = probabilities.max(axis=1)
    if sure == np.inf:
        return np.full(len(best), f"{UNSURE}: no confidence threshold meets the target error rate")
    reasons = [f"{UNSURE}: {value:.3g} of {sure:.3g}" if value < sure - 1e-12 else "" for value in best.tolist()]
    return np.array(reasons, np.str_)


def _explain(
    head: LabelHead,
    embeddings: Embeddings,
    plausible: Bool[np.ndarray, "units classes"],
    novelty: Float64[np.ndarray, " units"],
    few: Shaped[np.ndarray, " units"],
    unsure: Shaped[np.ndarray, " units"],
    coverage: float,
) -> Shaped[np.ndarray, " units"]:
    """Explain why the head abstains from each unit, with the most important reason.

    Return "" for units with a prediction.
    """
    reasons = []
    for row, missing in enumerate(embeddings.reasons.tolist()):
        count = int(plausible[row].sum())
        if missing or few[row]:
            reasons.append(missing or str(few[row]))
        elif novelty[row] > UNLIKE:
            reasons.append(NOVEL)
        elif count > 1:
            reasons.append(f"{AMBIGUOUS} at a coverage of {coverage:g}: {', '.join(head.classes[plausible[row]])}")
        elif count == 1 and (name := str(head.classes[plausible[row]][0])) in head.rare:
            reasons.append(f"{RARE}: {name}")
        else:
            reasons.append(str(unsure[row]) if count else f"{NONE} at a coverage of {coverage:g}")
    return np.array(reasons, np.str_).reshape(len(embeddings))

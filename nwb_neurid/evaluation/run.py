"""`evaluate`: read recordings, split them, fit heads, and compute scores."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np
from jaxtyping import Shaped

from nwb_neurid._system.bars import automatic
from nwb_neurid.contracts import Progress, ReadOptions
from nwb_neurid.evaluation import controls
from nwb_neurid.evaluation.cohort import Cohort, read_cohort, select_scorable
from nwb_neurid.evaluation.curves import (
    check_fractions,
    list_train_subjects,
    parse_counts,
    score_over_animals,
    score_over_labels,
)
from nwb_neurid.evaluation.heads import FoldPredictions, HeadOptions, predict_folds
from nwb_neurid.evaluation.models import (
    ModelSet,
    Vectors,
    describe_model,
    embed_baselines,
    embed_cohort,
    find_embedded,
    is_trained,
    name_models,
)
from nwb_neurid.evaluation.protocols import (
    INDUCTIVE,
    TRANSDUCTIVE,
    Split,
    check_encoder,
    check_protocol,
    split_cohort,
)
from nwb_neurid.evaluation.results import Evaluation
from nwb_neurid.evaluation.scores import score_details, score_guesses, score_predictions
from nwb_neurid.labels.calibration import NOMINAL, note_few_animals
from nwb_neurid.labels.fitting import check_head
from nwb_neurid.labels.neighbours import check_smoothable
from nwb_neurid.model.model import Model, list_software
from nwb_neurid.registry import default_encoder
from nwb_neurid.results import Json

NEIGHBOURS = "neighbours in activity"
MAJORITY = "majority"
CHANCE = "chance"


def evaluate(
    model: Model | str | Path | Sequence[Model | str | Path],
    sources: Sequence[object],
    *,
    label: str,
    protocol: str,
    train: Sequence[object] = (),
    test_subjects: Sequence[str] = (),
    map: Mapping[str, str] | str | Path | None = None,
    subjects: Mapping[str, str] | str | Path | None = None,
    head: str = "linear",
    coverage: float = 0.9,
    folds: int = 5,
    seed: int = 0,
    smooth: bool = False,
    label_fractions: Sequence[float] = (),
    animals: Sequence[int | str] = (),
    steps: int | None = None,
    windows: int | None = None,
    baseline: str | None = None,
    reading: ReadOptions | None = None,
    pool_groups: bool = False,
    progress: Progress = automatic,
) -> Evaluation:
    """Score how well the vectors of a model predict labels, with one of the protocols of the NuCLR paper.

    The scores of the model are returned together with scores of baselines. The baselines are random guesses, the
    majority class, a head that uses only the firing rate and observed duration of a unit, and the vectors of an
    encoder that needs no training. With the protocol "transductive", there is a further baseline, which predicts the
    label of a unit from the labels of units with correlated activity. The protocols are described in the NuCLR paper
    (arXiv 2512.01199).

    Parameters
    ----------
    model
        A model, its folder, or the name of an encoder that needs no training. If a sequence of several models is given,
        their vectors are concatenated.
    sources
        Recordings with labels, in any form that `nwb_neurid.read` accepts, or as `Population`. A dataset of vectors
        is accepted as well, that is, a folder that `nwb-neurid embed --workers N --output FOLDER` writes. A dataset
        does not contain the activity of the units. Therefore, two baselines are left out for a dataset: the vectors of
        another encoder, and the labels of units with correlated activity.
    label
        The label to predict: "cell_type", "brain_region", or the name of a text column.
    protocol
        "transductive", "transductive-zero-shot" or "inductive-zero-shot".
    train
        Further recordings, which are used only to train the head.
    test_subjects
        Test only these subjects. In the zero-shot protocols, all other subjects are used for training.
    map, subjects, head, coverage
        The same as in `nwb_neurid.fit_labels`.
    folds
        Number of folds. With the protocol "transductive", neurons are split into folds. With the other protocols,
        subjects are split into folds.
    seed
        Random seed of the folds, the heads, the random guesses and the training of the encoder, for reproducible
        results.
    smooth
        Also compute scores from probabilities that are averaged over neighbouring units on the probe. This option is
        only for brain regions.
    label_fractions
        Also score heads that are fitted to only a share of the labels. Each share must be above 0 and at most 1.
    animals
        Numbers of training animals, for a curve of scores; "all" means all training animals. For each number, the head
        is trained on that many animals. If `steps` is given, the encoder is trained on that many animals instead, and
        the head is trained on all training animals.
    steps
        If given, the encoder is trained anew for each split, without labels, for this number of steps. It is trained on
        the training subjects. In the transductive protocols, it is also trained on the test subjects.
    windows
        Number of pairs of windows in each step of this training. By default, the number in the recipe of the encoder is
        used.
    baseline
        Name of an encoder that needs no training, with which the model is compared. By default, this is `isi`. With "",
        the model is not compared with another encoder.
    reading
        Options for the readers.
    pool_groups, progress
        The same as in `Model.embed`.

    Returns
    -------
    Evaluation
        Scores, and the prediction of every tested unit. `Evaluation.save` writes the evaluation into a folder.

    Raises
    ------
    Leak
        If information about the test data would leak into training.
    CannotFit
        If there are fewer than two classes, or too few subjects.
    InvalidOption
        If an option is invalid, or a recording has no subject.
    NeuridError
        If a recording or a model cannot be read or used.

    Warns
    -----
    NeuridWarning
        If labels are doubtful, as in `nwb_neurid.fit_labels`, or if units or recordings are left out.

    Examples
    --------
    >>> from nwb_neurid.simulate import simulate
    >>> animals = [simulate(units=14, duration_s=30.0, animal=number).population() for number in range(4)]
    >>> groups = {"FS": "inhibitory", "LTS": "inhibitory", "*": "excitatory"}
    >>> found = evaluate("isi", animals, label="cell_type", protocol="transductive-zero-shot", folds=2, map=groups)
    >>> found.scores["units"], len(found.scores["by_subject"])
    (56, 4)
    >>> found.scores["macro_f1"] > found.scores["baselines"]["chance"]["macro_f1"]
    True
    """
    check_protocol(protocol)
    check_fractions(label_fractions)
    parse_counts(animals, 1)
    check_head(head, coverage)
    if smooth:
        check_smoothable(label)
    loaded = name_models([model] if isinstance(model, Model | str | Path) else list(model), steps, windows)
    cohort, aliases = read_cohort(
        list(loaded.values()),
        sources,
        label=label,
        train=train,
        map=map,
        subjects=subjects,
        reading=reading,
        pool_groups=pool_groups,
        progress=progress,
    )
    tested = {*test_subjects} or {*cohort.subject[(cohort.truth != "") & ~cohort.train_only].tolist()}
    names = sorted({name for subject in tested for name in aliases.get(subject, {subject})})
    for name, each in loaded.items():
        check_encoder(name, each.details, protocol, names, learns=is_trained(each))
    models = ModelSet(
        models=loaded,
        vectors=embed_cohort(loaded, cohort, steps, pool_groups=pool_groups, progress=progress),
        steps=steps,
        windows=windows,
        seed=seed,
        pool_groups=pool_groups,
    )
    plain = default_encoder("baseline") if baseline is None else baseline
    baselines = embed_baselines(models, cohort, plain, progress)
    every = [*models.vectors.values(), *baselines.values()]
    units = select_scorable(cohort, np.all([find_embedded(vectors) for vectors in every], axis=0))
    assessment = Assessment(
        cohort=cohort,
        splits=tuple(split_cohort(cohort, units, protocol, folds=folds, seed=seed, test_subjects=test_subjects)),
        options=HeadOptions(protocol=protocol, kind=head, coverage=coverage, seed=seed),
        models=models,
        baselines=baselines,
        progress=progress,
        cache={},
    )
    predictions = assessment.predict()
    scores = {
        **assessment.score(predictions, smooth=smooth),
        **assessment.score_curves(plain, label_fractions, animals),
        **assessment.describe(),
    }
    return Evaluation(cohort=cohort, predictions=predictions, splits=assessment.splits, scores=scores)


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Assessment:
    """A cohort, its splits, and the vectors to score. `cache` keeps vectors for each set of training subjects."""

    cohort: Cohort
    splits: tuple[Split, ...]
    options: HeadOptions
    models: ModelSet
    baselines: Mapping[str, Vectors]
    progress: Progress
    cache: dict[frozenset[str], Vectors]

    def embed(self, split: Split, subjects: Sequence[str] | None = None) -> Vectors:
        """Embed the cohort for a split. Encoders may be trained on these subjects, by default all training subjects."""
        known = set(list_train_subjects(self.cohort, split) if subjects is None else subjects)
        if self.options.protocol != INDUCTIVE:
            known |= set(self.cohort.subject[split.test].tolist())
        key = frozenset(known) if self.models.steps is not None else frozenset()
        if key not in self.cache:
            self.cache[key] = self.models.embed(self.cohort, sorted(known), self.progress)
        return self.cache[key]

    def predict(self, *, smooth: bool = False) -> FoldPredictions:
        """Predict the test units from the vectors of the models."""
        vectors = [self.embed(split) for split in self.splits]
        options = replace(self.options, smooth=smooth)
        return predict_folds(self.cohort, self.splits, vectors, options, progress=self.progress)

    def score(self, predictions: FoldPredictions, *, smooth: bool) -> dict[str, Json]:
        """Score the models and, in the entry `baselines`, everything with which the models are compared."""
        found = {**self._score(predictions), "baselines": self._score_baselines(predictions)}
        return {**found, "smoothed": self._score(self.predict(smooth=True))} if smooth else found

    def _score(self, found: FoldPredictions) -> dict[str, Json]:
        return {
            **score_predictions(self.cohort, found.tested, found.label, self.options.seed),
            **score_details(self.cohort, found, self.options.coverage),
        }

    def _score_baselines(self, predictions: FoldPredictions) -> dict[str, Json]:
        cohort, seed, tested = self.cohort, self.options.seed, predictions.tested
        scores: dict[str, Json] = {}
        for name, vectors in self.progress(self.baselines.items(), label="comparisons", total=len(self.baselines)):
            own = predict_folds(cohort, self.splits, [vectors] * len(self.splits), self.options)
            scores[name] = score_predictions(cohort, tested, own.label, seed)
        if self.options.protocol == TRANSDUCTIVE and not cohort.stored:
            alike = {at: controls.correlate(each) for at, each in enumerate(cohort.populations)}
            label = self._predict_by(partial(controls.predict_from_neighbours, alike=alike))
            scores[NEIGHBOURS] = score_predictions(cohort, tested, label, seed)
        scores[MAJORITY] = score_predictions(cohort, tested, self._predict_by(controls.predict_majority), seed)
        guesses = np.full((controls.GUESSES, len(tested)), "", dtype=object)
        for split in self.splits:
            guesses[:, split.test] = controls.draw_guesses(cohort, split, seed)
        scores[CHANCE] = score_guesses(cohort, tested, guesses.astype(np.str_))
        return scores

    def _predict_by(self, predict: Callable[[Cohort, Split], np.ndarray]) -> Shaped[np.ndarray, " units"]:
        label = np.full(len(self.cohort.truth), "", dtype=object)
        for split in self.splits:
            label[split.test] = predict(self.cohort, split)
        return label.astype(np.str_)

    def score_curves(self, baseline: str, fractions: Sequence[float], animals: Sequence[int | str]) -> dict[str, Json]:
        """Score the models and the baseline with fewer labels and with fewer animals."""
        learns = self.models.steps is not None
        own = {self.models.name: self.embed}
        if baseline in self.baselines:
            own[baseline] = lambda *_: self.baselines[baseline]
        given = (self.cohort, self.splits)
        labels = {
            name: score_over_labels(*given, embed, self.options, fractions, progress=self.progress)
            for name, embed in own.items()
            if fractions
        }
        growth = {
            name: score_over_animals(
                *given, embed, self.options, animals, encoder_learns=learns, progress=self.progress
            )
            for name, embed in own.items()
            if animals and (name == self.models.name or not learns)  # the baseline does not grow with what is trained
        }
        return {name: points for name, points in (("label_fractions", labels), ("animals", growth)) if points}

    def describe(self) -> dict[str, Json]:
        """Describe how the scores were computed."""
        subject, models = self.cohort.subject, self.models
        stitched = [each.provenance.stitched for own in models.vectors.values() for each in own]
        return {
            "name": models.name,
            "label": self.cohort.label,
            "protocol": self.options.protocol,
            "head": self.options.kind,
            "seed": self.options.seed,
            "steps": models.steps,
            "windows": models.windows,
            "stitched": any(stitched),
            "splits": [
                {
                    "train_units": len(split.train),
                    "test_units": len(split.test),
                    "train_subjects": np.unique(subject[split.train]).tolist(),
                    "test_subjects": np.unique(subject[split.test]).tolist(),
                }
                for split in self.splits
            ],
            "notes": self._note_coverage(),
            "models": [describe_model(name, each) for name, each in models.models.items()],
            "software": list_software(),
        }

    def _note_coverage(self) -> list[Json]:
        if self.options.protocol == TRANSDUCTIVE:
            return [f"{NOMINAL}: calibrated on other neurons of the animals that are tested."]
        animals = min(len(list_train_subjects(self.cohort, split)) for split in self.splits)
        return [*note_few_animals(animals, self.options.coverage)]

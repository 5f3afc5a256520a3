"""Train and evaluate as described by a recipe, and compare the resulting score with the published score."""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from nwb_neurid._system.atomic import replace_file
from nwb_neurid._system.bars import automatic
from nwb_neurid._system.warning import warn
from nwb_neurid.contracts import Progress, ReadOptions
from nwb_neurid.contracts.training import Trainable
from nwb_neurid.datasets.brainwidebench import write_submission
from nwb_neurid.datasets.check import check_found, find_test_subjects
from nwb_neurid.datasets.dataset import Dataset
from nwb_neurid.evaluation.protocols import INDUCTIVE
from nwb_neurid.evaluation.results import Evaluation, check_evaluation_folder
from nwb_neurid.evaluation.run import evaluate
from nwb_neurid.model.making import new_model
from nwb_neurid.model.model import Model
from nwb_neurid.results import Json
from nwb_neurid.workflows.train import read_recordings, train

if TYPE_CHECKING:
    from nwb_neurid.contracts.training import Step

REPORT = "reproduction.json"


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Reproduction:
    """The score of our run and the published score.

    Parameters
    ----------
    dataset
        The recipe.
    evaluation
        Our scores.
    differences
        Sentences about the differences between our run and that of the paper.
    """

    dataset: Dataset
    evaluation: Evaluation
    differences: tuple[str, ...]

    @property
    def ours(self) -> float:
        """The score of our run."""
        return float(self.evaluation.scores[self.dataset.figure.metric])

    def to_json(self) -> dict[str, Json]:
        """Collect both scores, and the differences between our run and that of the paper.

        Returns
        -------
        dict
            The content of `reproduction.json`.
        """
        figure, scores = self.dataset.figure, self.evaluation.scores
        return {
            "dataset": self.dataset.name,
            "figure": figure.name,
            "metric": figure.metric,
            "ours": self.ours,
            "published": figure.value,
            "published_system": figure.system,
            "published_in": figure.where,
            "read_first_hand": figure.first_hand,
            "units": scores["units"],
            "subjects": len(scores["by_subject"]),
            "differences": list(self.differences),
        }


def reproduce(
    dataset: Dataset,
    sources: Sequence[object],
    output: Path,
    *,
    reading: ReadOptions | None = None,
    preset: str | None = None,
    steps: int | None = None,
    windows: int | None = None,
    seed: int = 0,
    device: str = "auto",
    cache: Path | None = None,
    overwrite: bool = False,
    resume: bool = False,
    watch: "Callable[[Step], None] | None" = None,
    progress: Progress = automatic,
) -> Reproduction:
    """Train the encoder of a recipe on its recordings, evaluate it, and compare the score with the published score.

    Parameters
    ----------
    dataset
        The recipe.
    sources
        Its recordings, in any form that `nwb_neurid.read` accepts.
    output
        A folder for the model, the scores and `reproduction.json`.
    reading
        Options for reading the recordings. By default, the options of the recipe are used.
    preset, steps, windows
        Values that replace those of the recipe, for a quick test. They are listed among the differences.
    seed
        Random seed of training, folds and heads.
    device
        "auto", "cpu" or "cuda".
    cache
        A folder that keeps binned recordings for the training, as for `nwb_neurid.workflows.train.train`.
    overwrite
        Replace the content of the folder.
    resume
        Continue an interrupted training in the folder.
    watch
        Called after every step of the training.
    progress
        Progress callback; bars in a notebook by default.

    Returns
    -------
    Reproduction
        The score of our run and the published score.

    Raises
    ------
    SourceNotFound
        If there are no recordings.
    CannotWrite
        If the folder contains files that may not be replaced.
    NeuridError
        If a recording cannot be read, trained on, or evaluated.

    Warns
    -----
    NeuridWarning
        If `cache` has no effect.
    """
    check_found(dataset, sources)
    check_evaluation_folder(output / "scores", overwrite=overwrite or resume)
    learning, splits = dataset.learning, dataset.splits
    chosen, number = preset or learning.preset or None, steps or learning.steps
    model = new_model(learning.encoder, preset=chosen, untrained=True, seed=seed, device=device)
    populations = read_recordings(sources, model, reading or dataset.reading(), progress)
    tested = find_test_subjects(dataset, populations)
    learns, inductive = isinstance(model.encoder, Trainable), splits.protocol == INDUCTIVE
    anew = number if learns and inductive and not tested else None  # each fold needs one that has not seen its subjects
    if learns and anew is None:
        given = zip(sources if cache is not None else populations, populations, strict=True)
        model = train(
            [each for each, own in given if not inductive or own.subject_id not in tested],
            output / "model",
            encoder=learning.encoder,
            preset=chosen,
            steps=number,
            windows=windows,
            seed=seed,
            device=device,
            reading=reading or dataset.reading(),
            cache=cache,
            resume=resume,
            overwrite=overwrite,
            watch=watch,
            progress=progress,
        )
    elif cache is not None:
        why = f"{model.name} needs no training" if anew is None else "each fold trains an encoder of its own"
        warn(f"The cache {cache} is not used: {why}.")
    evaluation = evaluate(
        model,
        populations,
        label=dataset.label.name,
        protocol=splits.protocol,
        test_subjects=tested,
        map=dataset.label.map or None,
        folds=splits.folds,
        seed=seed,
        steps=anew,
        windows=windows if anew else None,
        progress=progress,
    )
    differences = _list_differences(dataset, reading, model, evaluation, len(populations), number, chosen, tested)
    found = Reproduction(dataset=dataset, evaluation=evaluation, differences=differences)
    _save(found, output, seed, overwrite=overwrite or resume)
    return found


def _list_differences(
    dataset: Dataset,
    reading: ReadOptions | None,
    model: Model,
    evaluation: Evaluation,
    sessions: int,
    steps: int,
    preset: str | None,
    tested: Sequence[str],
) -> tuple[str, ...]:
    """List the differences between our run and the run of the paper."""
    learning, splits, expected = dataset.learning, dataset.splits, dataset.source.sessions
    found = []
    if reading is not None and reading.where != dataset.units.where:
        found.append(f"Units: {reading.where}, the recipe has {dataset.units.where or 'no condition'}.")
    if expected is not None and sessions != expected:
        found.append(f"{sessions} of {expected} recordings.")
    if isinstance(model.encoder, Trainable) and steps != learning.steps:
        found.append(f"{steps} training steps, the recipe has {learning.steps}.")
    if (preset or "") != learning.preset:
        found.append(f"Preset {preset}, the recipe has {learning.preset}.")
    if (splits.test_subjects or splits.test_sessions) and not tested:
        found.append("No recording of the test subjects was found, so the folds are over all subjects.")
    if evaluation.scores["stitched"]:
        found.append("Windows were stitched from shorter stretches.")
    notes = (dataset.units.note, splits.note, learning.note)
    return (*found, *(f"{note[0].upper()}{note[1:]}." for note in notes if note))


def _save(found: Reproduction, output: Path, seed: int, *, overwrite: bool) -> None:
    found.evaluation.save(output / "scores", overwrite=overwrite)
    if found.dataset.submission:
        write_submission(found.evaluation, output / "submission", label="nwb-neurid", seed=seed, overwrite=overwrite)
    text = json.dumps(found.to_json(), indent=1, allow_nan=False) + "\n"
    with replace_file(output / REPORT, overwrite=overwrite) as made:
        made.path.write_text(text, encoding="utf-8")

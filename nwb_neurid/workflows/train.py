"""A training run: read the recordings, train, and save the model, the loss curve and checkpoints in one folder."""

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path

import numpy as np

from nwb_neurid._system.atomic import convert_errors, make_folders, replace_file
from nwb_neurid._system.bars import automatic
from nwb_neurid._system.file_sets import has_set
from nwb_neurid._system.lock import lock
from nwb_neurid._system.permissions import limit_readers
from nwb_neurid._system.warning import warn
from nwb_neurid.contracts import Progress, ReadOptions
from nwb_neurid.contracts.training import Binned, Step, TrainingLog, TrainingOptions
from nwb_neurid.errors import CannotTrain, CannotWrite, InvalidOption
from nwb_neurid.model.fitting import STEPS, fit
from nwb_neurid.model.folder import ABOUT, CHECKPOINT, is_ours
from nwb_neurid.model.making import load_model, new_model
from nwb_neurid.model.model import Model
from nwb_neurid.plots.training import draw_loss
from nwb_neurid.population import Population
from nwb_neurid.readers import check_each_once, read_for, reader_for
from nwb_neurid.results import Json
from nwb_neurid.workflows.cache import read_binned
from nwb_neurid.workflows.listing import Listing, check_subjects, expand

CURVE = "loss"


def train(
    sources: Sequence[object],
    output: str | Path,
    *,
    encoder: str,
    preset: str | None = None,
    steps: int = STEPS,
    windows: int | None = None,
    learning_rate: float | None = None,
    seed: int = 0,
    device: str = "auto",
    precision: str = "auto",
    compile: bool = False,
    resume: bool = False,
    overwrite: bool = False,
    reading: ReadOptions | None = None,
    pool_groups: bool = False,
    cache: str | Path | None = None,
    held_out: Sequence[str] = (),
    checkpoint_s: float = 60.0,
    watch: Callable[[Step], None] | None = None,
    tell: Callable[[str], None] | None = None,
    progress: Progress = automatic,
) -> Model:
    """Train an encoder on recordings, without labels, and save it in a model folder.

    The folder contains the model, `loss.csv` and `loss.png`. Until the training is finished, it also contains
    `checkpoint.safetensors`, from which an interrupted training can be resumed. Already during the training, the
    folder can be used as a model folder. It contains the model of the last checkpoint until the training is finished.

    Parameters
    ----------
    sources
        Recordings, in any form that `nwb_neurid.read` accepts, or as `Population`. Lists of recordings are accepted as
        well. A list is a csv or tsv table with a column `source` and optional columns `split` and `subject`, or the
        manifest of an embedded archive.
    output
        The model folder to write.
    encoder
        Name of an installed encoder that learns.
    preset
        Name of a preset of the encoder. By default, its first preset is used.
    steps
        Number of optimiser steps.
    windows
        Number of pairs of windows in a step. By default, the number in the preset is used.
    learning_rate
        Peak learning rate. By default, the learning rate of the preset is used.
    seed
        Random seed, for reproducible results. On a CPU, results are reproducible bit for bit.
    device
        "auto", "cpu" or "cuda".
    precision
        Precision of matrix multiplications: "float32", "bfloat16", or "auto" for bfloat16 on a GPU that supports it.
    compile
        Compile the network with `torch.compile`.
    resume
        Continue an interrupted training in this folder. All other options must be the same as before.
    overwrite
        Replace an existing folder.
    reading
        Options for reading the recordings.
    pool_groups
        Train on all groups of units (probes, imaging planes) of a recording together. By default, each group is used
        separately.
    cache
        A folder in which binned recordings are cached, so that each recording is read only once. With None, nothing is
        cached.
    held_out
        Held-out subjects. If a recording is from a held-out subject, `Leak` is raised.
    checkpoint_s
        Shortest time between two checkpoints, in seconds.
    watch
        Callback that is called after every step with a `Step`, which contains the loss of this step.
    tell
        Callback that is called with a message. The message states in which memory the recordings are kept.
    progress
        Progress callback for the long loops. By default, progress bars are shown in a notebook.

    Returns
    -------
    Model
        The model that was saved.

    Raises
    ------
    CannotWrite
        If the folder cannot be written, or if the folder exists and neither `resume` nor `overwrite` is set.
    InvalidOption, CannotTrain
        If the encoder needs no training, if a recording is listed twice, or if no recording can be used for training.
    Leak
        If a recording is from a held-out subject.
    NeuridError
        If a recording cannot be read. Nothing is trained in this case.

    Warns
    -----
    NeuridWarning
        If a recording is left out.

    Examples
    --------
    >>> from tempfile import mkdtemp
    >>> from nwb_neurid.testing import mock_population
    >>> model = train(
    ...     [mock_population(units=6, duration_s=40.0)],
    ...     Path(mkdtemp()) / "model",
    ...     encoder="nuclr",
    ...     preset="small",
    ...     steps=2,
    ...     device="cpu",
    ... )
    >>> model.details["steps"], model.encoder.dim
    (2, 64)
    """
    folder = Path(output)
    listing = expand(sources, held_out)
    finished = resume and has_set(folder, ABOUT) and not (folder / CHECKPOINT).exists()
    if not finished:
        _check_free(folder, resume=resume, overwrite=overwrite)
        check_each_once(listing.sources)
    model = new_model(encoder, preset=preset, untrained=True, seed=seed, device=device)
    if finished:
        return _check_same(load_model(folder, device=device), folder, model, {"steps_planned": steps, "seed": seed})
    options = TrainingOptions(
        steps=steps,
        seed=seed,
        windows=windows,
        learning_rate=learning_rate,
        precision=precision,
        compile=compile,
        checkpoint=folder / CHECKPOINT,
        resume=resume,
        checkpoint_s=checkpoint_s,
        watch=watch,
        tell=tell,
    )
    populations, left_out = _read(listing, model, reading or ReadOptions(), cache, pool_groups, progress)
    like = [Path(each.source) for each in populations if each.source]
    keep = partial(_keep, folder, like)
    with _make_folder(folder, like), _lock(folder):
        _check_free(folder, resume=resume, overwrite=overwrite)  # check again, since another training may have ended
        if overwrite and not resume:
            (folder / CHECKPOINT).unlink(missing_ok=True)
        trained, log = fit(model, populations, options, pool_groups=pool_groups, keep=keep, progress=progress)
    for note in (*left_out, *log.notes):
        warn(f"Left out of the training: {note}")
    return trained


def _read(
    listing: Listing,
    model: Model,
    reading: ReadOptions,
    cache: str | Path | None,
    pool_groups: bool,
    progress: Progress,
) -> tuple[Sequence[Population | Binned], list[str]]:
    """Read the recordings to train on, through the cache if there is one, and collect notes on unusable recordings."""
    found: Sequence[Population | Binned]
    notes: list[str] = []
    if cache is None:
        found = read_recordings(listing.sources, model, reading, progress)
    else:
        share = int(os.environ.get("RANK", "0")), int(os.environ.get("WORLD_SIZE", "1"))
        found, notes = read_binned(
            listing.sources, model, reading, Path(cache), pool_groups=pool_groups, share=share, progress=progress
        )
        if not found:
            raise CannotTrain(notes or ["no recording was given."])
    check_subjects([each.subject_id for each in found], listing.held_out)
    return found, notes


def read_recordings(
    sources: Sequence[object], model: Model, reading: ReadOptions, progress: Progress
) -> list[Population]:
    """Read the populations of recordings as a model needs them. A `Population` is used unchanged."""
    return [
        source if isinstance(source, Population) else read_for(model.spec, reader_for(source), source, reading)
        for source in progress(sources, label="recordings", total=len(sources))
    ]


def _keep(folder: Path, like: Sequence[Path], model: Model, log: TrainingLog) -> None:
    model.save(folder, overwrite=True, like=like)
    rows = zip(range(1, len(log.loss) + 1), log.loss.tolist(), log.matched.tolist(), strict=True)
    table = "step,loss,matched\n" + "".join(f"{step},{loss!r},{matched}\n" for step, loss, matched in rows)
    with replace_file(folder / f"{CURVE}.csv", overwrite=True, like=like) as made:
        made.path.write_text(table, encoding="utf-8")
    with replace_file(folder / f"{CURVE}.png", overwrite=True, like=like) as made:
        draw_loss(np.asarray(log.loss), made.path)
    with convert_errors(folder / CHECKPOINT):
        if log.finished:
            (folder / CHECKPOINT).unlink(missing_ok=True)
        elif (folder / CHECKPOINT).exists():
            limit_readers(folder / CHECKPOINT, like)


def _check_free(folder: Path, *, resume: bool, overwrite: bool) -> None:
    there = folder.exists() and any(folder.iterdir()) if folder.is_dir() else folder.exists()
    if resume and not (folder / CHECKPOINT).is_file():
        raise InvalidOption(f"{folder} holds no {CHECKPOINT} to resume from. Leave out --resume to train from scratch.")
    if there and not (resume or overwrite):
        begun = "continue the training in it (--resume), " if (folder / CHECKPOINT).is_file() else ""
        raise CannotWrite(f"{folder} exists. Choose another folder, {begun}or overwrite it (--overwrite).")
    if there and overwrite and not is_ours(folder):
        raise CannotWrite(f"{folder} exists and is not a model folder, so it is not overwritten. Choose another.")


def _check_same(model: Model, folder: Path, untrained: Model, wanted: Mapping[str, Json]) -> Model:
    """Return a finished model if its record agrees with the requested training."""
    if model.name != untrained.name:
        other = f"of encoder {model.name}, not {untrained.name}"
    elif model.encoder.config != untrained.encoder.config:
        other = f"of another preset or configuration of {model.name}"
    else:
        told = {name: model.details.get(name, value) for name, value in wanted.items()}
        differs = [
            f"{name.partition('_')[0]} {told[name]}, not {wanted[name]}"
            for name in wanted
            if told[name] != wanted[name]
        ]
        if not differs:
            return model
        other = f"with {' and '.join(differs)}"
    raise InvalidOption(
        f"{folder} holds a finished training {other}. It cannot be continued: train from scratch in another folder, "
        "without --resume."
    )


@contextmanager
def _make_folder(folder: Path, like: Sequence[Path]) -> Iterator[None]:
    """Make the folder. If the training fails before anything is kept in a new folder, the folder is removed."""
    new = not folder.exists()
    make_folders(folder)
    if new:
        with convert_errors(folder):
            limit_readers(folder, like)
    try:
        yield
    except BaseException:
        if new:
            with suppress(OSError):  # the folder is not empty
                folder.rmdir()
        raise


@contextmanager
def _lock(folder: Path) -> Iterator[None]:
    """Allow only one training per folder at a time.

    If several processes train together, the first one holds the lock.
    """
    if os.environ.get("RANK", "0") != "0":
        yield
        return
    with convert_errors(folder), lock(folder.resolve(), "is being trained by", kind="training", wait_s=0.0):
        yield
